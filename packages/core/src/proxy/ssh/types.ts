import type { AddressInfo, Socket } from "node:net";
import type { Gatekeeper, NodeDirectory, Revocations } from "../../auth/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { ListenAddress, PurposeServer, ServerLimits, TlsMaterial } from "../listener/index.ts";
import type { LiveStreams, Recorder, Sessions } from "../sessions/index.ts";

/** Bounds of the SSH proxy. Times in ms, sizes in bytes. */
export interface SshLimits {
  /** Connections of SSH itself that have not authenticated; at the bound the oldest is closed. */
  readonly halfOpen: number;
  /** Of them, from one address; over it new ones are closed. */
  readonly halfOpenPerAddress: number;
  /** Connections of SSH itself; at the bound new ones are closed. */
  readonly connections: number;
  /** Of them, of one person, that lead to no host; at the bound new ones are refused. */
  readonly unusedPerPerson: number;
  /** How long one may lead to no host. */
  readonly unusedTimeout: number;
  /** Channels of one connection. */
  readonly channels: number;
  /** Connections to hosts that are being made, of one person. */
  readonly dialsPerPerson: number;
  /** Connections to hosts, of one person: nobody takes the places of all others. */
  readonly hostsPerPerson: number;
  /** Connections to hosts, of everybody. */
  readonly hosts: number;
  /** To connect to a host. */
  readonly dialTimeout: number;
  /** From a connection's beginning to the end of its key exchange, and from there to the end of authentication. */
  readonly handshakeTimeout: number;
  readonly authTimeout: number;
  /** Window of a channel: what a client may send before it is taken. */
  readonly window: number;
}

export interface SshProxyOptions {
  readonly nodes: NodeDirectory;
  readonly revocations: Pick<Revocations, "isHostRevoked">;
  readonly gatekeeper: Gatekeeper;
  readonly authorities: Authorities;
  readonly recorder: Recorder;
  /** The sessions of this gateway, which closes them after the proxy. */
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Key and certificate of the mTLS way, PEM. Client certificates of the user authority are asked for. */
  readonly tls: Pick<TlsMaterial, "key" | "cert">;
  /** Id and name of this gateway, and every other host name and address under which clients may meet it. */
  readonly serverId: string;
  readonly nodeName: string;
  readonly hostNames: readonly string[];
  /** Whether sessions are recorded on their way, or bytes pass end to end, where a person's roles do not say. */
  readonly mode: "proxy" | "off";
  /** From where hosts see the gateway come; empty: the address of each connection. */
  readonly sourceAddresses: readonly string[];
  /** The cluster's own `client_idle_timeout`, ms; 0 means none. */
  readonly clientIdleTimeout: number;
  /** Where the admin API listens, for the subsystem `proxy:@cluster`; undefined before it does. */
  readonly adminAddress: () => ListenAddress | undefined;
  readonly limits?: Partial<SshLimits> | undefined;
  readonly serverLimits?: Partial<ServerLimits> | undefined;
}

/** The SSH proxy of one gateway. */
export interface SshProxy {
  /** For `tsh proxy ssh`: mutual TLS, and an upgrade to bytes. */
  readonly server: PurposeServer;
  /** Connections of SSH itself, those that have not authenticated among them. */
  readonly connections: number;
  /** Connections to hosts, those being made among them. */
  readonly hosts: number;
  readonly streams: LiveStreams;
  /** Takes over a connection whose client spoke first, and SSH; what was read must have been unshifted. */
  accept(socket: Socket): void;
  /** Listens for SSH on an address of its own. Throws `bad_parameter` or `unavailable` with the address and the cause. */
  listen(address: ListenAddress): Promise<AddressInfo>;
  /** Stops accepting, ends connections after `drainMs` at the latest (with the reason), then closes everything. */
  close(options: { readonly drainMs: number }): Promise<void>;
}
