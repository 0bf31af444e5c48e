import { constants, createDecipheriv, privateDecrypt } from "node:crypto";
import { attributeOf, readXml, type XmlElement } from "../../formats/index.ts";
import { quote } from "../quote.ts";
import { demandChildren, everyElement, inside, is, only, plainText, required } from "./elements.ts";
import { namespaces, responseLimits } from "./names.ts";
import { refuse } from "./refusal.ts";
import { checkWholeTree } from "./response-shape.ts";

const { assertion, encryption, signature } = namespaces;

/** Ciphers of assertions, XML Encryption 1.1 §5.2; Triple DES is not among them. */
const ciphers: ReadonlyMap<string, { readonly node: "aes-128-gcm" | "aes-256-gcm" | "aes-128-cbc" | "aes-256-cbc"; readonly keyLength: number }> = new Map([
  ["http://www.w3.org/2009/xmlenc11#aes128-gcm", { node: "aes-128-gcm", keyLength: 16 }],
  ["http://www.w3.org/2009/xmlenc11#aes256-gcm", { node: "aes-256-gcm", keyLength: 32 }],
  ["http://www.w3.org/2001/04/xmlenc#aes128-cbc", { node: "aes-128-cbc", keyLength: 16 }],
  ["http://www.w3.org/2001/04/xmlenc#aes256-cbc", { node: "aes-256-cbc", keyLength: 32 }],
]);
/** RSA-OAEP with SHA-1 and MGF1, which is what providers send and is sound; RSA 1.5 lets whoever can ask often enough decrypt (Bleichenbacher). */
const keyTransport = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
const sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";

/**
 * Opens an EncryptedAssertion: what is in it, held to the limits of a response. Every failure of the decryption itself has the same words, so that
 * nobody learns from them. Throws `access_denied`. Nothing in the result may be believed before its signature, or that of the response, has been verified.
 */
export function openAssertion(element: XmlElement, privateKey: string): XmlElement {
  demandChildren(element, encryption, ["EncryptedData"]);
  const data = only(element, encryption, "EncryptedData");
  demandChildren(data, encryption, ["EncryptionMethod", `{${signature}}KeyInfo`, "CipherData"]);
  demandOrder(data);
  const keyInfo = only(data, signature, "KeyInfo");
  demandChildren(keyInfo, encryption, ["EncryptedKey"]);
  const key = only(keyInfo, encryption, "EncryptedKey");
  demandChildren(key, encryption, ["EncryptionMethod", `{${signature}}KeyInfo`, "CipherData", "CarriedKeyName", "ReferenceList"]);
  demandOrder(key);

  const method = required(only(data, encryption, "EncryptionMethod"), "Algorithm");
  const cipher = ciphers.get(method);
  if (!cipher) throw refuse(`its assertion is encrypted with ${quote(method)}, which is not accepted`, "let the provider use AES-GCM, or AES-CBC");
  checkKeyTransport(only(key, encryption, "EncryptionMethod"));
  const text = decipher(cipherValue(data), cipherValue(key), cipher.node, cipher.keyLength, privateKey);
  const opened = readXml(text, responseLimits);
  if (!is(opened, assertion, "Assertion")) throw refuse("its encrypted part is no assertion");
  checkWholeTree(opened);
  return opened;
}

/** Whether what is encrypted could be changed without anybody noticing. */
export function isMalleable(element: XmlElement): boolean {
  return [...everyElement(element)].some((inner) => inner.name === "EncryptionMethod" && /#aes\d+-cbc$/.test(attributeOf(inner, "Algorithm") ?? ""));
}

/** The schema's order, on which other readers rely when they take the first CipherValue for the key's. */
function demandOrder(element: XmlElement): void {
  const order = ["EncryptionMethod", "KeyInfo", "CipherData", "ReferenceList", "CarriedKeyName"];
  const places = element.children.flatMap((child) => (typeof child === "string" ? [] : [order.indexOf(child.name)]));
  if (places.some((place, index) => index > 0 && place <= (places[index - 1] ?? 0))) throw refuse(`its ${element.name} is malformed`);
}

function checkKeyTransport(method: XmlElement): void {
  const algorithm = required(method, "Algorithm");
  demandChildren(method, signature, ["DigestMethod"]);
  const [digest] = inside(method, signature, "DigestMethod");
  const known = algorithm === keyTransport && (!digest || attributeOf(digest, "Algorithm") === sha1);
  if (!known) throw refuse(`its key is encrypted with ${quote(algorithm)}${digest ? ` and ${quote(attributeOf(digest, "Algorithm") ?? "")}` : ""}, which is not accepted`, "let the provider use RSA-OAEP (rsa-oaep-mgf1p) with SHA-1");
}

function cipherValue(element: XmlElement): Buffer {
  const data = only(element, encryption, "CipherData");
  demandChildren(data, encryption, ["CipherValue"]);
  return Buffer.from(plainText(only(data, encryption, "CipherValue")), "base64");
}

function decipher(sealed: Buffer, sealedKey: Buffer, cipher: "aes-128-gcm" | "aes-256-gcm" | "aes-128-cbc" | "aes-256-cbc", keyLength: number, privateKey: string): string {
  try {
    const key = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha1" }, sealedKey);
    if (key.length !== keyLength) throw new Error("a key of another length");
    return new TextDecoder("utf-8", { fatal: true }).decode(cipher.endsWith("gcm") ? openGcm(sealed, key, cipher as "aes-128-gcm" | "aes-256-gcm") : openCbc(sealed, key, cipher));
  } catch (error) {
    throw refuse("its assertion cannot be decrypted", "the provider has to encrypt for the certificate in the connector's assertion_key_pair", error);
  }
}

function openGcm(sealed: Buffer, key: Buffer, cipher: "aes-128-gcm" | "aes-256-gcm"): Buffer {
  if (sealed.length < 28) throw new Error("too short");
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, 12), { authTagLength: 16 }).setAuthTag(sealed.subarray(-16));
  return Buffer.concat([opening.update(sealed.subarray(12, -16)), opening.final()]);
}

/** XML Encryption pads with any bytes, of which the last says how many (§5.2.2). */
function openCbc(sealed: Buffer, key: Buffer, cipher: string): Buffer {
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([opening.update(sealed.subarray(16)), opening.final()]);
  const padding = padded.at(-1) ?? 0;
  if (padding < 1 || padding > 16) throw new Error("malformed padding");
  return padded.subarray(0, -padding);
}
