import { attributeOf, elementsOf, textOf, type XmlElement } from "../../formats/index.ts";
import { quote } from "../quote.ts";
import { demandChildren, everyElement, inside, is, only } from "./elements.ts";
import { namespaces } from "./names.ts";
import { refuse } from "./refusal.ts";
import { checkSignatureShape } from "./signature-shape.ts";

const { protocol, assertion, signature, encryption } = namespaces;
const anySignature = `{${signature}}Signature`;

/** Names that mean something to SAML are refused in any other namespace, since some readers look at the name alone. */
const owners: ReadonlyMap<string, string> = new Map([
  ...["Response", "Status", "StatusCode", "StatusMessage", "StatusDetail", "LogoutResponse"].map((name) => [name, protocol] as const),
  ...["Assertion", "EncryptedAssertion", "Issuer", "Subject", "NameID", "EncryptedID", "BaseID", "SubjectConfirmation", "SubjectConfirmationData", "Conditions"].map((name) => [name, assertion] as const),
  ...["AudienceRestriction", "Audience", "AuthnStatement", "AttributeStatement", "Attribute", "AttributeValue", "EncryptedAttribute"].map((name) => [name, assertion] as const),
  ...["Signature", "SignedInfo", "SignatureValue", "Reference", "Transforms", "Transform", "DigestMethod", "DigestValue", "KeyInfo", "X509Data"].map((name) => [name, signature] as const),
  ...["EncryptedData", "EncryptedKey", "CipherData", "CipherValue"].map((name) => [name, encryption] as const),
]);
/** Attributes that decide something, which no prefix may imitate. */
const guarded = new Set(["id", "uri", "algorithm", "version", "name", "nameformat", "format", "destination", "recipient", "inresponseto", "notbefore", "notonorafter", "method", "value", "issueinstant"]);
const once = new Set(["Response", "Status", "Assertion", "EncryptedAssertion", "Subject", "Conditions", "EncryptedData", "EncryptedKey"]);
const xml = "http://www.w3.org/XML/1998/namespace";
const idValue = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/;

/** Throws `access_denied` for what could make two readers of one document see different things: ids twice, known names in strange namespaces, wrappers. */
export function checkWholeTree(root: XmlElement): void {
  const ids = new Set<string>();
  const seen = new Set<string>();
  for (const element of everyElement(root)) {
    const owner = owners.get(element.name);
    if (owner !== undefined && owner !== element.namespace) throw refuse(`it has a ${element.name} of a namespace that is not SAML's`);
    if (once.has(element.name)) {
      if (seen.has(element.name)) throw refuse(`it has more than one ${element.name}`);
      seen.add(element.name);
    }
    for (const { namespace, name, value } of element.attributes) {
      const lower = name.toLowerCase();
      if (namespace === xml && name !== "lang" && name !== "space") throw refuse(`it has an attribute xml:${quote(name)}`);
      if (namespace !== "" && guarded.has(lower)) throw refuse(`it has an attribute ${quote(name)} under a prefix`);
      if (lower !== "id") continue;
      if (!idValue.test(value)) throw refuse("it has a malformed ID");
      if (ids.has(value)) throw refuse("it has one ID twice");
      ids.add(value);
      if (element.attributes.filter((other) => other.namespace === "" && other.name.toLowerCase() === "id").length > 1) throw refuse("an element of it has two IDs");
    }
  }
}

/** What of a response is signed, and where its one assertion is. */
export interface ResponseShape {
  readonly root: XmlElement;
  readonly signed: boolean;
  /** Undefined where a status other than success stands in its place. */
  readonly assertion: XmlElement | undefined;
  readonly encrypted: boolean;
}

/** The signature right inside an element, held to its form; whether there is one. */
function signatureOf(element: XmlElement): boolean {
  const [first, ...rest] = inside(element, signature, "Signature");
  if (rest.length > 0) throw refuse(`its ${element.name} has several signatures`);
  if (first) checkSignatureShape(first, element);
  return first !== undefined;
}

/** Holds a response to the form of SAML core §3.2.2 and §3.3.3, less what no provider needs for a login. Throws `access_denied`. */
export function checkResponseShape(root: XmlElement): ResponseShape {
  if (!is(root, protocol, "Response")) throw refuse(`it is a ${quote(root.name)}, and no Response of SAML 2.0`);
  checkWholeTree(root);
  if (attributeOf(root, "Version") !== "2.0" || attributeOf(root, "ID") === undefined) throw refuse("it is not of SAML 2.0");
  demandChildren(root, protocol, ["Status", `{${assertion}}Issuer`, `{${assertion}}Assertion`, `{${assertion}}EncryptedAssertion`, anySignature]);
  only(root, protocol, "Status");
  if (inside(root, assertion, "Issuer").length > 1) throw refuse("its Response has several Issuer");
  const [found, ...more] = elementsOf(root).filter((child) => child.name === "Assertion" || child.name === "EncryptedAssertion");
  if (more.length > 0) throw refuse("it has more than one assertion");
  const encrypted = found?.name === "EncryptedAssertion";
  return { root, signed: signatureOf(root), assertion: found, encrypted };
}

/** Holds an assertion to the form of SAML core §2.3.3; whether it has a signature. Throws `access_denied`. */
export function checkAssertionShape(element: XmlElement): boolean {
  if (!is(element, assertion, "Assertion") || attributeOf(element, "Version") !== "2.0" || attributeOf(element, "ID") === undefined) throw refuse("its assertion is not of SAML 2.0");
  demandChildren(element, assertion, ["Issuer", "Subject", "Conditions", "AuthnStatement", "AttributeStatement", anySignature]);
  return signatureOf(element);
}

/** Whether two trees are the same, signatures right inside their roots aside: names, attributes, text and order, whatever the prefixes. */
export function sameContent(one: XmlElement, other: XmlElement): boolean {
  return content(one, true) === content(other, true);
}

function content(element: XmlElement, root: boolean): string {
  const attributes = element.attributes.map(({ namespace, name, value }) => JSON.stringify([namespace, name, value])).sort();
  const parts: string[] = [];
  let text = "";
  for (const child of element.children) {
    if (typeof child === "string") text += child;
    else if (!root || !is(child, signature, "Signature")) {
      parts.push(JSON.stringify(text), content(child, false));
      text = "";
    }
  }
  return `<${JSON.stringify([element.namespace, element.name])}${attributes.join("")}>${parts.join("")}${JSON.stringify(text)}</>`;
}

/** A person's words for a status that is not success, or undefined for success (SAML core §3.2.2). */
export function statusProblem(root: XmlElement): string | undefined {
  const status = only(root, protocol, "Status");
  const outer = only(status, protocol, "StatusCode");
  const codes = [outer, ...inside(outer, protocol, "StatusCode")].map((code) => attributeOf(code, "Value") ?? "");
  if (codes[0] === "urn:oasis:names:tc:SAML:2.0:status:Success") return undefined;
  const [message] = inside(status, protocol, "StatusMessage");
  const short = codes.map((code) => quote(code.replace(/^urn:oasis:names:tc:SAML:[\d.]+:status:/, ""))).join(", ");
  return message && textOf(message).trim() !== "" ? `${short}: ${quote(textOf(message).trim())}` : short;
}
