import { GatehouseError, errorMessage } from "../../base/index.ts";
import { readXml, type XmlElement } from "../../formats/index.ts";
import type { SamlConnector } from "../../resources/index.ts";
import { quote } from "../quote.ts";
import { isMalleable, openAssertion } from "./decrypt.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import { responseLimits } from "./names.ts";
import type { SamlPerson } from "./person.ts";
import { UnknownKey, refuse } from "./refusal.ts";
import { checkAssertionShape, sameContent, type ResponseShape } from "./response-shape.ts";
import { serviceProvider, type ServiceProviderUse } from "./service-provider.ts";
import { signerOf } from "./signer.ts";

/** What the library read out of an assertion. */
export interface LibraryProfile {
  readonly nameID?: unknown;
  readonly nameIDFormat?: unknown;
  readonly attributes?: unknown;
}

/** An assertion as its signature covers it, and what the library made of it. */
export interface SignedAssertion {
  readonly tree: XmlElement;
  readonly profile: LibraryProfile;
}

type FullShape = ResponseShape & { readonly assertion: XmlElement };

/**
 * The assertion of a response, read from the canonical text that a signature by the provider covers, and only where that says what the response says. An
 * encrypted assertion has to be signed itself, or the response over it; in the latter case it is opened when that signature has been verified.
 * Throws `access_denied`.
 */
export async function signedAssertion(text: string, shape: FullShape, connector: SamlConnector, provider: IdentityProvider, state: string): Promise<SignedAssertion> {
  const { certificates } = provider;
  const responseSigner = signerOf(shape.root, certificates);
  const verify = (assertionSigner: string | undefined): Promise<SignedAssertion> => {
    const signers = [responseSigner, assertionSigner].filter((signer) => signer !== undefined);
    return verifyByLibrary(text, connector, { ...provider, certificates: [...new Set(signers)] }, { state, responseSigned: responseSigner !== undefined, assertionSigned: assertionSigner !== undefined });
  };
  const key = connector.spec.assertion_key_pair?.private_key;
  if (!shape.encrypted) {
    demandSignature(shape, shape.assertion);
    return demandSame(await verify(signerOf(shape.assertion, certificates)), shape.assertion);
  }
  if (key === undefined) throw refuse("its assertion is encrypted, and the connector has no assertion_key_pair to open it with");
  if (shape.signed) {
    const verified = await verify(undefined);
    const opened = open(shape.assertion, key);
    demandSignature(shape, opened);
    return demandSame(verified, opened);
  }
  try {
    const opened = open(shape.assertion, key);
    demandSignature(shape, opened);
    return demandSame(await verify(signerOf(opened, certificates)), opened);
  } catch (error) {
    // With CBC, whoever learned which step failed could decrypt by asking often (Jager and Somorovsky, 2011).
    throw isMalleable(shape.assertion) ? new UnknownKey(error, "its assertion cannot be decrypted, or is not signed by a key of the provider") : error;
  }
}

/** Holds an assertion to its form. Throws `access_denied`, also where nothing is signed. */
function demandSignature(shape: FullShape, assertion: XmlElement): void {
  if (!checkAssertionShape(assertion) && !shape.signed) throw refuse("neither it nor its assertion is signed", "let the provider sign assertions");
}

function demandSame(verified: SignedAssertion, seen: XmlElement): SignedAssertion {
  if (!sameContent(verified.tree, seen)) throw refuse("what its signature covers is not what it says");
  return verified;
}

async function verifyByLibrary(text: string, connector: SamlConnector, provider: IdentityProvider, use: ServiceProviderUse): Promise<SignedAssertion> {
  const library = await serviceProvider(connector, provider, use);
  const profile = await library.validatePostResponseAsync({ SAMLResponse: Buffer.from(text).toString("base64") }).then((result) => result.profile, libraryProblem);
  const covered = profile?.getAssertionXml?.();
  if (!profile || covered === undefined) throw refuse("nothing in it is signed");
  try {
    return { tree: readXml(covered, responseLimits), profile };
  } catch (error) {
    throw refuse("what its signature covers cannot be read", undefined, error);
  }
}

function open(element: XmlElement, key: string): XmlElement {
  try {
    return openAssertion(element, key);
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_parameter") throw refuse("its assertion cannot be decrypted", undefined, error);
    throw error;
  }
}

function libraryProblem(error: unknown): never {
  const message = errorMessage(error);
  if (/^Invalid (?:document )?signature/.test(message)) throw new UnknownKey(error);
  throw refuse(quote(message), undefined, error);
}

/** Throws `access_denied` where the library read another person out of the same text. */
export function demandAgreement(person: SamlPerson, profile: LibraryProfile): void {
  const differs = (what: string): Error => refuse(`two readers of it disagree about its ${what}`);
  if (profile.nameID !== person.name || (profile.nameIDFormat ?? person.format) !== person.format) throw differs("NameID");
  const theirs = (profile.attributes ?? {}) as Readonly<Record<string, unknown>>;
  for (const [name, values] of Object.entries(person.attributes)) {
    const other = Object.hasOwn(theirs, name) ? [theirs[name]].flat() : [];
    // Of an attribute that comes several times, the library keeps the last.
    const texts = other.filter((value) => typeof value === "string" && value.trim() !== "");
    const last = values.slice(values.length - texts.length);
    if (texts.length > values.length || texts.some((value, index) => value !== last[index])) throw differs("attributes");
  }
  if (Object.keys(theirs).some((name) => !Object.hasOwn(person.attributes, name))) throw differs("attributes");
}
