import { createHash } from "node:crypto";
import { GatehouseError } from "../base/index.ts";
import { decodeBase64 } from "./bytes.ts";
import { sshKeyAlgorithm } from "./ssh-keys.ts";
import { sshVerify } from "./ssh-signature.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

const magic = "SSHSIG";
const maxText = 16 * 1024;
const what = "the SSH signature file";
const hashes: ReadonlySet<string> = new Set(["sha256", "sha512"]);

/**
 * Reads what `ssh-keygen -Y sign` writes (OpenSSH's PROTOCOL.sshsig) and checks it over `message`; returns the wire form of the key that signed. Whose key that is, is for the
 * caller to know. Throws `bad_parameter` for text of another form, `access_denied` for another namespace and for a signature that is not the key's over this message.
 */
export function verifySshSig(text: string, message: Uint8Array, namespace: string): Buffer {
  if (text.length > maxText) throw new GatehouseError("bad_parameter", `${what} is longer than ${maxText} characters`);
  const body = /^-----BEGIN SSH SIGNATURE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END SSH SIGNATURE-----\s*$/.exec(text)?.[1];
  if (body === undefined) throw new GatehouseError("bad_parameter", `${what} is not what ssh-keygen -Y sign writes`);
  const reader = new SshReader(decodeBase64(body.replace(/[\r\n]/g, ""), what), what);
  if (reader.bytes(magic.length).toString("latin1") !== magic) throw reader.error("it does not begin as one does");
  if (reader.uint32() !== 1) throw reader.error("its version is not 1");
  const key = reader.string();
  const signedFor = reader.text();
  const reserved = reader.string();
  const hash = reader.text();
  const signature = reader.string();
  reader.end();
  // Throws for a certificate in the place of a key, among others.
  sshKeyAlgorithm(key);
  if (reserved.length > 0) throw reader.error("its reserved field is in use");
  if (!hashes.has(hash)) throw reader.error(`its hash ${JSON.stringify(hash.slice(0, 40))} is not known`);
  if (signedFor !== namespace) throw new GatehouseError("access_denied", "the signature was made for something else: its namespace is another one");
  const signed = new SshWriter().raw(Buffer.from(magic)).string(namespace).string("").string(hash).string(createHash(hash).update(message).digest()).toBuffer();
  if (!sshVerify(key, signed, signature)) throw new GatehouseError("access_denied", "the signature is not that of its key over what had to be signed");
  return key;
}
