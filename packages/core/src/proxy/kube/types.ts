import type { Gatekeeper } from "../../auth/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { PurposeServer, ServerLimits } from "../listener/index.ts";
import type { LiveStreams, Recorder, Sessions } from "../sessions/index.ts";

/** A credential that changes while the gateway runs. */
export interface TokenSource {
  /** The bearer token now; from memory. */
  current(): string;
  /** Reads it anew, at most once a second: called when the API server answers 401. */
  refresh(): void;
  close(): void;
}

/** One Kubernetes API server and how the gateway proves itself to it. */
export interface KubeUpstream {
  /** The name by which people know the cluster. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `https://host:port`, with a path where the API server is under one. */
  readonly url: string;
  /** Certificate authorities, PEM; undefined means the system's. */
  readonly ca: string | undefined;
  /** Set only where the operator said `insecure-skip-tls-verify`. */
  readonly insecureSkipTlsVerify: boolean;
  /** Name to expect in the API server's certificate, where it is not the host of the URL. */
  readonly serverName: string | undefined;
  /** Client certificate and key, PEM. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  readonly token: TokenSource | undefined;
}

/** What is wrong with a cluster: in full for those who run the gateway, and without paths and addresses for the people who use it. */
export interface ClusterProblem {
  readonly detail: string;
  readonly summary: string;
}

/** A cluster by name: with the credentials that are to be used now, or without and why. */
export interface KubeCluster {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly upstream: KubeUpstream | undefined;
  readonly problem: ClusterProblem | undefined;
}

/** The clusters of a gateway, which may change while it runs. */
export interface ClusterDirectory {
  /** In the order of the configuration. Another array after every change. */
  readonly clusters: readonly KubeCluster[];
  /** The cluster for connections whose server name chooses none; undefined where they must choose. */
  readonly defaultCluster: string | undefined;
  /** What the operator should know, one line each: names that clash, files that cannot be read. */
  readonly notes: readonly string[];
  /** Calls the listener after every change; returns the function that stops it. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

/** Bounds of the Kubernetes proxy. Times in ms. */
export interface KubeLimits {
  /** Requests under way to one cluster, watches not counted; over it: 429. */
  readonly requests: number;
  /** Watches and followed logs under way to one cluster; over it: 429. */
  readonly longRequests: number;
  /** Upgraded streams to one cluster; over it: 429. */
  readonly streams: number;
  /** To connect to an API server. */
  readonly connectTimeout: number;
  /** For the first byte of an ordinary answer. */
  readonly answerTimeout: number;
  /** For the answer to an upgrade. */
  readonly upgradeTimeout: number;
}

export interface KubeProxyOptions {
  /** Closed with the proxy. */
  readonly clusters: ClusterDirectory;
  readonly gatekeeper: Gatekeeper;
  readonly authorities: Authorities;
  /** The audit log. */
  readonly recorder: Recorder;
  /** The sessions of this gateway, which closes them after the proxy. */
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Server key and certificate, PEM. Client certificates of the user authority are asked for. */
  readonly tls: { readonly key: string; readonly cert: string };
  /** The cluster's own `client_idle_timeout`, ms; 0 means none. The smaller of it and the person's roles' counts. */
  readonly clientIdleTimeout?: number | undefined;
  readonly limits?: Partial<KubeLimits> | undefined;
  readonly serverLimits?: Partial<ServerLimits> | undefined;
}

/** Whether the gateway may impersonate in one cluster. */
export interface UpstreamCheck {
  readonly cluster: string;
  readonly ok: boolean;
  /** What RBAC lacks, in words: `impersonate groups`. */
  readonly missing: readonly string[];
  /** Why the check could not be made. */
  readonly problem: string | undefined;
  /** What people who use the cluster are told; undefined where nothing is wrong. */
  readonly summary: string | undefined;
}

/** The Kubernetes proxy of one gateway. */
export interface KubeProxy {
  readonly server: PurposeServer;
  /** As they are now. */
  readonly clusters: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>> }[];
  /** See {@link ClusterDirectory}. */
  readonly defaultCluster: string | undefined;
  readonly notes: readonly string[];
  readonly streams: LiveStreams;
  /** Asks a cluster's API server whether the gateway may impersonate; never throws. */
  check(cluster: string): Promise<UpstreamCheck>;
  /** Calls the listener when a cluster came, went, or got other credentials. */
  onClusters(listener: () => void): () => void;
  /** Stops accepting, ends watches at once and streams after `drainMs` at the latest (with the reason), then closes everything. */
  close(options: { readonly drainMs: number }): Promise<void>;
}
