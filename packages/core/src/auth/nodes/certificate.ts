import { auditEvents } from "../../audit/index.ts";
import type { SshHostCertificate } from "../../ca/index.ts";
import { formatAuthorizedKey } from "../../formats/index.ts";
import type { Context } from "../context.ts";
import type { NodeEntry } from "./types.ts";

const day = 24 * 3_600_000;
/** Hosts renew after half of it: one that is off for two weeks comes back by itself. */
export const hostCertificateTtl = 28 * day;

/** Names that a host is met by. */
export function hostPrincipals({ id, hostname }: Pick<NodeEntry, "id" | "hostname">, clusterName: string): readonly string[] {
  return [`${id}.${clusterName}`, `${hostname}.${clusterName}`, hostname];
}

/** A certificate of a host's key. */
export function signHost({ authorities }: Context, node: NodeEntry, key: Buffer): SshHostCertificate {
  return authorities.issueSshHost({ publicKey: formatAuthorizedKey(key), keyId: `${node.hostname} node=${node.id}`, principals: hostPrincipals(node, authorities.clusterName), ttl: hostCertificateTtl });
}

/** Audits a host's certificate, before it is handed out. Throws `unavailable`. */
export async function auditHostCertificate(
  { audit }: Context,
  certificate: SshHostCertificate,
  about: { readonly user: string; readonly node?: NodeEntry | undefined; readonly hostKey: string; readonly principals: readonly string[]; readonly remoteAddress?: string | undefined },
): Promise<void> {
  await audit.emit({
    ...auditEvents.hostCertCreate,
    user: about.user,
    server_id: about.node?.id,
    server_hostname: about.node?.hostname,
    host_key: about.hostKey,
    principals: about.principals,
    serial: String(certificate.serial),
    expires: new Date(certificate.expires).toISOString(),
    "addr.remote": about.remoteAddress,
  });
}
