import { auditEvents } from "../../audit/index.ts";
import { JoinRefused } from "../../connectors/index.ts";
import { sshFingerprint } from "../../formats/index.ts";
import { transactIfUnchanged, untilUnchanged } from "../admin-change.ts";
import type { Context } from "../context.ts";
import { kinds, type NodeJoinRecord } from "../records.ts";
import { readNode } from "../stored-resources.ts";
import { auditHostCertificate, hostPrincipals, signHost } from "./certificate.ts";
import { provenKey, renewMessage } from "./challenge.ts";
import { nodeEntry } from "./entry.ts";
import { joinOf, remember } from "./host-token.ts";
import { refuseHost } from "./refuse.ts";
import type { HostGrant, HostJoins, HostRenewRequest } from "./types.ts";

/** Hosts that have joined renew their certificate by the proof of their key alone. */
export function createHostRenew(context: Context): Pick<HostJoins, "renew"> {
  async function renewOnce({ id, origin }: HostRenewRequest, key: Buffer): Promise<HostGrant | undefined> {
    const hostKey = sshFingerprint(key);
    const item = await context.store.get("node", id);
    const before = await joinOf(context, id);
    if (!item || !before) throw new JoinRefused("node", "this host is none of the cluster's any more, or never joined", { hint: "let it join again: tctl nodes add" });
    const entry = nodeEntry(readNode(item));
    if (entry.hostKey !== hostKey) throw new JoinRefused("host_key", `node "${entry.hostname}" joined with another host key than ${hostKey}`, { hint: `if it got new keys: tctl nodes rm ${entry.id}, and let it join again` });
    const certificate = signHost(context, entry, key);
    const record: NodeJoinRecord = { ...before.record, certificates: remember(before.record.certificates, certificate, context.clock.now()) };
    const isDone = await transactIfUnchanged(context, [
      { op: "check", kind: "node", name: id, expect: item.revision },
      { op: "put", kind: kinds.nodeJoin, name: id, value: JSON.stringify(record), expires: item.expires, expect: before.item.revision },
    ]);
    if (!isDone) return undefined;
    await auditHostCertificate(context, certificate, { user: `node:${entry.hostname}`, node: entry, hostKey, principals: hostPrincipals(entry, context.authorities.clusterName), remoteAddress: origin.remoteAddress });
    return { node: entry, certificate: certificate.ssh, expires: certificate.expires, notes: [] };
  }

  return {
    async renew(request) {
      let hostKey: string | undefined;
      try {
        const key = await provenKey(context, request, renewMessage(request));
        hostKey = sshFingerprint(key);
        return await untilUnchanged("node", () => renewOnce(request, key));
      } catch (error) {
        throw await refuseHost(context, auditEvents.nodeRenewFailed, { server_id: request.id.slice(0, 256), host_key: hostKey, "addr.remote": request.origin.remoteAddress }, error);
      }
    },
  };
}
