import { attributeOf, type XmlElement } from "../../formats/index.ts";
import { quote } from "../quote.ts";
import { demandChildren, inside, only, plainText, required } from "./elements.ts";
import { namespaces } from "./names.ts";
import { refuse } from "./refusal.ts";
import { signatureMethods } from "./signer.ts";

const { signature: ds } = namespaces;
const exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
const prefixes = `{${exclusive}}InclusiveNamespaces`;
const enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const digestMethods: ReadonlyMap<string, number> = new Map([
  ["http://www.w3.org/2001/04/xmlenc#sha256", 32],
  ["http://www.w3.org/2001/04/xmlenc#sha512", 64],
]);
const base64 = /^[A-Za-z0-9+/]+={0,2}$/;

function algorithm(element: XmlElement, known: { has(name: string): boolean }, what: string): string {
  const name = required(element, "Algorithm");
  if (!known.has(name)) {
    throw refuse(`its ${what} is ${quote(name)}, which is not accepted`, /sha1|md5/i.test(name) ? "let the provider sign with SHA-256" : "let the provider sign with RSA and SHA-256, over exclusive canonical XML");
  }
  return name;
}

function bytes(element: XmlElement): Buffer {
  const text = plainText(element).replaceAll(/[ \t\n]/g, "");
  if (element.attributes.some(({ name }) => name !== "Id") || !base64.test(text)) throw refuse(`its ${element.name} is malformed`);
  return Buffer.from(text, "base64");
}

/**
 * Holds a signature to the one form that SAML has (core §5.4): enveloped in what it signs, one reference to that, exclusive canonicalization, RSA with
 * SHA-2. What the signature is worth is not decided here. Throws `access_denied`.
 */
export function checkSignatureShape(signature: XmlElement, signed: XmlElement): void {
  demandChildren(signature, ds, ["SignedInfo", "SignatureValue", "KeyInfo"]);
  if (inside(signature, ds, "KeyInfo").length > 1) throw refuse("its Signature has several KeyInfo");
  const info = only(signature, ds, "SignedInfo");
  bytes(only(signature, ds, "SignatureValue"));

  demandChildren(info, ds, ["CanonicalizationMethod", "SignatureMethod", "Reference"]);
  const canonicalization = only(info, ds, "CanonicalizationMethod");
  algorithm(canonicalization, new Set([exclusive]), "canonicalization");
  demandChildren(canonicalization, ds, []);
  algorithm(only(info, ds, "SignatureMethod"), signatureMethods, "signature algorithm");
  demandChildren(only(info, ds, "SignatureMethod"), ds, []);

  const reference = only(info, ds, "Reference");
  demandChildren(reference, ds, ["Transforms", "DigestMethod", "DigestValue"]);
  const id = required(signed, "ID");
  if (attributeOf(reference, "URI") !== `#${id}`) throw refuse("its signature is for another element than the one that it is in");
  const transforms = only(reference, ds, "Transforms");
  demandChildren(transforms, ds, ["Transform"]);
  const names = inside(transforms, ds, "Transform").map((transform) => {
    demandChildren(transform, ds, [prefixes]);
    return required(transform, "Algorithm");
  });
  if (names.length !== 2 || names[0] !== enveloped || names[1] !== exclusive) throw refuse("its signature transforms what it signs in another way than SAML has");
  const digest = algorithm(only(reference, ds, "DigestMethod"), digestMethods, "digest algorithm");
  if (bytes(only(reference, ds, "DigestValue")).length !== digestMethods.get(digest)) throw refuse("its DigestValue is malformed");
}
