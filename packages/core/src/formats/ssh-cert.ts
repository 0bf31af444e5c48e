import type { KeyObject } from "node:crypto";
import { GatehouseError, type Random } from "../base/index.ts";
import { asBuffer, decodeUtf8, isPlainText } from "./bytes.ts";
import { formatAuthorizedKey, isSshKeyAlgorithm, publicKeyFromSsh, readSshKeyFields, splitSshLine, sshKeyAlgorithm, sshPublicKey } from "./ssh-keys.ts";
import { sshSign } from "./ssh-signature.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

/** `validBefore` of a certificate that never ends. */
export const sshForever = 2n ** 64n - 1n;

const suffix = "-cert-v01@openssh.com";
const typeNumbers = { user: 1, host: 2 } as const;
const maxCertificate = 64 * 1024;
const maxPrincipals = 256;
const maxOptions = 256;
const nonceLength = 32;

/** What an OpenSSH certificate says (OpenSSH's PROTOCOL.certkeys). */
export interface SshCertificateFields {
  readonly type: "user" | "host";
  /** Subject's key in SSH's wire form. */
  readonly publicKey: Uint8Array;
  /** 64 bits. */
  readonly serial: bigint;
  readonly keyId: string;
  /** Login names or host names; at least one. */
  readonly principals: readonly string[];
  /** First second of validity, since the Unix epoch. */
  readonly validAfter: bigint;
  /** First second after validity; {@link sshForever} for none. */
  readonly validBefore: bigint;
  /** By name; an empty value is a flag. */
  readonly criticalOptions: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
}

/** A certificate that was read. Nothing in it may be believed before `verifySshCertificate`. */
export interface SshCertificate extends SshCertificateFields {
  /** The whole certificate in wire form. */
  readonly blob: Buffer;
  /** What the signature covers. */
  readonly signed: Buffer;
  /** Wire form of the key that is said to have signed: always a plain key. */
  readonly signatureKey: Buffer;
  readonly signature: Buffer;
}

function writeOptions(options: ReadonlyMap<string, string>): Buffer {
  const writer = new SshWriter();
  const entries = [...options].map(([name, value]) => ({ name: Buffer.from(name), value }));
  for (const { name, value } of entries.sort((a, b) => a.name.compare(b.name))) {
    writer.string(name).string(value === "" ? "" : new SshWriter().string(value).toBuffer());
  }
  return writer.toBuffer();
}

function readOptions(bytes: Buffer, what: string): ReadonlyMap<string, string> {
  const reader = new SshReader(bytes, what);
  const options = new Map<string, string>();
  let previous: Buffer | undefined;
  while (reader.remaining > 0) {
    const name = reader.string();
    if (name.length === 0) throw reader.error("an option without a name");
    const order = previous ? previous.compare(name) : -1;
    if (order === 0) throw reader.error("an option given twice");
    if (order > 0) throw reader.error("options out of order");
    if (options.size === maxOptions) throw reader.error(`more than ${maxOptions} options`);
    const data = reader.string();
    let value = "";
    if (data.length > 0) {
      const inner = new SshReader(data, what);
      value = inner.text();
      if (value === "") throw inner.error("an empty value not written as one");
      inner.end();
    }
    options.set(decodeUtf8(name, what), value);
    previous = name;
  }
  return options;
}

function readPrincipals(bytes: Buffer): readonly string[] {
  const reader = new SshReader(bytes, "the SSH certificate");
  const principals: string[] = [];
  while (reader.remaining > 0) {
    if (principals.length === maxPrincipals) throw reader.error(`more than ${maxPrincipals} principals`);
    const principal = reader.text();
    if (principal === "") throw reader.error("an empty principal");
    principals.push(principal);
  }
  return principals;
}

function checkFields(fields: SshCertificateFields): void {
  const refuse = (problem: string): never => {
    throw new GatehouseError("bad_parameter", `cannot sign an SSH certificate: ${problem}`);
  };
  const names = [...fields.criticalOptions.keys(), ...fields.extensions.keys()];
  const texts = [fields.keyId, ...fields.principals, ...names, ...fields.criticalOptions.values(), ...fields.extensions.values()];
  if (fields.principals.length === 0) refuse("it names no principal, which some servers read as every principal");
  if (fields.principals.length > maxPrincipals) refuse(`more than ${maxPrincipals} principals`);
  if (new Set(fields.principals).size !== fields.principals.length) refuse("a principal is given twice");
  if (fields.principals.includes("") || names.includes("")) refuse("an empty name");
  if (fields.criticalOptions.size > maxOptions || fields.extensions.size > maxOptions) refuse(`more than ${maxOptions} options`);
  if (!texts.every(isPlainText)) refuse("a text with NUL or a lone surrogate");
  if (fields.serial < 0n || fields.serial > sshForever) refuse("its serial has more than 64 bits");
  if (fields.validAfter < 0n || fields.validBefore > sshForever || fields.validAfter >= fields.validBefore) refuse("its validity ends before it begins");
}

