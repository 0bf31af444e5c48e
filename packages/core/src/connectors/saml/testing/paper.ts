import { createCipheriv, createHash, createPublicKey, generateKeyPairSync, publicEncrypt, randomBytes, sign, constants, type KeyObject } from "node:crypto";
import { buildCertificate } from "../../../formats/index.ts";
import type { SamlConnector } from "../../../resources/index.ts";
import { requestId } from "../names.ts";

/** A key and its certificate, PEM. */
export interface TestPair {
  readonly key: KeyObject;
  readonly privateKey: string;
  readonly cert: string;
}

/** Makes a key with a self-signed certificate. */
export function testPair(name: string, type: "rsa" | "ec" = "rsa", bits = 2048): TestPair {
  const pair = type === "rsa" ? generateKeyPairSync("rsa", { modulusLength: bits }) : generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const content = { serial: 1n, subject: { CN: [name] }, notBefore: 0, notAfter: Date.UTC(2040, 1, 1), publicKey: pair.publicKey, keyUsage: ["digitalSignature"] as const };
  return { key: pair.privateKey, privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: buildCertificate(content, { privateKey: pair.privateKey }) };
}

export const issuer = "https://idp.example.com/entity";
export const acs = "https://teleport.example.com:3080/webapi/saml/acs";
export const state = "c3RhdGUtb2YtdGhlLWxvZ2luLW9mLWEtcGVyc29uLTE";
export const start = Date.UTC(2026, 5, 1, 12);

/** What a response says; every field has a sound value. */
export interface Sheet {
  readonly responseId: string;
  readonly assertionId: string;
  readonly issuer: string;
  readonly destination: string | undefined;
  readonly recipient: string;
  readonly audience: string;
  readonly answers: string | undefined;
  readonly confirmationAnswers: string | undefined;
  readonly nameId: string;
  readonly format: string;
  readonly groups: readonly string[];
  readonly notBefore: number;
  readonly notOnOrAfter: number;
  readonly issued: number;
}

export const sound: Sheet = {
  responseId: "_response",
  assertionId: "_assertion",
  issuer,
  destination: acs,
  recipient: acs,
  audience: acs,
  answers: requestId(state),
  confirmationAnswers: requestId(state),
  nameId: "mona@example.com",
  format: "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
  groups: ["developers", "sre"],
  notBefore: start - 60_000,
  notOnOrAfter: start + 300_000,
  issued: start,
};

export const saml = 'xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"';
export const samlp = 'xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"';
export const ds = 'xmlns:ds="http://www.w3.org/2000/09/xmldsig#"';
const iso = (time: number): string => new Date(time).toISOString();
const optional = (name: string, value: string | undefined): string => (value === undefined ? "" : ` ${name}="${value}"`);

/** An assertion in exclusive canonical form, with a place for its signature. */
export function assertionXml(sheet: Sheet, signature = ""): string {
  const groups = sheet.groups.map((group) => `<saml:AttributeValue>${group}</saml:AttributeValue>`).join("");
  return [
    `<saml:Assertion ${saml} ID="${sheet.assertionId}" IssueInstant="${iso(sheet.issued)}" Version="2.0"><saml:Issuer>${sheet.issuer}</saml:Issuer>${signature}`,
    `<saml:Subject><saml:NameID Format="${sheet.format}">${sheet.nameId}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`,
    `<saml:SubjectConfirmationData${optional("InResponseTo", sheet.confirmationAnswers)} NotOnOrAfter="${iso(sheet.notOnOrAfter)}" Recipient="${sheet.recipient}"></saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>`,
    `<saml:Conditions NotBefore="${iso(sheet.notBefore)}" NotOnOrAfter="${iso(sheet.notOnOrAfter)}"><saml:AudienceRestriction><saml:Audience>${sheet.audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>`,
    `<saml:AuthnStatement AuthnInstant="${iso(sheet.issued)}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`,
    `<saml:AttributeStatement><saml:Attribute Name="groups">${groups}</saml:Attribute></saml:AttributeStatement></saml:Assertion>`,
  ].join("");
}

/** A response in exclusive canonical form around an assertion or what stands in its place, with a place for its signature. */
export function responseXml(sheet: Sheet, content: string, signature = "", status = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"></samlp:StatusCode>'): string {
  const head = `<samlp:Response ${samlp}${optional("Destination", sheet.destination)} ID="${sheet.responseId}"${optional("InResponseTo", sheet.answers)} IssueInstant="${iso(sheet.issued)}" Version="2.0">`;
  return `${head}<saml:Issuer ${saml}>${sheet.issuer}</saml:Issuer>${signature}<samlp:Status>${status}</samlp:Status>${content}</samlp:Response>`;
}

/** Changes to a signature that is otherwise sound. */
export interface SignatureChanges {
  readonly method?: string;
  readonly hash?: string;
  readonly digestMethod?: string;
  readonly digestHash?: string;
  readonly transforms?: string;
  readonly canonicalization?: string;
  /** On what is signed, in canonical form without its prefix declaration. */
  readonly info?: (info: string) => string;
  /** Another way to make the value. */
  readonly value?: (info: string) => string;
}

