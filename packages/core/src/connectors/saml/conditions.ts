import { attributeOf, textOf, type XmlElement } from "../../formats/index.ts";
import { quote } from "../quote.ts";
import { demandChildren, inside, only, plainText } from "./elements.ts";
import { clockSkew, nameFormats, namespaces } from "./names.ts";
import { refuse } from "./refusal.ts";
import { checkIssued, checkWindow, endOf } from "./times.ts";

const { assertion } = namespaces;
const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/** What a response has to be for. */
export interface Expected {
  /** Entity id of the provider. */
  readonly issuer: string;
  readonly audience: string;
  /** Where responses come in. */
  readonly acs: string;
  /** ID of the request that it answers. */
  readonly request: string;
  /** ms since the epoch. */
  readonly now: number;
}

/** Throws `access_denied` unless an Issuer names the provider, exactly. */
export function checkIssuer(issuer: XmlElement, expected: Expected): void {
  const format = attributeOf(issuer, "Format");
  if (format !== undefined && format !== nameFormats.entity) throw refuse("its Issuer is not an entity id");
  const text = plainText(issuer);
  if (text !== expected.issuer) throw refuse(`it is by ${quote(text)}, and the connector's provider is ${quote(expected.issuer)}`);
}

/** What is around the assertion: none of it needs to be signed, and none of it is used but to refuse. Throws `access_denied`. */
export function checkEnvelope(root: XmlElement, signed: boolean, expected: Expected): void {
  const answers = attributeOf(root, "InResponseTo");
  if (answers === undefined) throw refuse("it answers no request of this gateway", "begin with tsh login: a login that begins at the provider is not supported");
  if (answers !== expected.request) throw refuse("it answers the request of another login", "log in again");
  const destination = attributeOf(root, "Destination");
  if (destination === undefined ? signed : destination !== expected.acs) throw refuse(`it was sent to ${quote(destination ?? "nowhere")}, and the connector's acs is ${quote(expected.acs)}`);
  for (const issuer of inside(root, assertion, "Issuer")) checkIssuer(issuer, expected);
  checkIssued(root, expected.now);
}

/** Times, audience and confirmation of a verified assertion (SAML core §2.5, profiles §4.1.4.3). Returns until when it can be used, ms. Throws `access_denied`. */
export function checkAssertion(verified: XmlElement, expected: Expected): number {
  checkIssuer(only(verified, assertion, "Issuer"), expected);
  checkIssued(verified, expected.now);
  const conditions = only(verified, assertion, "Conditions");
  demandChildren(conditions, assertion, ["AudienceRestriction", "OneTimeUse", "ProxyRestriction"]);
  checkWindow(conditions, expected.now);
  checkAudience(conditions, expected);
  for (const statement of inside(verified, assertion, "AuthnStatement")) {
    const end = endOf(statement, "SessionNotOnOrAfter");
    if (end !== undefined && expected.now - clockSkew >= end) throw refuse("the session at the provider has ended", "log in again");
  }
  return checkConfirmation(only(verified, assertion, "Subject"), expected);
}

function checkAudience(conditions: XmlElement, { audience }: Expected): void {
  const restrictions = inside(conditions, assertion, "AudienceRestriction");
  if (restrictions.length === 0) throw refuse("it is for no audience in particular", `let the provider name ${quote(audience)} as its audience`);
  for (const restriction of restrictions) {
    const named = inside(restriction, assertion, "Audience").map((element) => plainText(element));
    if (!named.includes(audience)) throw refuse(`it is for ${quote(named.join(", "))}, and the connector's audience is ${quote(audience)}`);
  }
}

function checkConfirmation(subject: XmlElement, expected: Expected): number {
  const bearers = inside(subject, assertion, "SubjectConfirmation").filter((confirmation) => attributeOf(confirmation, "Method") === bearer);
  let problem = refuse("nobody may bear it: it has no bearer confirmation");
  for (const confirmation of bearers) {
    try {
      return checkBearer(only(confirmation, assertion, "SubjectConfirmationData"), expected);
    } catch (error) {
      problem = error as typeof problem;
    }
  }
  throw problem;
}

function checkBearer(data: XmlElement, expected: Expected): number {
  const recipient = attributeOf(data, "Recipient");
  if (recipient !== expected.acs) throw refuse(`its recipient is ${quote(recipient ?? "nobody")}, and the connector's acs is ${quote(expected.acs)}`);
  if (attributeOf(data, "InResponseTo") !== expected.request) throw refuse("its assertion answers another request than that of this login", "log in again");
  const end = endOf(data);
  if (end === undefined) throw refuse("it does not say until when it may be used");
  checkWindow(data, expected.now);
  if (textOf(data).trim() !== "") throw refuse("its SubjectConfirmationData has text where none belongs");
  return end + clockSkew;
}