/**
 * Signs a certificate; returns its line, newline-terminated. Ed25519 and ECDSA authorities sign with their own algorithm, RSA ones with
 * rsa-sha2-512. Throws `bad_parameter` for fields that no sound certificate has: no principal, doubled names, more than 64 KiB.
 */
export function signSshCertificate(fields: SshCertificateFields, authority: KeyObject, random: Random): string {
  checkFields(fields);
  publicKeyFromSsh(fields.publicKey);
  const subject = new SshReader(fields.publicKey, "the SSH public key");
  const algorithm = subject.text();
  const principals = new SshWriter();
  for (const principal of fields.principals) principals.string(principal);
  const signed = new SshWriter()
    .string(algorithm + suffix)
    .string(random(nonceLength))
    .raw(subject.bytes(subject.remaining))
    .uint64(fields.serial)
    .uint32(typeNumbers[fields.type])
    .string(fields.keyId)
    .string(principals.toBuffer())
    .uint64(fields.validAfter)
    .uint64(fields.validBefore)
    .string(writeOptions(fields.criticalOptions))
    .string(writeOptions(fields.extensions))
    .string("")
    .string(sshPublicKey(authority))
    .toBuffer();
  const blob = new SshWriter().raw(signed).string(sshSign(authority, signed)).toBuffer();
  if (blob.length > maxCertificate) throw new GatehouseError("bad_parameter", `cannot sign an SSH certificate: it would be larger than ${maxCertificate} bytes`);
  return `${formatAuthorizedKey(blob)}\n`;
}

function certificateBlob(input: string | Uint8Array): Buffer {
  if (typeof input !== "string") return asBuffer(input);
  const { type, blob } = splitSshLine(input, "the SSH certificate", 2 * maxCertificate);
  if (new SshReader(blob, "the SSH certificate").text() !== type) {
    throw new GatehouseError("bad_parameter", "the SSH certificate is of another type than its line says");
  }
  return blob;
}

/**
 * Reads a certificate from its line or wire form, at most 64 KiB. Only the canonical encoding is taken. The signature is not checked here.
 * Throws `bad_parameter`, with what is wrong.
 */
export function parseSshCertificate(input: string | Uint8Array): SshCertificate {
  const blob = certificateBlob(input);
  const reader = new SshReader(blob, "the SSH certificate");
  if (blob.length > maxCertificate) throw reader.error(`larger than ${maxCertificate} bytes`);
  const name = reader.text();
  const algorithm = name.slice(0, -suffix.length);
  if (!name.endsWith(suffix) || !isSshKeyAlgorithm(algorithm)) throw reader.error(`${JSON.stringify(name.slice(0, 64))} is not a supported certificate type`);
  const nonce = reader.string();
  if (nonce.length < 16 || nonce.length > 64) throw reader.error("its nonce has a strange length");
  const keyStart = reader.offset;
  readSshKeyFields(algorithm, reader);
  const publicKey = new SshWriter().string(algorithm).raw(blob.subarray(keyStart, reader.offset)).toBuffer();
  const serial = reader.uint64();
  const number = reader.uint32();
  if (number !== typeNumbers.user && number !== typeNumbers.host) throw reader.error("it is neither a user's nor a host's");
  const keyId = reader.text();
  const principals = readPrincipals(reader.string());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.string(), "the SSH certificate's critical options");
  const extensions = readOptions(reader.string(), "the SSH certificate's extensions");
  if (reader.string().length > 0) throw reader.error("its reserved field is in use");
  const signatureKey = reader.string();
  const signed = blob.subarray(0, reader.offset);
  const signature = reader.string();
  reader.end();
  // Refuses a certificate in the place of the signing key, which PROTOCOL.certkeys forbids.
  sshKeyAlgorithm(signatureKey);
  const type = number === typeNumbers.user ? "user" : "host";
  return { type, publicKey, serial, keyId, principals, validAfter, validBefore, criticalOptions, extensions, blob, signed, signatureKey, signature };
}
