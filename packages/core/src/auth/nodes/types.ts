import type { NodeAddress } from "../../resources/index.ts";

export type { NodeAddress };

/** A host that people reach through the gateway. */
export interface NodeEntry {
  /** What stands in principals: `<login>@<id>`, `<id>.<cluster>`. */
  readonly id: string;
  /** What people call it; lower case, no two hosts alike. */
  readonly hostname: string;
  /** Where its sshd is dialled. */
  readonly addr: NodeAddress;
  readonly labels: Readonly<Record<string, string>>;
  /** `SHA256:…` of the one key that it may have; undefined for one whose host certificate alone tells it. */
  readonly hostKey?: string | undefined;
}

/** Which host somebody means. */
export type NodeResolution =
  | { readonly outcome: "found"; readonly node: NodeEntry }
  /** Hostnames of those that match, sorted: ten at most. */
  | { readonly outcome: "ambiguous"; readonly count: number; readonly names: readonly string[] }
  | { readonly outcome: "none" };

/** The hosts of the cluster, in memory, kept true by the store's change feed. A host that is not here is never dialled. */
export interface NodeDirectory {
  /** The same array until a host changes. */
  list(): readonly NodeEntry[];
  get(id: string): NodeEntry | undefined;
  /**
   * Finds a host by id, by `hostname`, `hostname.CLUSTER` or `id.CLUSTER`, by the address that it is dialled at, or as the only one with
   * `label=value[,label=value…]`; the first of these that any host matches counts. A port other than 22, which is what OpenSSH says where nobody said any, has to be the host's.
   */
  resolve(target: string, port?: number): NodeResolution;
  /** Called after a change of hosts, among other things that decisions depend on. Returns the function that stops it. */
  onChange(listener: () => void): () => void;
}
