import { createHash, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import { GatehouseError } from "../base/index.ts";
import { DerReader, derTag } from "./der.ts";
import { der, derInteger, derOctetBits, derOid, derSequence, derTime } from "./der-write.ts";
import { certificateDer, encodeCertificatePem } from "./pem.ts";
import { encodeExtensions, readExtensions, type CertificateExtension, type CertificateExtensions, type ExtendedKeyUsage, type KeyUsage } from "./x509-extensions.ts";
import { encodeName, readName, type DistinguishedName } from "./x509-names.ts";

/** How certificates are signed; the only ways that are verified. */
export type SignatureAlgorithm = "ed25519" | "ecdsa-sha256" | "rsa-sha256";

/** AlgorithmIdentifiers (RFC 8410 §3, RFC 5758 §3.2, RFC 4055 §5), compared byte for byte. */
const signatureAlgorithms: Readonly<Record<SignatureAlgorithm, Buffer>> = {
  ed25519: derSequence(derOid("1.3.101.112")),
  "ecdsa-sha256": derSequence(derOid("1.2.840.10045.4.3.2")),
  "rsa-sha256": derSequence(derOid("1.2.840.113549.1.1.11"), der(derTag.null)),
};
const algorithmOfKey: Readonly<Partial<Record<string, SignatureAlgorithm>>> = { ed25519: "ed25519", ec: "ecdsa-sha256", rsa: "rsa-sha256" };
const maxSerial = 2n ** 159n;

/** What a certificate is to say. Times in ms since the epoch, written in whole seconds. */
export interface CertificateContent {
  /** Positive, below 2^159. */
  readonly serial: bigint;
  readonly subject: DistinguishedName;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: KeyObject;
  /** Given for a CA. */
  readonly ca?: { readonly pathLength?: number | undefined } | undefined;
  readonly keyUsage: readonly KeyUsage[];
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[] | undefined;
  readonly dnsNames?: readonly string[] | undefined;
  readonly ipAddresses?: readonly string[] | undefined;
  readonly extensions?: readonly CertificateExtension[] | undefined;
}

/** Who signs: the issuer's key and certificate; without the certificate the new one is self-signed. */
export interface CertificateSigner {
  readonly privateKey: KeyObject;
  readonly certificate?: Certificate | undefined;
}

/** A certificate that was read. Nothing in it may be believed before {@link verifyCertificateSignature}. */
export interface Certificate extends CertificateExtensions {
  readonly der: Buffer;
  /** What the signature covers. */
  readonly tbs: Buffer;
  readonly serial: bigint;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** DER of the names, for comparison. */
  readonly issuerDer: Buffer;
  readonly subjectDer: Buffer;
  /** ms since the epoch; both ends belong to the validity. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** DER of SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  /** Undefined for an algorithm that is not verified here. */
  readonly signatureAlgorithm: SignatureAlgorithm | undefined;
  readonly signature: Buffer;
}

/** RFC 7093 §2 (1): 160 bits of SHA-256 over the key's bits. */
function keyIdentifier(spki: Buffer): Buffer {
  const reader = new DerReader(spki, "the public key").enter(derTag.sequence);
  reader.element();
  return createHash("sha256").update(reader.octetBits()).digest().subarray(0, 20);
}

function algorithmFor(key: KeyObject): SignatureAlgorithm {
  const algorithm = algorithmOfKey[key.asymmetricKeyType ?? ""];
  if (!algorithm) throw new GatehouseError("bad_parameter", `a ${String(key.asymmetricKeyType)} key cannot sign certificates`);
  return algorithm;
}

/** Builds and signs a version 3 certificate (RFC 5280); returns PEM. Throws `bad_parameter` for what no sound certificate has. */
export function buildCertificate(content: CertificateContent, signer: CertificateSigner): string {
  if (content.serial <= 0n || content.serial >= maxSerial) throw new GatehouseError("bad_parameter", "a certificate's serial is a positive number below 2^159");
  if (!(content.notBefore < content.notAfter)) throw new GatehouseError("bad_parameter", "a certificate's validity ends before it begins");
  const spki = content.publicKey.export({ type: "spki", format: "der" });
  const subject = encodeName(content.subject);
  const subjectKeyId = keyIdentifier(spki);
  const algorithm = algorithmFor(signer.privateKey);
  const { extensions: others, ...rest } = content;
  const extensions = encodeExtensions({ ...rest, others, subjectKeyId, authorityKeyId: signer.certificate?.subjectKeyId ?? subjectKeyId });
  const tbs = derSequence(
    der(0xa0, derInteger(2n)),
    derInteger(content.serial),
    signatureAlgorithms[algorithm],
    signer.certificate?.subjectDer ?? subject,
    derSequence(derTime(content.notBefore), derTime(content.notAfter)),
    subject,
    spki,
    der(0xa3, extensions),
  );
  const signature = sign(algorithm === "ed25519" ? null : "sha256", tbs, signer.privateKey);
  return encodeCertificatePem(certificateDer(derSequence(tbs, signatureAlgorithms[algorithm], derOctetBits(signature))));
}

/** Reads one certificate, DER or PEM, at most 64 KiB. Only strict DER of version 3 is taken. Throws `bad_parameter` with what is wrong. */
export function parseCertificate(input: string | Uint8Array): Certificate {
  const bytes = certificateDer(input);
  const file = new DerReader(bytes, "the certificate");
  const outer = file.enter(derTag.sequence);
  file.end();
  const tbsElement = outer.element();
  if (tbsElement.tag !== derTag.sequence) throw file.error("it does not begin with what is signed");
  const outerAlgorithm = outer.element().raw;
  const signature = outer.octetBits();
  outer.end();

  const tbs = outer.inside(tbsElement.content);
  const version = tbs.enter(0xa0);
  if (version.integer() !== 2n) throw file.error("it is not of version 3");
  version.end();
  const serial = tbs.integer();
  if (serial === 0n || serial >= maxSerial) throw file.error("a serial out of range");
  if (!tbs.element().raw.equals(outerAlgorithm)) throw file.error("two different signature algorithms");
  const issuerElement = tbs.element().raw;
  const validity = tbs.enter(derTag.sequence);
  const notBefore = validity.time();
  const notAfter = validity.time();
  validity.end();
  const subjectElement = tbs.element().raw;
  const spki = tbs.element().raw;
  const extensions = readExtensions(tbs.enter(0xa3));
  tbs.end();
  const algorithm = Object.entries(signatureAlgorithms).find(([, identifier]) => identifier.equals(outerAlgorithm))?.[0];
  return {
    ...extensions,
    der: bytes,
    tbs: tbsElement.raw,
    serial,
    issuer: readName(tbs.inside(issuerElement)),
    subject: readName(tbs.inside(subjectElement)),
    issuerDer: issuerElement,
    subjectDer: subjectElement,
    notBefore,
    notAfter,
    spki,
    signatureAlgorithm: algorithm as SignatureAlgorithm | undefined,
    signature,
  };
}

/** The subject's public key. Throws `bad_parameter` for one that is none. */
export function certificatePublicKey(certificate: Certificate): KeyObject {
  try {
    return createPublicKey({ key: certificate.spki, format: "der", type: "spki" });
  } catch (error) {
    throw new GatehouseError("bad_parameter", "the certificate's public key is not a valid key", { cause: error });
  }
}

/** Whether `issuerKey` made the certificate's signature; false for an algorithm that is not the key's own. */
export function verifyCertificateSignature(certificate: Certificate, issuerKey: KeyObject): boolean {
  const algorithm = certificate.signatureAlgorithm;
  if (algorithm === undefined || algorithmOfKey[issuerKey.asymmetricKeyType ?? ""] !== algorithm) return false;
  return verify(algorithm === "ed25519" ? null : "sha256", certificate.tbs, issuerKey, certificate.signature);
}

/**
 * `sha256:<hex>` of a certificate's SubjectPublicKeyInfo, the form of `--ca-pin` (reference §4.7). Reads no further than the key, so that any
 * issuer's certificate has a pin. Throws `bad_parameter` for what is no certificate.
 */
export function spkiPin(certificate: string | Uint8Array): string {
  const tbs = new DerReader(certificateDer(certificate), "the certificate").enter(derTag.sequence).enter(derTag.sequence);
  if (tbs.peek() === 0xa0) tbs.element();
  // Serial, signature algorithm, issuer, validity, subject.
  for (let field = 0; field < 5; field++) tbs.element();
  const spki = tbs.element();
  if (spki.tag !== derTag.sequence) throw tbs.error("it has no public key");
  return `sha256:${createHash("sha256").update(spki.raw).digest("hex")}`;
}
