import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { EffectiveOptions } from "../../../access/index.ts";
import type { Identity, NodeEntry } from "../../../auth/index.ts";
import type { AuthAttempt, Credential, HostKey, HostProof, TransportLimits } from "../../../ssh/index.ts";

/** Who is connected, and from where. */
export interface SshPeople {
  readonly username: string;
  /** Of the login that the person's certificate belongs to. */
  readonly loginSession: string;
  /** `ip:port` of the client, and where it reached the gateway. */
  readonly remoteAddress: string;
  readonly localAddress: string;
}

/** Why a connection may no longer go on: shaped as `Ending` of the room of sessions. */
export interface Lost {
  readonly code: number;
  /** For the person; safe for a terminal. */
  readonly message: string;
  readonly lock?: string | undefined;
}

/** What is looked at when a live thing is decided anew. */
export interface LiveFacts {
  readonly stream: boolean;
  /** ms since the epoch. */
  readonly lastActive: number;
  /** Id of the session, where it is one. */
  readonly sid?: string | undefined;
}

/** Something of SSH that is under way, for the registry: decided anew after every change and twice a second. */
export interface SshLive extends LiveFacts {
  lost(now: number): Lost | undefined;
  /** Ends it and tells the person why. Called once. */
  end(why: Lost): void;
  /** Looks after deadlines of its own. */
  tick(now: number): void;
}

/** A person let in to one host as one login. */
export interface LoginGrant {
  readonly login: string;
  /** As it was when it was decided. */
  readonly identity: Identity;
  /** Over all roles. At most one of `forceCommands` is left. */
  readonly options: EffectiveOptions;
  /**
   * A new key and a certificate over it for this host, this login and the address of the connection's own end, good for five minutes. Called once the host is verified.
   * Throws what issuing throws.
   */
  mint(): Promise<Credential>;
  /** Why this may no longer go on, if so: certificate, login session, roles, locks, source addresses, idleness. Never throws. */
  lost(live: LiveFacts, now: number): Lost | undefined;
}

/** A host that was dialled, and that no byte was said to. */
export interface DialledHost {
  readonly node: NodeEntry;
  /** What the person called it. */
  readonly target: string;
  /** Paused; nothing was read. Whoever gets it closes it. */
  readonly socket: Socket;
  /** Holds the host against the `host` authority, its names and its bound key. Throws `access_denied` with the cause, after it is in the audit log. */
  verify(proof: HostProof): Promise<void>;
}

/** One connection that the gateway ends and begins anew, so that it can be recorded. */
export interface RecordedConnection {
  /** UUID; the certificate that {@link LoginGrant.mint} makes names it. */
  readonly id: string;
  readonly person: SshPeople;
  /** Bytes of the person's inner SSH connection. Whoever gets it closes it. */
  readonly client: Duplex;
  /** With which the gateway shows itself as the host: certificates over its names, and what the person called it. */
  readonly hostKeys: readonly HostKey[];
  readonly host: DialledHost;
  /**
   * Decides about the login that the inner connection asks for (its user name). Rejects with what the person is told: the short cause, with a refusal `id` that is in the audit log by then
   * with the rule that failed.
   */
  admit(login: string): Promise<LoginGrant>;
  /** Whether an attempt is the person's own: `none` (the way here has proven who it is), or with a certificate of the same login session. */
  isOwn(attempt: AuthAttempt): boolean;
  readonly limits?: Partial<TransportLimits> | undefined;
}
