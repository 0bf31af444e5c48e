import type { Clock, Random } from "@gatehouse/core/base";
import type { LoginRecord } from "@gatehouse/core/client/lean";
import type { SeenRequests } from "./requests.ts";

/** A Kubernetes cluster behind the gateway. */
export interface ProxiedCluster {
  readonly name: string;
  /** TLS server name that chooses it at the gateway. */
  readonly serverName: string;
  /** What it is called in kubeconfig. */
  readonly context: string;
  /** Namespace of the context. */
  readonly namespace?: string | undefined;
}

/** Where the login comes from. */
export interface LoginSource {
  /** The login that is good now. Throws `unauthenticated` with what to run, and whatever stands in the way of reading it. */
  current(): Promise<LoginRecord>;
  /** The gateway refused it: it is read anew before it is used again. */
  doubt(): void;
}

/** A port of loopback (0 for a free one), or the absolute path of a socket. */
export type ListenPlace = { readonly port: number } | { readonly socket: string };

/** Bounds of a local proxy. */
export interface KubeProxyLimits {
  /** Connections to the gateway for ordinary requests, per cluster: more requests than these wait for one. */
  readonly connections: number;
  /** The same for watches and followed logs, each of which keeps one for itself. */
  readonly longConnections: number;
  /** Requests under way, waiting ones included. */
  readonly requests: number;
  /** Bytes of a request's line and headers. */
  readonly headerSize: number;
  /** ms to connect to the gateway. */
  readonly connectTimeout: number;
}

/** What a local Kubernetes proxy is made of. */
export interface KubeProxyOptions {
  readonly clusters: readonly ProxiedCluster[];
  /** Context that is selected in the kubeconfig. */
  readonly selected: string;
  /** `host:port` of the gateway's Kubernetes listener. */
  readonly gateway: string;
  readonly login: LoginSource;
  readonly listen: ListenPlace;
  /** Folder for the folders of runs; it is made, and is its owner's alone. */
  readonly runs: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<KubeProxyLimits> | undefined;
}

/** A cluster as it is served here. */
export interface ServedCluster extends ProxiedCluster {
  /** Base of its API: `https://127.0.0.1:port/clusters/name`, or the path alone on a socket. */
  readonly server: string;
}

/** A local Kubernetes proxy that runs. */
export interface KubeProxy {
  /** `127.0.0.1:port`, or the path of the socket. */
  readonly address: string;
  /** The kubeconfig for it; undefined on a socket, which no Kubernetes client takes from one. */
  readonly kubeconfig: string | undefined;
  readonly clusters: readonly ServedCluster[];
  readonly requests: SeenRequests;
  /** Ends everything under way and removes what was written. */
  close(): Promise<void>;
}
