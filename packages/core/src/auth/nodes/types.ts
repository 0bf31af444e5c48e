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

/** What a host asks for that wants to be one of the cluster's. */
export interface HostJoinRequest {
  readonly token: string;
  /** What it wants to be called. */
  readonly name: string;
  /** `host[:port]` or `:port` where it is dialled; the host is the address that it comes from where none is given. */
  readonly addr: string;
  /** `label=value[,label=value…]`, or nothing. */
  readonly labels: string;
  readonly challenge: string;
  /** What `ssh-keygen -Y sign` made of {@link joinMessage} with the host key, in the namespace {@link hostNamespace}. */
  readonly signature: string;
  readonly origin: { readonly remoteAddress: string };
}

/** What a host asks for that has joined. */
export interface HostRenewRequest {
  readonly id: string;
  readonly challenge: string;
  /** As in {@link HostJoinRequest}, of {@link renewMessage}. */
  readonly signature: string;
  readonly origin: { readonly remoteAddress: string };
}

/** A host of the cluster, with its new certificate. */
export interface HostGrant {
  readonly node: NodeEntry;
  /** One line, newline-terminated. */
  readonly certificate: string;
  /** ms since the epoch. */
  readonly expires: number;
  /** What it should know besides, a sentence each. */
  readonly notes: readonly string[];
}

/** Hosts that join and stay. All of it is audited; refusals carry an id that their event has too. */
export interface HostJoins {
  /** A text that is good for five minutes: whoever signs it has the key now. */
  challenge(): Promise<string>;
  /** Throws `access_denied` that names the rule, `bad_parameter` for what is no name, address or signature. */
  join(request: HostJoinRequest): Promise<HostGrant>;
  renew(request: HostRenewRequest): Promise<HostGrant>;
}

/** What counts no more before its time. */
export interface Revocations {
  /** What sshd's `RevokedKeys` reads: certificates minted for people who are locked or gone and for logins that have ended. `tag` changes with what is in it. */
  list(): { readonly krl: Buffer; readonly tag: string };
  /** Whether a host's certificate counts no more: the host was removed. */
  isHostRevoked(serial: bigint): boolean;
}
