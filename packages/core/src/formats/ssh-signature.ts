import { sign, verify, type KeyObject } from "node:crypto";
import { publicKeyFromSsh, sshCurve, sshKeyAlgorithm, sshPublicKey, type SshCurve } from "./ssh-keys.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

// A map, since the name comes from outside and an object would find `toString`.
const rsaHashes: ReadonlyMap<string, string> = new Map([["rsa-sha2-256", "sha256"], ["rsa-sha2-512", "sha512"]]);

/** Signature blob over `data` (RFC 8709 §6, RFC 5656 §3.1.2, RFC 8332 §3). `rsaHash`: what RSA keys sign with. */
export function sshSign(privateKey: KeyObject, data: Uint8Array, rsaHash: "sha256" | "sha512" = "sha512"): Buffer {
  const algorithm = sshKeyAlgorithm(sshPublicKey(privateKey));
  if (algorithm === "ssh-rsa") return new SshWriter().string(`rsa-sha2-${rsaHash.slice(3)}`).string(sign(rsaHash, data, privateKey)).toBuffer();
  const curve = sshCurve(algorithm);
  if (!curve) return new SshWriter().string(algorithm).string(sign(null, data, privateKey)).toBuffer();
  const pair = sign(curve.hash, data, { key: privateKey, dsaEncoding: "ieee-p1363" });
  const numbers = new SshWriter().mpint(pair.subarray(0, curve.size)).mpint(pair.subarray(curve.size)).toBuffer();
  return new SshWriter().string(algorithm).string(numbers).toBuffer();
}

function readEcdsaPair(signature: Buffer, curve: SshCurve): Buffer {
  const reader = new SshReader(signature, "the SSH signature");
  const pair = Buffer.alloc(2 * curve.size);
  for (const end of [curve.size, 2 * curve.size]) {
    const number = reader.mpint();
    if (number.length > curve.size) throw reader.error("its number is too large");
    number.copy(pair, end - number.length);
  }
  reader.end();
  return pair;
}

/**
 * Whether `signature` is the key's over `data`. False for another algorithm than the key's own; RSA is taken with SHA-2 alone.
 * Throws `bad_parameter` for a signature blob that is not in its canonical form.
 */
export function sshVerify(keyBlob: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  const keyAlgorithm = sshKeyAlgorithm(keyBlob);
  const key = publicKeyFromSsh(keyBlob);
  const reader = new SshReader(signature, "the SSH signature");
  const algorithm = reader.text();
  const bytes = reader.string();
  reader.end();
  if (keyAlgorithm === "ssh-rsa") {
    const hash = rsaHashes.get(algorithm);
    return hash !== undefined && bytes.length === Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8) && verify(hash, data, key, bytes);
  }
  if (algorithm !== keyAlgorithm) return false;
  const curve = sshCurve(keyAlgorithm);
  if (!curve) return bytes.length === 64 && verify(null, data, key, bytes);
  return verify(curve.hash, data, { key, dsaEncoding: "ieee-p1363" }, readEcdsaPair(bytes, curve));
}
