import { attributeOf, readXml, textOf, type XmlElement } from "../../formats/index.ts";
import { quote } from "../quote.ts";
import { everyElement, inside, is } from "./elements.ts";
import { unusable, usableCertificates, type IdentityProvider } from "./identity-provider.ts";
import { namespaces } from "./names.ts";
import { parseInstant } from "./times.ts";

const { metadata: md, protocol, signature } = namespaces;
const redirectBinding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
/** Characters of metadata. */
export const maxMetadata = 1024 * 1024;
const limits = { depth: 32, elements: 20_000, attributes: 64, comments: "skip" } as const;

/**
 * Reads an identity provider out of SAML metadata: of several entities, the one that `entityId` names. A signature in it is not verified: metadata is
 * believed because of where it comes from. Throws `bad_parameter` with what is missing in it.
 */
export function parseMetadata(text: string, entityId: string | undefined): IdentityProvider {
  if (text.length > maxMetadata) throw unusable(`the metadata has more than ${maxMetadata} characters`);
  const root = readXml(text, limits);
  const entities = [...everyElement(root)].filter((element) => is(element, md, "EntityDescriptor"));
  const described = entities.flatMap((entity) => inside(entity, md, "IDPSSODescriptor").map((role) => ({ entity, role, id: attributeOf(entity, "entityID") ?? "" })));
  const providers = described.filter(({ role }) => (attributeOf(role, "protocolSupportEnumeration") ?? protocol).split(/\s+/).includes(protocol));
  const chosen = entityId === undefined ? providers : providers.filter(({ id }) => id === entityId);
  const [found, ...more] = chosen;
  if (!found) throw missing(entityId, providers.map(({ id }) => id));
  if (more.length > 0) throw unusable("the metadata describes several identity providers", "let issuer name the entity id of the one that is meant");
  if (found.id === "" || found.id.length > 1024) throw unusable("the metadata has no entityID of a sensible length");

  const services = inside(found.role, md, "SingleSignOnService");
  const sso = services.find((service) => attributeOf(service, "Binding") === redirectBinding);
  if (!sso) throw unusable("the metadata has no SingleSignOnService with the binding HTTP-Redirect", "let the provider take requests by HTTP-Redirect");
  const dated = [root, found.entity, found.role];
  return {
    entityId: found.id,
    sso: attributeOf(sso, "Location") ?? "",
    certificates: usableCertificates(signingCertificates(found.role)),
    validUntil: least(dated.map((element) => date(element))),
    cacheDuration: least(dated.map((element) => duration(attributeOf(element, "cacheDuration")))),
  };
}

function missing(entityId: string | undefined, ids: readonly string[]): Error {
  if (entityId === undefined || ids.length === 0) return unusable("the metadata describes no identity provider of SAML 2.0 (IDPSSODescriptor)", "it has to be the provider's metadata, not this gateway's");
  return unusable(`the metadata does not describe ${quote(entityId)}`, `it describes ${quote(ids.slice(0, 5).join(", "))}`);
}

function signingCertificates(role: XmlElement): readonly Buffer[] {
  const keys = inside(role, md, "KeyDescriptor").filter((key) => (attributeOf(key, "use") ?? "signing") === "signing");
  const certificates = keys.flatMap((key) => [...everyElement(key)].filter((element) => is(element, signature, "X509Certificate")));
  return certificates.map((certificate) => Buffer.from(textOf(certificate).replaceAll(/\s/g, ""), "base64"));
}

function least(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function date(element: XmlElement): number | undefined {
  const text = attributeOf(element, "validUntil");
  if (text === undefined) return undefined;
  const time = parseInstant(text);
  if (time === undefined) throw unusable("the metadata has a malformed validUntil");
  return time;
}

/** An xs:duration of days and less, in ms; longer ones and malformed ones count as none. */
function duration(text: string | undefined): number | undefined {
  const parts = /^P(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10})(?:\.\d+)?S)?)?$/.exec(text ?? "");
  if (!parts) return undefined;
  const number = (index: number): number => Number(parts[index] ?? 0);
  return (((number(1) * 24 + number(2)) * 60 + number(3)) * 60 + number(4)) * 1000;
}