/** A signature over canonical text of the element with this id. */
export function signatureXml(id: string, canonical: string, by: KeyObject, changes: SignatureChanges = {}): string {
  const { hash = "sha256", digestHash = "sha256", method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", digestMethod = "http://www.w3.org/2001/04/xmlenc#sha256" } = changes;
  const { canonicalization = "http://www.w3.org/2001/10/xml-exc-c14n#" } = changes;
  const transform = (name: string): string => `<ds:Transform Algorithm="${name}"></ds:Transform>`;
  const transforms = changes.transforms ?? transform("http://www.w3.org/2000/09/xmldsig#enveloped-signature") + transform("http://www.w3.org/2001/10/xml-exc-c14n#");
  const digest = createHash(digestHash).update(canonical).digest("base64");
  const plain = [
    `<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="${canonicalization}"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="${method}"></ds:SignatureMethod>`,
    `<ds:Reference URI="#${id}"><ds:Transforms>${transforms}</ds:Transforms><ds:DigestMethod Algorithm="${digestMethod}"></ds:DigestMethod><ds:DigestValue>${digest}</ds:DigestValue></ds:Reference></ds:SignedInfo>`,
  ].join("");
  const info = changes.info?.(plain) ?? plain;
  const canonicalInfo = info.replace("<ds:SignedInfo>", `<ds:SignedInfo ${ds}>`);
  const value = changes.value?.(canonicalInfo) ?? sign(hash, Buffer.from(canonicalInfo), by).toString("base64");
  return `<ds:Signature ${ds}>${info}<ds:SignatureValue>${value}</ds:SignatureValue></ds:Signature>`;
}

/** An assertion with its signature in it. */
export function signedAssertion(sheet: Sheet, by: KeyObject, changes?: SignatureChanges): string {
  return assertionXml(sheet, signatureXml(sheet.assertionId, assertionXml(sheet), by, changes));
}

/** A response, signed as a whole, around what is in it. */
export function signedResponse(sheet: Sheet, content: string, by: KeyObject, changes?: SignatureChanges): string {
  return responseXml(sheet, content, signatureXml(sheet.responseId, responseXml(sheet, content), by, changes));
}

/** How an assertion is encrypted. */
export interface EncryptionChanges {
  readonly cipher?: "aes-256-gcm" | "aes-128-gcm" | "aes-256-cbc" | "aes-128-cbc" | "des-ede3-cbc";
  readonly padding?: number;
  readonly keyMethod?: string;
  readonly keyDigest?: string;
}

const cipherNames: Readonly<Record<string, string>> = {
  "aes-256-gcm": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
  "aes-128-gcm": "http://www.w3.org/2009/xmlenc11#aes128-gcm",
  "aes-256-cbc": "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
  "aes-128-cbc": "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
  "des-ede3-cbc": "http://www.w3.org/2001/04/xmlenc#tripledes-cbc",
};

/** Encrypts an assertion for a certificate. */
export function encryptedAssertion(xml: string, cert: string, changes: EncryptionChanges = {}): string {
  const { cipher = "aes-256-gcm", padding = constants.RSA_PKCS1_OAEP_PADDING, keyMethod = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" } = changes;
  const key = randomBytes(cipher.startsWith("des") ? 24 : cipher.includes("256") ? 32 : 16);
  const iv = randomBytes(cipher.endsWith("gcm") ? 12 : cipher.startsWith("des") ? 8 : 16);
  const sealing = createCipheriv(cipher as "aes-256-gcm", key, iv);
  const sealed = Buffer.concat([iv, sealing.update(xml, "utf8"), sealing.final(), cipher.endsWith("gcm") ? sealing.getAuthTag() : Buffer.alloc(0)]);
  const sealedKey = publicEncrypt({ key: createPublicKey(cert), padding, oaepHash: changes.keyDigest ? "sha256" : "sha1" }, key);
  const digest = changes.keyDigest === undefined ? "" : `<ds:DigestMethod ${ds} Algorithm="${changes.keyDigest}"></ds:DigestMethod>`;
  const value = (bytes: Buffer): string => `<xenc:CipherData><xenc:CipherValue>${bytes.toString("base64")}</xenc:CipherValue></xenc:CipherData>`;
  return [
    `<saml:EncryptedAssertion ${saml}><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="${cipherNames[cipher] ?? ""}"></xenc:EncryptionMethod>`,
    `<ds:KeyInfo ${ds}><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="${keyMethod}">${digest}</xenc:EncryptionMethod>${value(sealedKey)}</xenc:EncryptedKey></ds:KeyInfo>${value(sealed)}</xenc:EncryptedData></saml:EncryptedAssertion>`,
  ].join("");
}

/** A connector of this provider. */
export function testConnector(cert: string, spec: Partial<SamlConnector["spec"]> = {}): SamlConnector {
  return {
    kind: "saml",
    version: "v2",
    metadata: { name: "okta", labels: {} },
    spec: {
      acs,
      display: "Okta",
      issuer,
      sso: "https://idp.example.com/sso",
      cert,
      audience: acs,
      service_provider_issuer: acs,
      attributes_to_roles: [{ name: "groups", value: "developers", roles: ["dev"] }],
      ...spec,
    },
  };
}

/** Metadata of a provider. */
export function metadataXml(certs: readonly string[], changes: { readonly entityId?: string; readonly sso?: string; readonly attributes?: string } = {}): string {
  const keys = certs.map((cert) => `<md:KeyDescriptor use="signing"><ds:KeyInfo ${ds}><ds:X509Data><ds:X509Certificate>${cert.replaceAll(/-----[^-]+-----|\s/g, "")}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`);
  return [
    `<?xml version="1.0" encoding="UTF-8"?><!-- of a provider --><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="${changes.entityId ?? issuer}"${changes.attributes ?? ""}>`,
    `<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">${keys.join("")}`,
    `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.example.com/post"/>`,
    `<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${changes.sso ?? "https://idp.example.com/sso"}"/></md:IDPSSODescriptor></md:EntityDescriptor>`,
  ].join("");
}
