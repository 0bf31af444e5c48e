import { auditEvents, resourceChange } from "../../audit/index.ts";
import { GatehouseError, readLabels, uuid } from "../../base/index.ts";
import { JoinRefused } from "../../connectors/index.ts";
import { sshFingerprint } from "../../formats/index.ts";
import { formatNodeAddress, type Node } from "../../resources/index.ts";
import type { Operation, StoredItem } from "../../store/index.ts";
import { transactIfUnchanged, untilUnchanged } from "../admin-change.ts";
import type { Context } from "../context.ts";
import { kinds, nodeClaimRecord, readRecord, type NodeJoinRecord } from "../records.ts";
import { readNode, toStored } from "../stored-resources.ts";
import { allowedAddress, allowedLabels, allowedName } from "./allowed.ts";
import { auditHostCertificate, hostPrincipals, signHost } from "./certificate.ts";
import { joinMessage, newChallenge, provenKey } from "./challenge.ts";
import { claim, reservedHostName } from "./claims.ts";
import { nodeEntry } from "./entry.ts";
import { hostToken, joinOf, remember, tokenId, type HostToken } from "./host-token.ts";
import { refuseHost } from "./refuse.ts";
import { createHostRenew } from "./renew.ts";
import type { HostGrant, HostJoinRequest, HostJoins } from "./types.ts";

/** Most labels that a host may ask for. */
const maxLabels = 100;

/** How a host that does something by itself is called in the audit log. */
export const hostUser = (hostname: string): string => `node:${hostname}`;

function askedLabels(text: string): Readonly<Record<string, string>> {
  const labels = text === "" ? [] : readLabels(text);
  if (!labels) throw new JoinRefused("labels", "labels are not written as label=value,label=value");
  if (labels.length > maxLabels) throw new JoinRefused("labels", `a host has at most ${maxLabels} labels`);
  return Object.fromEntries(labels);
}

interface Known {
  readonly item: StoredItem;
  readonly node: Node;
}

/** The host that has this name or key. */
async function holder({ store }: Context, claimName: string): Promise<Known | undefined> {
  const claimed = await store.get(kinds.nodeClaim, claimName);
  const item = claimed && (await store.get("node", readRecord(nodeClaimRecord, claimed).node));
  return item && { item, node: readNode(item) };
}

/** The host as it is to be. Throws {@link JoinRefused} for what the token, or another host, does not leave to it. */
async function wanted(context: Context, request: HostJoinRequest, token: HostToken, hostKey: string, byKey: Known | undefined): Promise<{ readonly node: Node; readonly notes: readonly string[] }> {
  const { spec } = token;
  const name = spec ? allowedName(spec, request.name) : request.name.toLowerCase();
  const reserved = reservedHostName(context, name);
  if (reserved !== undefined) throw new JoinRefused("reserved", `no host may be called "${name}": it ${reserved}`, { hint: "choose another: --name=NAME" });
  if (byKey && byKey.node.spec.hostname !== name) {
    throw new JoinRefused("host_key", `the key of this host, ${hostKey}, is that of node "${byKey.node.spec.hostname}" (${byKey.node.metadata.name})`, {
      hint: `where the host was copied from that one: make it keys of its own (rm /etc/ssh/ssh_host_*; ssh-keygen -A); where it is that one under a new name: tctl nodes rm ${byKey.node.metadata.name}`,
    });
  }
  const byName = byKey ? undefined : await holder(context, `name:${name}`);
  if (byName) throw new JoinRefused("name_taken", `there is a node "${name}" with another host key (${byName.node.metadata.name})`, { hint: `if that host is gone, or got new keys: tctl nodes rm ${byName.node.metadata.name}` });
  // Whoever asks for that address would get this host.
  const byAddress = context.snapshot.tables.nodes().find(({ id, addr }) => addr.host === name && id !== byKey?.node.metadata.name);
  if (byAddress) throw new JoinRefused("name_taken", `"${name}" is where node "${byAddress.hostname}" is dialled`, { hint: "choose another: --name=NAME" });
  if (!spec) {
    if (!byKey) throw new GatehouseError("internal", "a host that nobody knows came again");
    return { node: byKey.node, notes: ["the token was used by this host before: name, address and labels stay as they were"] };
  }
  const labels = allowedLabels(spec, askedLabels(request.labels));
  const node: Node = {
    kind: "node",
    version: "v2",
    sub_kind: "openssh",
    metadata: { ...byKey?.node.metadata, name: byKey?.node.metadata.name ?? uuid(), labels },
    spec: { addr: formatNodeAddress(allowedAddress(spec, request.addr, request.origin.remoteAddress)), hostname: name, host_key: hostKey },
  };
  return { node, notes: [] };
}

/** Hosts that join with a token and the proof of their key. */
export function createHostJoins(context: Context): HostJoins {
  async function joinOnce(request: HostJoinRequest, key: Buffer): Promise<HostGrant | undefined> {
    const hostKey = sshFingerprint(key);
    const byKey = await holder(context, `key:${hostKey}`);
    const before = byKey && (await joinOf(context, byKey.node.metadata.name));
    const token = await hostToken(context, request.token, before?.record);
    const { node, notes } = await wanted(context, request, token, hostKey, byKey);
    const entry = nodeEntry(node);
    const certificate = signHost(context, entry, key);
    const record: NodeJoinRecord = {
      token: token.digest,
      until: token.until,
      certificates: remember(before?.record.certificates ?? [], certificate, context.clock.now()),
    };
    const form = toStored(node);
    const isNew = !byKey || byKey.item.value !== form.value;
    const operations: readonly Operation[] = [
      { op: "put", kind: "node", name: form.name, value: form.value, expires: form.expires, expect: byKey?.item.revision ?? "absent" },
      { op: "put", kind: kinds.nodeJoin, name: form.name, value: JSON.stringify(record), expires: form.expires, expect: before?.item.revision ?? "absent" },
      ...token.operations,
      ...(await claim(context, node, byKey?.node)),
    ];
    const items = await transactIfUnchanged(context, operations);
    if (!items) return undefined;
    await context.snapshot.settled();
    const user = hostUser(entry.hostname);
    const fields = { hostname: entry.hostname, addr: node.spec.addr, labels: { ...entry.labels }, host_key: hostKey, token: token.id };
    if (isNew) await context.audit.emit(resourceChange({ kind: "node", verb: byKey ? "update" : "create", name: entry.id, user, revision: items[0]?.revision, origin: request.origin, fields }));
    await auditHostCertificate(context, certificate, { user, node: entry, hostKey, principals: hostPrincipals(entry, context.authorities.clusterName), remoteAddress: request.origin.remoteAddress });
    return { node: entry, certificate: certificate.ssh, expires: certificate.expires, notes };
  }

  return {
    challenge: () => newChallenge(context),
    async join(request) {
      let hostKey: string | undefined;
      try {
        const key = await provenKey(context, request, joinMessage(request));
        hostKey = sshFingerprint(key);
        return await untilUnchanged("node", () => joinOnce(request, key));
      } catch (error) {
        const fields = { hostname: request.name.slice(0, 256), addr: request.addr.slice(0, 256), host_key: hostKey, token: tokenId(request.token), "addr.remote": request.origin.remoteAddress };
        throw await refuseHost(context, auditEvents.nodeJoinFailed, fields, error);
      }
    },
    ...createHostRenew(context),
  };
}
