import { constants, verify, type VerifyKeyObjectInput, X509Certificate } from "node:crypto";
import type { XmlElement } from "../../formats/index.ts";
import { canonicalize } from "./canonical.ts";
import { inside, only, plainText, required } from "./elements.ts";
import { namespaces } from "./names.ts";
import { UnknownKey } from "./refusal.ts";

const { signature: ds } = namespaces;
const methods: ReadonlyMap<string, { readonly hash: string; readonly options?: Pick<VerifyKeyObjectInput, "padding" | "saltLength"> }> = new Map([
  ["http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", { hash: "sha256" }],
  ["http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", { hash: "sha512" }],
  ["http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", { hash: "sha256", options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST } }],
]);
/** URIs of the signature algorithms that are accepted. */
export const signatureMethods: ReadonlySet<string> = new Set(methods.keys());

/**
 * Which of the provider's certificates (PEM) signed the SignedInfo of the signature right inside an element; undefined where there is no signature. What
 * it refers to is the library's to verify, which takes a second for the largest of responses: here a stranger's costs next to nothing. Throws {@link UnknownKey}.
 */
export function signerOf(element: XmlElement, certificates: readonly string[]): string | undefined {
  const [signature] = inside(element, ds, "Signature");
  if (!signature) return undefined;
  const info = only(signature, ds, "SignedInfo");
  const method = methods.get(required(only(info, ds, "SignatureMethod"), "Algorithm"));
  const text = Buffer.from(canonicalize(info));
  const value = Buffer.from(plainText(only(signature, ds, "SignatureValue")), "base64");
  const signer = certificates.find((certificate) => method && verify(method.hash, text, { key: new X509Certificate(certificate).publicKey, ...method.options }, value));
  if (signer === undefined) throw new UnknownKey(undefined);
  return signer;
}
