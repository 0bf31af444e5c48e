import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { GatehouseError, limits } from "../base/index.ts";
import { decodeBase64 } from "./bytes.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

/** Public key algorithms that are taken (RFC 8709, RFC 5656, RFC 4253). */
export type SshKeyAlgorithm = "ssh-ed25519" | "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521" | "ssh-rsa";

/** A line of `authorized_keys` without options. */
export interface AuthorizedKey {
  readonly type: SshKeyAlgorithm;
  /** The key in SSH's wire form. */
  readonly blob: Buffer;
  readonly comment: string;
}

/** One NIST curve as SSH, JWK and ECDSA see it; `size` is the bytes of a coordinate. */
export interface SshCurve {
  readonly sshName: string;
  readonly jwkName: string;
  readonly size: number;
  readonly hash: "sha256" | "sha384" | "sha512";
}

const curves: Readonly<Partial<Record<SshKeyAlgorithm, SshCurve>>> = {
  "ecdsa-sha2-nistp256": { sshName: "nistp256", jwkName: "P-256", size: 32, hash: "sha256" },
  "ecdsa-sha2-nistp384": { sshName: "nistp384", jwkName: "P-384", size: 48, hash: "sha384" },
  "ecdsa-sha2-nistp521": { sshName: "nistp521", jwkName: "P-521", size: 66, hash: "sha512" },
};
const algorithms: ReadonlySet<string> = new Set<SshKeyAlgorithm>(["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"]);
const minRsaBits = 2048;
const maxRsaBits = 8192;

/** Whether `name` is a plain public key algorithm that is taken (certificates are not). */
export function isSshKeyAlgorithm(name: string): name is SshKeyAlgorithm {
  return algorithms.has(name);
}

/** The curve of an ECDSA algorithm; undefined for the others. */
export function sshCurve(algorithm: SshKeyAlgorithm): SshCurve | undefined {
  return curves[algorithm];
}

/** The algorithm at the head of a key blob. Throws `bad_parameter` for one that is not taken. */
export function sshKeyAlgorithm(blob: Uint8Array): SshKeyAlgorithm {
  return knownAlgorithm(new SshReader(blob, "the SSH public key").text());
}

function knownAlgorithm(name: string): SshKeyAlgorithm {
  if (isSshKeyAlgorithm(name)) return name;
  throw new GatehouseError("bad_parameter", `SSH key type ${JSON.stringify(name.slice(0, 64))} is not supported`, {
    hint: "use an Ed25519, ECDSA or RSA key",
  });
}

function fromJwk(key: JsonWebKey, what: string): KeyObject {
  try {
    return createPublicKey({ key, format: "jwk" });
  } catch (error) {
    throw new GatehouseError("bad_parameter", `${what} is not a valid key`, { cause: error });
  }
}

function bitLength(magnitude: Buffer): number {
  const [first = 0] = magnitude;
  return magnitude.length * 8 - (Math.clz32(first) - 24);
}

function readRsa(reader: SshReader): KeyObject {
  const e = reader.mpint();
  const n = reader.mpint();
  const bits = bitLength(n);
  if (bits < minRsaBits || bits > maxRsaBits) {
    throw new GatehouseError("bad_parameter", `an RSA key of ${bits} bits is not accepted`, { hint: `use ${minRsaBits} to ${maxRsaBits} bits` });
  }
  const odd = ((e.at(-1) ?? 0) & (n.at(-1) ?? 0) & 1) === 1;
  if (e.length > 8 || bitLength(e) < 2 || !odd) throw reader.error("its RSA numbers cannot be a key");
  return fromJwk({ kty: "RSA", e: e.toString("base64url"), n: n.toString("base64url") }, "the SSH public key");
}

/** Reads the fields that follow the algorithm name, in a key or in a certificate. Throws `bad_parameter`. */
export function readSshKeyFields(algorithm: SshKeyAlgorithm, reader: SshReader): KeyObject {
  if (algorithm === "ssh-rsa") return readRsa(reader);
  const curve = sshCurve(algorithm);
  if (!curve) {
    const x = reader.string();
    if (x.length !== 32) throw reader.error("an Ed25519 key has 32 bytes");
    return fromJwk({ kty: "OKP", crv: "Ed25519", x: x.toString("base64url") }, "the SSH public key");
  }
  if (reader.text() !== curve.sshName) throw reader.error("its curve does not belong to its type");
  const point = reader.string();
  if (point.length !== 1 + 2 * curve.size || point[0] !== 4) throw reader.error("its point is not an uncompressed one of its curve");
  const x = point.subarray(1, 1 + curve.size).toString("base64url");
  const y = point.subarray(1 + curve.size).toString("base64url");
  return fromJwk({ kty: "EC", crv: curve.jwkName, x, y }, "the SSH public key");
}

