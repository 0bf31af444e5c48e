import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { systemRandom } from "../base/index.ts";
import { signSshCertificate, sshForever, sshPublicKey, type SshCertificateFields } from "../formats/index.ts";

/** Kinds of keys that SSH certificates are made for. */
export const sshKeyKinds = ["ed25519", "nistp256", "nistp384", "nistp521", "rsa"] as const;
export type SshKeyKind = (typeof sshKeyKinds)[number];

/** A fresh private key. */
export function newSshKey(kind: SshKeyKind = "ed25519"): KeyObject {
  if (kind === "ed25519") return generateKeyPairSync("ed25519").privateKey;
  if (kind === "rsa") return generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  return generateKeyPairSync("ec", { namedCurve: kind.replace("nistp", "P-") }).privateKey;
}

/** The line of a certificate over `key` that is valid for ever, unless `fields` say otherwise. */
export function certifySshKey(authority: KeyObject, key: KeyObject, type: "user" | "host", principals: readonly string[], fields: Partial<SshCertificateFields> = {}): string {
  const publicKey = sshPublicKey(key);
  const all = { type, publicKey, serial: 1n, keyId: "test", principals, validAfter: 0n, validBefore: sshForever, criticalOptions: new Map(), extensions: new Map(), ...fields };
  return signSshCertificate(all, authority, systemRandom);
}
