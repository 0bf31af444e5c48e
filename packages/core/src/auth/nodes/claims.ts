import { GatehouseError } from "../../base/index.ts";
import type { Node } from "../../resources/index.ts";
import type { Operation, StoredItem } from "../../store/index.ts";
import type { Context } from "../context.ts";
import { kinds, nodeClaimRecord, nodeJoinRecord, readRecord, type NodeClaimRecord } from "../records.ts";
import { readNode } from "../stored-resources.ts";

/** Of what every cluster's gateways are called, whatever their configuration (`api/names.ts`). */
const gatewaySuffix = "teleport.cluster.local";

/** Why no host may be called so, or undefined: the name is a gateway's, or would be another's principal. */
export function reservedHostName(context: Pick<Context, "gatewayNames" | "authorities">, name: string): string | undefined {
  const cluster = context.authorities.clusterName.toLowerCase();
  if (name === cluster) return "is the cluster's own name";
  if (name.endsWith(`.${cluster}`)) return `must not end in ".${cluster}": that is put after it`;
  if (name === gatewaySuffix || name.endsWith(`.${gatewaySuffix}`) || name === "localhost" || name.endsWith(".localhost")) return "is what gateways are called";
  return context.gatewayNames().some((own) => own.toLowerCase() === name) ? "is what this gateway is called" : undefined;
}

/** What a host has to itself: names of claims, each with how it is told. */
function claimsOf({ metadata, spec }: Pick<Node, "metadata" | "spec">): ReadonlyMap<string, string> {
  const names = new Map([metadata.name, spec.hostname].map((name) => [`name:${name}`, `the name "${name}"`]));
  return spec.host_key === undefined ? names : names.set(`key:${spec.host_key}`, `the host key ${spec.host_key}`);
}

/** How a host is told. */
function told(stored: StoredItem): string {
  const { hostname } = readNode(stored).spec;
  return hostname === stored.name ? `node "${hostname}"` : `node "${hostname}" (${stored.name})`;
}

/**
 * What goes in one transaction with a host that is stored: its id, hostname and key become its own, and nobody else's. Throws `bad_parameter` for a reserved name,
 * `already_exists` for what is another host's.
 */
export async function claim(context: Context, node: Node, existing: Node | undefined): Promise<readonly Operation[]> {
  const id = node.metadata.name;
  for (const name of new Set([id, node.spec.hostname])) {
    const problem = reservedHostName(context, name);
    if (problem !== undefined) throw new GatehouseError("bad_parameter", `no host may be called "${name}": it ${problem}`);
  }
  const wanted = claimsOf(node);
  const operations: Operation[] = [];
  for (const [name, what] of wanted) {
    const item = await context.store.get(kinds.nodeClaim, name);
    const holder = item && readRecord(nodeClaimRecord, item).node;
    if (item && holder === id) {
      operations.push({ op: "check", kind: kinds.nodeClaim, name, expect: item.revision });
      continue;
    }
    // A host that ended by itself has left its claims behind.
    const stored = holder === undefined ? undefined : await context.store.get("node", holder);
    if (stored) throw new GatehouseError("already_exists", `${what} is that of ${told(stored)}`, { hint: `if that host is gone: tctl nodes rm ${stored.name}` });
    operations.push({ op: "put", kind: kinds.nodeClaim, name, value: JSON.stringify({ node: id } satisfies NodeClaimRecord), expect: item?.revision ?? "absent" });
  }
  const given = existing ? [...claimsOf(existing).keys()].filter((name) => !wanted.has(name)) : [];
  return [...operations, ...(await releases(context, given, id))];
}

async function releases({ store }: Context, names: readonly string[], id: string): Promise<readonly Operation[]> {
  const items = await Promise.all(names.map((name) => store.get(kinds.nodeClaim, name)));
  return items.flatMap((item) => (item && readRecord(nodeClaimRecord, item).node === id ? [{ op: "delete" as const, kind: item.kind, name: item.name, expect: item.revision }] : []));
}

/** What goes in one transaction with a host that is removed: its names and key are free again, its certificates count no more. */
export async function unclaim(context: Context, id: string): Promise<readonly Operation[]> {
  const { store, clock } = context;
  const all = await store.list(kinds.nodeClaim);
  const joined = await store.get(kinds.nodeJoin, id);
  const out = joined ? readRecord(nodeJoinRecord, joined).certificates.filter(({ expires }) => expires > clock.now()) : [];
  return [
    ...(await releases(context, all.filter((item) => readRecord(nodeClaimRecord, item).node === id).map(({ name }) => name), id)),
    ...(joined ? [{ op: "delete" as const, kind: kinds.nodeJoin, name: id, expect: joined.revision }] : []),
    ...out.map(({ serial, expires }) => ({ op: "put" as const, kind: kinds.revokedHost, name: serial, value: "{}", expires })),
  ];
}
