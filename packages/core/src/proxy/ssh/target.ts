import { escapeLine } from "../../base/index.ts";
import type { NodeDirectory, NodeEntry } from "../../auth/index.ts";
import { Denied } from "./denied.ts";

const maxShown = 80;

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${String(port)}`;
}

/** What the subsystem `proxy:…` asks for (reference §7.3). */
export type ProxyTarget = { readonly kind: "node"; readonly host: string; readonly port: number | undefined; readonly cluster: string | undefined } | { readonly kind: "auth"; readonly cluster: string };

/** `host[:port]` to a host and a port; an IPv6 address with a port is in brackets. Undefined for what is neither. */
function readHostPort(text: string): { readonly host: string; readonly port: number | undefined } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:@[\]]+))(?::(\d{0,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) return undefined;
  const port = Number(match?.[3] ?? "0");
  return port > 65_535 ? undefined : { host, port: port === 0 ? undefined : port };
}

/** Reads the name of a subsystem: `proxy:host:port`, `proxy:host:port@cluster`, `proxy:host:port@namespace@cluster`, `proxy:@cluster`. Throws {@link Denied}. */
export function readProxySubsystem(name: string): ProxyTarget {
  const wrong = (why: string): Denied => new Denied("bad_parameter", "subsystem", `subsystem "${escapeLine(name.slice(0, maxShown))}": ${why}`);
  const [where = "", ...at] = name.slice("proxy:".length).split("@");
  if (at.length > 2) throw wrong("it has more than host, namespace and cluster");
  const cluster = at.at(-1);
  if (at.length === 2 && at[0] !== "" && at[0] !== "default") throw wrong("there are no namespaces but default");
  if (where === "") {
    if (cluster === undefined || cluster === "") throw wrong("it names neither a host nor a cluster");
    return { kind: "auth", cluster };
  }
  const read = readHostPort(where);
  if (!read) throw wrong("it is not proxy:host:port[@cluster]");
  return { kind: "node", ...read, cluster: cluster === "" ? undefined : cluster };
}

/** Throws {@link Denied} for a cluster that is not this one. */
export function checkCluster(cluster: string | undefined, own: string): void {
  if (cluster !== undefined && cluster.toLowerCase() !== own.toLowerCase()) {
    throw new Denied("not_found", "cluster", `there is no cluster "${escapeLine(cluster.slice(0, maxShown))}" here: this is ${own}`);
  }
}

/**
 * The host that is meant. Of several only those are named that `mayKnow` lets the person know of. Throws {@link Denied}: a target that is no host of the cluster is never dialled.
 */
export function resolveNode(nodes: NodeDirectory, target: string, port: number | undefined, mayKnow: (node: NodeEntry) => boolean): NodeEntry {
  const found = nodes.resolve(target, port);
  if (found.outcome === "found") return found.node;
  const shown = escapeLine(target.slice(0, maxShown));
  if (found.outcome === "none") {
    throw new Denied("not_found", "target", `there is no host "${shown}"${port === undefined || port === 22 ? "" : ` with port ${String(port)}`} in this cluster`, { hint: "tsh ls shows the hosts that you may log in to" });
  }
  const known = new Set(found.names);
  const names = nodes.list().filter((node) => known.has(node.hostname) && mayKnow(node)).map((node) => node.hostname);
  throw new Denied("bad_parameter", "target", `"${shown}" is ${String(found.count)} hosts${names.length === 0 ? "" : `: ${escapeLine(names.sort().join(", "))}`}`, { hint: "name one of them" });
}
