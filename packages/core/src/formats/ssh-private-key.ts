import type { KeyObject } from "node:crypto";
import { GatehouseError, systemRandom, type Random } from "../base/index.ts";
import { jwkBytes, sshKeyAlgorithm, sshPublicKey } from "./ssh-keys.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

const blockSize = 8;

function privateFields(key: KeyObject, blob: Buffer): Buffer {
  const jwk = key.export({ format: "jwk" });
  const writer = new SshWriter().string(sshKeyAlgorithm(blob));
  if (jwk.kty === "RSA") {
    return writer.mpint(jwkBytes(jwk.n)).mpint(jwkBytes(jwk.e)).mpint(jwkBytes(jwk.d)).mpint(jwkBytes(jwk.qi)).mpint(jwkBytes(jwk.p)).mpint(jwkBytes(jwk.q)).toBuffer();
  }
  const reader = new SshReader(blob, "the SSH public key");
  reader.string();
  if (jwk.kty === "OKP") {
    const publicPart = reader.string();
    return writer.string(publicPart).string(Buffer.concat([jwkBytes(jwk.d), publicPart])).toBuffer();
  }
  return writer.string(reader.string()).string(reader.string()).mpint(jwkBytes(jwk.d)).toBuffer();
}

/**
 * A private key as an unencrypted `-----BEGIN OPENSSH PRIVATE KEY-----` file (OpenSSH's PROTOCOL.key), newline-terminated.
 * Throws `bad_parameter` for a public key or a kind of key that SSH does not take.
 */
export function encodeOpenSshPrivateKey(key: KeyObject, comment = "", random: Random = systemRandom): string {
  if (key.type !== "private") throw new GatehouseError("bad_parameter", "only a private key can be written as an OpenSSH private key");
  const blob = sshPublicKey(key);
  const check = random(4);
  const secret = new SshWriter().raw(check).raw(check).raw(privateFields(key, blob)).string(comment).toBuffer();
  const padding = Buffer.from(Array.from({ length: (blockSize - (secret.length % blockSize)) % blockSize }, (_, index) => index + 1));
  const file = new SshWriter()
    .raw(Buffer.from("openssh-key-v1\0", "latin1"))
    .string("none")
    .string("none")
    .string("")
    .uint32(1)
    .string(blob)
    .string(Buffer.concat([secret, padding]))
    .toBuffer();
  const body = file.toString("base64").replace(/.{1,70}/g, "$&\n");
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}-----END OPENSSH PRIVATE KEY-----\n`;
}