/** Keys of the blobs that were read last: an authority's is asked for with every certificate. */
const read = new Map<string, KeyObject>();
const maxRead = 256;

/** Key of a blob in SSH's wire form. Throws `bad_parameter`: malformed, of a type not taken, or RSA under 2048 bits. */
export function publicKeyFromSsh(blob: Uint8Array): KeyObject {
  if (blob.length > limits.publicKey) throw new GatehouseError("bad_parameter", "the SSH public key is too long");
  const name = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength).toString("latin1");
  const known = read.get(name);
  if (known) return known;
  const reader = new SshReader(blob, "the SSH public key");
  const key = readSshKeyFields(knownAlgorithm(reader.text()), reader);
  reader.end();
  if (read.size === maxRead) read.clear();
  read.set(name, key);
  return key;
}

/** One base64url number of a JWK as bytes. */
export function jwkBytes(value: string | undefined): Buffer {
  return Buffer.from(value ?? "", "base64url");
}

const written = new WeakMap<KeyObject, Buffer>();

/** Wire form (RFC 4253 §6.6) of a key's public half, the same buffer each time. Throws `bad_parameter` for a kind of key that SSH certificates do not take. */
export function sshPublicKey(key: KeyObject): Buffer {
  const known = written.get(key);
  if (known) return known;
  const blob = writePublicKey(key);
  written.set(key, blob);
  return blob;
}

function writePublicKey(key: KeyObject): Buffer {
  const jwk = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  const writer = new SshWriter();
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") {
    writer.string("ssh-ed25519").string(jwkBytes(jwk.x));
  } else if (jwk.kty === "RSA" && key.asymmetricKeyType === "rsa") {
    writer.string("ssh-rsa").mpint(jwkBytes(jwk.e)).mpint(jwkBytes(jwk.n));
  } else {
    const [algorithm, curve] = Object.entries(curves).find(([, each]) => jwk.kty === "EC" && each.jwkName === jwk.crv) ?? [];
    if (algorithm === undefined || !curve) throw new GatehouseError("bad_parameter", `a ${String(key.asymmetricKeyType)} key cannot be used with SSH`);
    writer.string(algorithm).string(curve.sshName).string(Buffer.concat([Buffer.of(4), jwkBytes(jwk.x), jwkBytes(jwk.y)]));
  }
  const blob = writer.toBuffer();
  publicKeyFromSsh(blob);
  return blob;
}

/** The three parts of a key or certificate line. Throws `bad_parameter`: options, several lines, bad base64, longer than `maxLength` characters. */
export function splitSshLine(line: string, what: string, maxLength: number): { readonly type: string; readonly blob: Buffer; readonly comment: string } {
  if (line.length > maxLength) throw new GatehouseError("bad_parameter", `${what} is longer than ${maxLength} characters`);
  const match = /^[ \t]*([a-z0-9@.-]+)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+([^\r\n\0]*))?\r?\n?$/.exec(line);
  if (!match) {
    throw new GatehouseError("bad_parameter", `${what} is not one line of the form "type base64 comment"`, { hint: "give the content of a .pub file" });
  }
  const [, type = "", base64 = "", comment = ""] = match;
  return { type, blob: decodeBase64(base64, what), comment: comment.trimEnd() };
}

/** Reads one line of a `.pub` file. Throws `bad_parameter` for anything but one sound key of a type that is taken. */
export function parseAuthorizedKey(line: string): AuthorizedKey {
  const { type, blob, comment } = splitSshLine(line, "the SSH public key", limits.publicKey);
  const algorithm = knownAlgorithm(type);
  publicKeyFromSsh(blob);
  if (sshKeyAlgorithm(blob) !== algorithm) throw new GatehouseError("bad_parameter", "the SSH public key is of another type than its line says");
  return { type: algorithm, blob, comment };
}

/** The `authorized_keys` line of a blob, without newline. */
export function formatAuthorizedKey(blob: Uint8Array, comment = ""): string {
  const type = new SshReader(blob, "the SSH public key").text();
  return `${type} ${Buffer.from(blob).toString("base64")}${comment === "" ? "" : ` ${comment}`}`;
}

/** `SHA256:…` of a blob, as `ssh-keygen -l` prints it. */
export function sshFingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replaceAll("=", "")}`;
}
