import { sign } from "node:crypto";
import type { ProtocolHostKey } from "ssh2/lib/protocol/Protocol.js";
import { GatehouseError } from "../base/index.ts";
import { parseSshCertificate, sshPublicKey, SshReader } from "../formats/index.ts";
import { certificateAlgorithm, serverOffers, signaturesOf } from "./algorithms.ts";
import type { HostKey } from "./types.ts";

/** Host keys as the protocol wants them, and what a server offers with them. */
export interface PreparedHostKeys {
  readonly keys: Readonly<Record<string, ProtocolHostKey>>;
  readonly offers: ReturnType<typeof serverOffers>;
}

const hashes: Readonly<Record<string, string>> = { "ecdsa-sha2-nistp256": "sha256", "ecdsa-sha2-nistp384": "sha384", "ecdsa-sha2-nistp521": "sha512" };
const prepared = new WeakMap<readonly HostKey[], PreparedHostKeys>();

function protocolKey({ privateKey }: HostKey, type: string, blob: Buffer): ProtocolHostKey {
  return { type, getPublicSSH: () => blob, sign: (data, hash) => sign(hash ?? hashes[type] ?? null, data, privateKey) };
}

function prepare(hostKeys: readonly HostKey[]): PreparedHostKeys {
  const certified = new Map<string, ProtocolHostKey>();
  const plain = new Map<string, ProtocolHostKey>();
  for (const hostKey of hostKeys) {
    const blob = sshPublicKey(hostKey.privateKey);
    const type = new SshReader(blob, "the host key").text();
    const certificate = hostKey.certificate === undefined ? undefined : parseSshCertificate(hostKey.certificate);
    if (certificate && !blob.equals(certificate.publicKey)) throw new GatehouseError("bad_parameter", "the host certificate is over another key");
    for (const algorithm of signaturesOf(type)) {
      plain.set(algorithm, protocolKey(hostKey, type, blob));
      if (certificate) certified.set(certificateAlgorithm(algorithm), protocolKey(hostKey, type, certificate.blob));
    }
  }
  if (plain.size === 0) throw new GatehouseError("bad_parameter", "an SSH server needs a host key");
  const keys = new Map([...certified, ...plain]);
  return { keys: Object.fromEntries(keys), offers: serverOffers([...keys.keys()]) };
}

/** Prepares host keys, once for each list of them. Throws `bad_parameter` for a certificate over another key, or no key. */
export function prepareHostKeys(hostKeys: readonly HostKey[]): PreparedHostKeys {
  const known = prepared.get(hostKeys);
  if (known) return known;
  const fresh = prepare(hostKeys);
  prepared.set(hostKeys, fresh);
  return fresh;
}
