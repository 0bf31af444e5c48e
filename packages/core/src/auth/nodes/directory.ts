import { hasLabels, readLabels } from "../../base/index.ts";
import { readNodeAddress } from "../../resources/index.ts";
import type { Snapshot } from "../snapshot.ts";
import type { NodeDirectory, NodeEntry, NodeResolution } from "./types.ts";

const defaultPort = 22;
const maxTarget = 1024;
const maxNamed = 10;

/** Hosts by what they are looked up by; made anew when a host changes. */
interface Index {
  readonly of: readonly NodeEntry[];
  readonly byId: ReadonlyMap<string, NodeEntry>;
  readonly byHostname: ReadonlyMap<string, readonly NodeEntry[]>;
  readonly byAddress: ReadonlyMap<string, readonly NodeEntry[]>;
}

function groupBy(nodes: readonly NodeEntry[], key: (node: NodeEntry) => string): ReadonlyMap<string, readonly NodeEntry[]> {
  const groups = new Map<string, NodeEntry[]>();
  for (const node of nodes) {
    const group = groups.get(key(node));
    if (group) group.push(node);
    else groups.set(key(node), [node]);
  }
  return groups;
}

function indexOf(nodes: readonly NodeEntry[]): Index {
  return { of: nodes, byId: new Map(nodes.map((node) => [node.id, node])), byHostname: groupBy(nodes, ({ hostname }) => hostname), byAddress: groupBy(nodes, ({ addr }) => addr.host) };
}

/** Of those that one name matches, those with this port; with the port that nobody had to say, all where none has it. */
function narrow(found: readonly NodeEntry[], port: number | undefined): readonly NodeEntry[] {
  if (port === undefined || port === 0) return found;
  const exact = found.filter(({ addr }) => addr.port === port);
  return exact.length === 0 && port === defaultPort ? found : exact;
}

function resolutionOf(found: readonly NodeEntry[]): NodeResolution {
  const [node, ...others] = found;
  if (!node) return { outcome: "none" };
  if (others.length === 0) return { outcome: "found", node };
  return { outcome: "ambiguous", count: found.length, names: found.map(({ hostname }) => hostname).sort().slice(0, maxNamed) };
}

/** Reads the snapshot alone. */
export function createNodeDirectory(snapshot: Pick<Snapshot, "tables" | "onChange">, clusterName: string): NodeDirectory {
  const suffix = `.${clusterName.toLowerCase()}`;
  let known: Index | undefined;
  const index = (): Index => {
    const nodes = snapshot.tables.nodes();
    if (known?.of !== nodes) known = indexOf(nodes);
    return known;
  };

  function candidates(target: string): readonly NodeEntry[] {
    const { byId, byHostname, byAddress, of } = index();
    const name = target.toLowerCase().replace(/\.$/, "");
    for (const each of name.endsWith(suffix) ? [name, name.slice(0, -suffix.length)] : [name]) {
      const byName = byId.get(each);
      if (byName) return [byName];
      const found = byHostname.get(each);
      if (found) return found;
    }
    const address = readNodeAddress(/^\[.*\]$/.test(name) ? name.slice(1, -1) : name);
    const dialled = address && byAddress.get(address.host);
    if (dialled) return dialled;
    const labels = target.includes("=") ? readLabels(target) : undefined;
    return labels ? of.filter((node) => hasLabels(node.labels, labels)) : [];
  }

  return {
    list: () => index().of,
    get: (id) => index().byId.get(id),
    resolve: (target, port) => (target === "" || target.length > maxTarget ? { outcome: "none" } : resolutionOf(narrow(candidates(target), port))),
    onChange: (listener) => snapshot.onChange(listener),
  };
}
