import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import { ml_kem768 as mlKem } from "@noble/post-quantum/ml-kem.js";
import type { KeyExchangeMethod } from "ssh2/lib/protocol/kex.js";
import { GatehouseError } from "../base/index.ts";

const curveLength = 32;
/** ML-KEM-768's, FIPS 203 §8, bytes. */
const kemLengths = { encapsulationKey: 1184, ciphertext: 1088 } as const;
/** What comes before an X25519 key in its SubjectPublicKeyInfo (RFC 8410). */
const curveKeyHead = Buffer.from("302a300506032b656e032100", "hex");

function publicBytes(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" }).subarray(curveKeyHead.length);
}

/** Halves of the peer's message: what is ML-KEM's, and an X25519 key. */
function split(bytes: Buffer, kemLength: number, what: string): { readonly kem: Buffer; readonly curve: Buffer } {
  const length = kemLength + curveLength;
  if (bytes.length !== length) throw new GatehouseError("bad_parameter", `${what} has ${bytes.length} bytes, not ${length}`);
  return { kem: bytes.subarray(0, kemLength), curve: bytes.subarray(kemLength) };
}

/** X25519's secret. OpenSSL refuses the one that is all zeros. */
function agree(privateKey: KeyObject, peer: Buffer, what: string): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey: createPublicKey({ key: Buffer.concat([curveKeyHead, peer]), type: "spki", format: "der" }) });
  } catch (error) {
    throw new GatehouseError("bad_parameter", `${what} has an X25519 key that leads to no secret`, { cause: error });
  }
}

function combine(kem: Uint8Array, curve: Uint8Array): Buffer {
  const secret = createHash("sha256").update(kem).update(curve).digest();
  kem.fill(0);
  curve.fill(0);
  return secret;
}

function encapsulate(key: Buffer, what: string): ReturnType<typeof mlKem.encapsulate> {
  try {
    return mlKem.encapsulate(key);
  } catch (error) {
    throw new GatehouseError("bad_parameter", `${what} has an ML-KEM key that is none`, { cause: error });
  }
}

function begin(): ReturnType<KeyExchangeMethod["begin"]> {
  const kem = mlKem.keygen();
  const curve = generateKeyPairSync("x25519");
  return {
    init: Buffer.concat([kem.publicKey, publicBytes(curve.publicKey)]),
    finish: (reply) => {
      const what = "the SSH server's key exchange";
      const theirs = split(reply, kemLengths.ciphertext, what);
      const curveSecret = agree(curve.privateKey, theirs.curve, what);
      const kemSecret = mlKem.decapsulate(theirs.kem, kem.secretKey);
      kem.secretKey.fill(0);
      return combine(kemSecret, curveSecret);
    },
  };
}

function respond(init: Buffer): ReturnType<KeyExchangeMethod["respond"]> {
  const what = "the SSH client's key exchange";
  const theirs = split(init, kemLengths.encapsulationKey, what);
  const curve = generateKeyPairSync("x25519");
  const curveSecret = agree(curve.privateKey, theirs.curve, what);
  const { cipherText, sharedSecret } = encapsulate(theirs.kem, what);
  return { reply: Buffer.concat([cipherText, publicBytes(curve.publicKey)]), secret: combine(sharedSecret, curveSecret) };
}

/**
 * `mlkem768x25519-sha256` (draft-ietf-sshm-mlkem-hybrid-kex): ML-KEM-768 (FIPS 203) beside X25519 (RFC 7748), K being the hash of both secrets. Its
 * functions throw `bad_parameter`: another length, a key whose numbers are not modulo q, an X25519 key of small order. A ciphertext that is not for the
 * key leads to another secret, as FIPS 203 wants it.
 */
export const mlkem768x25519: KeyExchangeMethod = { hashName: "sha256", begin, respond };
