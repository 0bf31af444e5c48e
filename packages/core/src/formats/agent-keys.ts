import { createPrivateKey, type KeyObject } from "node:crypto";
import { GatehouseError } from "../base/index.ts";
import { readAgentConstraints, type AgentConstraints } from "./agent-constraints.ts";
import { agentLimits } from "./agent-protocol.ts";
import { der, derInteger, derOctetBits, derOid, derSequence } from "./der-write.ts";
import { derTag } from "./der.ts";
import { parseSshCertificate } from "./ssh-cert.ts";
import { isSshKeyAlgorithm, publicKeyFromSsh, sshCurve, type SshKeyAlgorithm } from "./ssh-keys.ts";
import { sshSign, sshVerify } from "./ssh-signature.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

const what = "the key for the SSH agent";
const certificateSuffix = "-cert-v01@openssh.com";
const curveOids = { nistp256: "1.2.840.10045.3.1.7", nistp384: "1.3.132.0.34", nistp521: "1.3.132.0.35" } as const;
const explicit = (number: number): number => 0xa0 + number;

/** A private key that was brought to an agent. */
export interface AgentKey {
  readonly privateKey: KeyObject;
  /** What it is listed by, in wire form: its certificate, or its public key where it came without one. */
  readonly blob: Buffer;
}

/** Buffers that a private key passed through. */
class Traces {
  readonly #made: Buffer[] = [];

  keep(bytes: Buffer): Buffer {
    this.#made.push(bytes);
    return bytes;
  }

  wipe(): void {
    for (const bytes of this.#made) bytes.fill(0);
  }
}

/** The number as bytes of this length. */
function padded(magnitude: Buffer, length: number, reader: SshReader): Buffer {
  if (magnitude.length > length) throw reader.error("its private number is too large");
  const bytes = Buffer.alloc(length);
  magnitude.copy(bytes, length - magnitude.length);
  return bytes;
}

const asNumber = (magnitude: Buffer): bigint => (magnitude.length === 0 ? 0n : BigInt(`0x${magnitude.toString("hex")}`));

/** PKCS#1 (RFC 8017 §A.1.2) from the numbers that SSH carries: two of CRT's are computed here, and numbers cannot be overwritten. */
function rsaDer(publicNumbers: readonly [n: Buffer, e: Buffer], reader: SshReader, traces: Traces): Buffer {
  const size = publicNumbers[0].length;
  const [d, inverse, p, q] = [1, 2, 3, 4].map(() => {
    const magnitude = reader.mpint();
    if (magnitude.length > size) throw reader.error("its private number is too large");
    return asNumber(magnitude);
  }) as [bigint, bigint, bigint, bigint];
  if (p < 3n || q < 3n) throw reader.error("its RSA numbers cannot be a key");
  const [n, e] = publicNumbers.map(asNumber) as [bigint, bigint];
  const numbers = [0n, n, e, d, p, q, d % (p - 1n), d % (q - 1n), inverse].map((number) => traces.keep(derInteger(number)));
  return derSequence(...numbers);
}

/** The private half as OpenSSL reads it; `publicFields` are those of the public key, its algorithm left out. */
function readPrivate(algorithm: SshKeyAlgorithm, publicFields: SshReader, hasPublic: boolean, reader: SshReader, traces: Traces): KeyObject {
  if (algorithm === "ssh-rsa") {
    const e = publicFields.mpint();
    const key = traces.keep(rsaDer([publicFields.mpint(), e], reader, traces));
    return createPrivateKey({ key, format: "der", type: "pkcs1" });
  }
  const curve = sshCurve(algorithm);
  if (!curve) {
    const point = publicFields.string();
    if (!hasPublic && !reader.string().equals(point)) throw reader.error("its public key is not its certificate's");
    const secret = reader.string();
    if (secret.length !== 64 || !secret.subarray(32).equals(point)) throw reader.error("an Ed25519 key has 32 bytes, and its public key behind them");
    const seed = traces.keep(der(derTag.octetString, traces.keep(der(derTag.octetString, secret.subarray(0, 32)))));
    const key = traces.keep(derSequence(derInteger(0n), derSequence(derOid("1.3.101.112")), seed));
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  }
  publicFields.string();
  const point = publicFields.string();
  const number = traces.keep(padded(reader.mpint(), curve.size, reader));
  const oid = derOid(curveOids[curve.sshName as keyof typeof curveOids]);
  // RFC 5915.
  const key = traces.keep(derSequence(derInteger(1n), traces.keep(der(derTag.octetString, number)), der(explicit(0), oid), der(explicit(1), derOctetBits(point))));
  return createPrivateKey({ key, format: "der", type: "sec1" });
}

/** The public key in wire form, out of the fields of a private one. */
function readPublic(algorithm: SshKeyAlgorithm, reader: SshReader): Buffer {
  const writer = new SshWriter().string(algorithm);
  if (algorithm === "ssh-rsa") {
    const n = reader.mpint();
    return writer.mpint(reader.mpint()).mpint(n).toBuffer();
  }
  writer.string(reader.string());
  if (sshCurve(algorithm)) writer.string(reader.string());
  return writer.toBuffer();
}

/**
 * Reads a key as `ssh-add` sends it (RFC 9987 §4.2, and certificates as OpenSSH's `sshkey_private_serialize` writes them). What of it can be overwritten is, but for the bytes that it
 * was read from. Throws `bad_parameter` for a kind of key that is not taken, a private half that is not that of the public one, a certificate whose signature is wrong.
 */
function readAgentKey(reader: SshReader): AgentKey {
  const type = reader.text();
  const isCertificate = type.endsWith(certificateSuffix);
  const algorithm = isCertificate ? type.slice(0, -certificateSuffix.length) : type;
  if (!isSshKeyAlgorithm(algorithm)) throw reader.error(`${JSON.stringify(type.slice(0, 64))} is not a kind of key that is taken`);
  const certificate = isCertificate ? parseSshCertificate(Buffer.from(reader.string())) : undefined;
  if (certificate && !sshVerify(certificate.signatureKey, certificate.signed, certificate.signature)) throw reader.error("its certificate's signature is wrong");
  const publicKey = Buffer.from(certificate ? certificate.publicKey : readPublic(algorithm, reader));
  publicKeyFromSsh(publicKey);
  const publicFields = new SshReader(publicKey, what);
  if (publicFields.text() !== algorithm) throw reader.error("its certificate is for another kind of key");
  const traces = new Traces();
  try {
    const privateKey = readPrivate(algorithm, publicFields, !isCertificate, reader, traces);
    const probe = Buffer.from("gatehouse");
    if (!sshVerify(publicKey, probe, sshSign(privateKey, probe))) throw reader.error("its private half is not that of its public one");
    return { privateKey, blob: certificate?.blob ?? publicKey };
  } catch (error) {
    // OpenSSL's own words may be about the numbers.
    throw error instanceof GatehouseError ? error : reader.error("its private half is no key");
  } finally {
    traces.wipe();
  }
}

/** A key that a client brings, and what it may be used for. */
export interface AddedKey extends AgentKey, AgentConstraints {
  readonly comment: string;
}

/** Reads the contents of a request of type `add`. Throws `bad_parameter`, as {@link readAgentKey} and {@link readAgentConstraints} do. */
export function parseAddedKey(contents: Buffer): AddedKey {
  const reader = new SshReader(contents, what);
  const key = readAgentKey(reader);
  const comment = reader.string().subarray(0, agentLimits.comment).toString("utf8");
  return { ...key, comment, ...readAgentConstraints(reader) };
}
