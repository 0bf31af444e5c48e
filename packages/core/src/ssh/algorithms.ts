import kex, { type KexInit, type KeyExchangeMethod } from "ssh2/lib/protocol/kex.js";
import { GatehouseError } from "../base/index.ts";
import { mlkem768x25519 } from "./mlkem-x25519.ts";

const certificateSuffix = "-cert-v01@openssh.com";
/** Key exchanges that ssh2 does not have itself, for its `keyExchanges`: those that hold against a quantum computer. */
export const keyExchanges: Readonly<Record<string, KeyExchangeMethod>> = { "mlkem768x25519-sha256": mlkem768x25519 };

// No finite-field groups on the server: a client pays nothing for making it compute one (DHEat, CVE-2002-20001).
const serverKex = [...Object.keys(keyExchanges), "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"];
const clientKex = [...serverKex, "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512"];
// AES-GCM is what this machine does fastest; ChaCha20 would be Poly1305 in WebAssembly, and stock clients would prefer it.
const side = {
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes192-ctr", "aes128-ctr"],
  mac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"],
  compress: ["none"],
  lang: [],
};
/** Signature algorithms of keys, in order of preference: no SHA-1, no DSA. */
const signatureAlgorithms = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256"];

/** Signature algorithms that user authentication takes, for `server-sig-algs` (RFC 8308). */
export const serverSignatureAlgorithms: readonly string[] = signatureAlgorithms;

/** The algorithm of the certificate over a key of this algorithm. */
export function certificateAlgorithm(algorithm: string): string {
  return algorithm + certificateSuffix;
}

/** The key's algorithm behind a certificate's; undefined for what is no certificate algorithm. */
export function plainAlgorithm(algorithm: string): string | undefined {
  return algorithm.endsWith(certificateSuffix) ? algorithm.slice(0, -certificateSuffix.length) : undefined;
}

/** Type that a key's blob names for a signature algorithm: RSA keys have one for all. */
export function keyTypeOf(signatureAlgorithm: string): string {
  return signatureAlgorithm.startsWith("rsa-sha2-") ? "ssh-rsa" : signatureAlgorithm;
}

/** Signature algorithms of a key type. */
export function signaturesOf(keyType: string): readonly string[] {
  return signatureAlgorithms.filter((algorithm) => keyTypeOf(algorithm) === keyType);
}

function offer(kexNames: readonly string[], serverHostKey: readonly string[], both = side): KexInit {
  return new kex.KexInit({ kex: kexNames, serverHostKey, cs: both, sc: both });
}

/** Whether a cipher is AES-GCM. */
export function isGcm(cipher: string): boolean {
  return cipher.endsWith("-gcm@openssh.com");
}

/** What a server with these host key algorithms offers: to everybody, and to a client that is known to take AES-GCM but may like others better. */
export function serverOffers(hostKeyAlgorithms: readonly string[]): { readonly any: KexInit; readonly gcm: KexInit } {
  const names = [...serverKex, "kex-strict-s-v00@openssh.com"];
  return { any: offer(names, hostKeyAlgorithms), gcm: offer(names, hostKeyAlgorithms, { ...side, cipher: side.cipher.filter(isGcm) }) };
}

const certificates = signatureAlgorithms.map(certificateAlgorithm);
const client = [...clientKex, "ext-info-c", "kex-strict-c-v00@openssh.com"];
/** What a client offers, by what it takes as a host key. */
export const clientOffers = { certificate: offer(client, certificates), any: offer(client, [...certificates, ...signatureAlgorithms]) } as const;

/**
 * Refuses what Terrapin (CVE-2023-48795) can cut: an encrypt-then-MAC cipher without the strict key exchange. Throws `bad_parameter`.
 */
export function checkTerrapin(strictKex: boolean, ciphers: readonly string[]): void {
  if (strictKex || ciphers.every(isGcm)) return;
  throw new GatehouseError("bad_parameter", "the SSH peer offers neither the strict key exchange nor AES-GCM", { hint: "use a newer SSH implementation" });
}
