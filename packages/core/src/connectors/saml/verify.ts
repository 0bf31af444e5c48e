import { GatehouseError } from "../../base/index.ts";
import { readXml } from "../../formats/index.ts";
import type { SamlConnector } from "../../resources/index.ts";
import { checkAssertion, checkEnvelope, type Expected } from "./conditions.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import { maxResponse, requestId, responseLimits } from "./names.ts";
import { readPerson, type SamlPerson } from "./person.ts";
import { refuse } from "./refusal.ts";
import { checkResponseShape, statusProblem, type ResponseShape } from "./response-shape.ts";
import { demandAgreement, signedAssertion } from "./signed-assertion.ts";

/** What was verified, and until when the same assertion could be sent again, ms since the epoch. */
export interface VerifiedResponse {
  readonly person: SamlPerson;
  readonly until: number;
}

/** Text of the form field `SAMLResponse`. Throws `access_denied` before anything is parsed: too large, no base64, no UTF-8. */
function decode(field: string): string {
  if (field.length > Math.ceil(maxResponse / 3) * 4 + 16_384) throw refuse(`it is larger than ${maxResponse} bytes`);
  const packed = field.replaceAll(/[ \t\r\n]/g, "");
  if (packed === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) throw refuse("it is not base64");
  const bytes = Buffer.from(packed, "base64");
  if (bytes.length > maxResponse) throw refuse(`it is larger than ${maxResponse} bytes`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw refuse("it is not UTF-8", undefined, error);
  }
}

function readShape(text: string): ResponseShape {
  try {
    return checkResponseShape(readXml(text, responseLimits));
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_parameter") throw refuse(error.message, undefined, error);
    throw error;
  }
}

/**
 * Verifies a response and reads the person out of it. Two readers that have nothing in common see it: this project's, which takes plain XML alone, and the library,
 * which verifies the signature. The person is read from the canonical text that the signature covers, and only where it says what both saw. Throws
 * `access_denied` with what does not hold; {@link UnknownKey} where the signature does not fit.
 */
export async function verifyResponse(field: string, connector: SamlConnector, provider: IdentityProvider, state: string, now: number): Promise<VerifiedResponse> {
  const text = decode(field);
  const shape = readShape(text);
  const expected: Expected = { issuer: provider.entityId, audience: connector.spec.audience, acs: connector.spec.acs, request: requestId(state), now };
  checkEnvelope(shape.root, shape.signed, expected);
  const problem = statusProblem(shape.root);
  if (problem !== undefined) throw new GatehouseError("access_denied", `the SAML provider refuses the login: ${problem}`, { hint: "log in again; if it stays so, the provider's own log says why" });
  if (!shape.assertion) throw refuse("it has no assertion");

  const verified = await signedAssertion(text, { ...shape, assertion: shape.assertion }, connector, provider, state);
  const until = checkAssertion(verified.tree, expected);
  const person = readPerson(verified.tree);
  demandAgreement(person, verified.profile);
  return { person, until };
}
