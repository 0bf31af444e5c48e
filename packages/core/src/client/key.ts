import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { formatAuthorizedKey, sshPublicKey } from "../formats/index.ts";

/** A key pair that was just made here, for certificates over its public half. */
export interface NewKey {
  readonly privateKey: KeyObject;
  /** PKCS #8, PEM. */
  readonly pem: string;
  /** `authorized_keys` line. */
  readonly line: string;
}

const generate = promisify(generateKeyPair);

/** Makes the one key of a login: ECDSA P-256, for SSH and X.509 alike. */
export async function newKey(): Promise<NewKey> {
  const { privateKey } = await generate("ec", { namedCurve: "P-256", privateKeyEncoding: { type: "pkcs8", format: "pem" }, publicKeyEncoding: { type: "spki", format: "pem" } });
  const key = createPrivateKey(privateKey);
  return { privateKey: key, pem: privateKey, line: formatAuthorizedKey(sshPublicKey(createPublicKey(key))) };
}
