import type { AuditEventInput, RecordingMode } from "../../audit/index.ts";
import type { CommandSink, RecordedSession, SessionPlace } from "../../formats/index.ts";

/** Why something under way may no longer go on, or something may not begin. */
export interface Ending {
  /** As in HTTP: 403 a right that is gone, 408 idleness, 503 a gateway that stops, … */
  readonly code: number;
  /** What its person reads; safe for a terminal. */
  readonly message: string;
  /** Name of the lock that refuses, for the audit event. */
  readonly lock?: string | undefined;
}

/** A request, stream or connection under way, as the registry sees it. */
export interface Live<Why extends Ending = Ending> {
  /** Counts as a stream for people: what may stay open, and ends when it is idle for too long. */
  readonly stream: boolean;
  /** Id of the session, where it is one: what `session` of a lock may name. */
  readonly sid?: string | undefined;
  /** When payload last passed, either way; ms since the epoch. */
  readonly lastActive: number;
  /** Ends it and tells the client why. Called once. */
  end(why: Why): void;
  /** Looks after deadlines of its own; called about every half second. */
  tick(now: number): void;
}

/** Result of looking at live streams again. */
export interface Recheck {
  readonly checked: number;
  readonly ended: number;
}

/** Live streams: upgraded connections, watches, followed logs, connections to hosts. */
export interface LiveStreams {
  readonly count: number;
  /** Decides every live stream anew, now, and ends those that lost their right. For one generation of decisions the numbers add up. */
  recheck(): Recheck;
}

/** What the gateway records, where a person's roles do not say. */
export type RecordingDefault = RecordingMode | "off";

/** The stream that a session runs on. */
export interface SessionStream {
  /** When payload last passed; ms since the epoch. */
  readonly lastActive: number;
  /** Bytes of payload that passed, either way. */
  readonly carried: number;
  /** {@link CommandSession.behind} or {@link CommandSession.problem} is another now. */
  changed(): void;
}

/** What people who join a session need of its stream. */
export interface SessionTerminal {
  /**
   * Gives the host what a participant typed, as if the session's own person had typed it, in order, when the host's window has room for it. Resolves
   * when it is taken: one call at a time is waited for. Whoever implements it tells {@link CommandSession.sink} as of all input. Rejects once the session is over.
   */
  input(bytes: Uint8Array): Promise<void>;
  /** Shows the session's own person one line (safe for a terminal, without an end of line): who joined, who left. Best effort: where their window is full, it is left out. */
  notice(line: string): void;
}

/** How a session on a stream begins. */
export interface CommandStart {
  /** Who does what where; its `sid` is new, its `server_id` is {@link Sessions.serverId}. */
  readonly session: RecordedSession;
  /** Options over all roles of its person. */
  readonly options: { readonly recordStdin: boolean; readonly maxSessions: number; readonly recordSession: RecordingMode | undefined };
  /** `ip:port` at which the client reached the gateway. */
  readonly localAddress: string;
  /** Size of the terminal, where it is known from the beginning. */
  readonly size?: { readonly columns: number; readonly rows: number } | undefined;
  /** Type of the terminal, for players: `xterm-256color`. */
  readonly term?: string | undefined;
  /** An administrator ends it: its person is to read the message. */
  kill(message: string): void;
  /** Where others may take part; without it a session can be watched alone. */
  readonly terminal?: SessionTerminal | undefined;
}

/** How a command ended, as far as its stream told. */
export interface CommandEnd {
  /** In words for people; `exitCode` or `signal` say it otherwise, and without those it is that the connection was closed. */
  readonly reason?: string | undefined;
  readonly exitCode?: number | undefined;
  /** Without SIG. */
  readonly signal?: string | undefined;
  /** Why it did not run at all. */
  readonly error?: string | undefined;
}

/** A shell, command or transfer under way, from the decision to let it in to its end: recorded, where it is to be. */
export interface CommandSession {
  readonly sid: string;
  readonly session: RecordedSession;
  /** Its own person. */
  readonly user: string;
  /** Whom to tell what passes: bytes are copied during the call. What is absent need not be told. `error` never is there: it is {@link CommandSession.end}'s. */
  readonly sink: CommandSink;
  /** There is a recording. */
  readonly recorded: boolean;
  /** The recording does not keep up: both sides are to be held back until {@link SessionStream.changed}. */
  readonly behind: boolean;
  /** Why it must end: it can no longer be recorded. */
  readonly problem: string | undefined;
  /** What has to be written to the audit log before the first byte passes. `protocol`: what is spoken (`v5.channel.k8s.io`, `ssh`). */
  started(protocol: string): readonly AuditEventInput[];
  /** Nobody can tell what passes. Returns why it may then not run; undefined where it may, with a gap. */
  blind(why: string): string | undefined;
  /** It runs, on this stream: from now on it is listed. */
  run(stream: SessionStream): void;
  /** Something happened beside the terminal, for the recording: kind ≤ 64, text ≤ 16,384 characters. */
  mark(kind: string, text: string): void;
  /** Looks after what time alone brings. Called about every half second. */
  tick(now: number): void;
  /** It is over: closes the recording and tells the log. Called once; later calls do nothing. */
  end(how: CommandEnd): void;
  /** It did not come about. */
  drop(): void;
}

/** How forwarded ports begin to be counted. */
export interface PortStart {
  readonly sid: string;
  readonly user: string;
  readonly place: SessionPlace;
  /** Address of the client. */
  readonly address: string;
  /** Makes the event of one connection (`error`: it did not come about), or of several to one address, or, with `""`, to many. */
  event(addr: string, error: string | undefined, counts: Readonly<Record<string, number>>): AuditEventInput;
  kill(message: string): void;
}

/** One connection that is forwarded; it counts on while it is open. */
export interface ForwardedConnection {
  /** Where to: `8080` of a pod, `db.internal:5432` through a host. */
  readonly addr: string;
  /** Bytes from the client. */
  readonly sent: number;
  /** Bytes to the client. */
  readonly received: number;
  /** What is wrong with it; `""` for nothing. */
  readonly error: string;
}

/** Forwarded ports under way. They are not recorded; each connection is audited, and of very many their sums. */
export interface PortSession {
  readonly sid: string;
  readonly user: string;
  opened(connection: ForwardedConnection): void;
  closed(connection: ForwardedConnection): void;
  run(stream: SessionStream): void;
  tick(now: number): void;
  /** Connections that are open are closed with it. */
  end(): void;
  drop(): void;
}

/** How a connection begins that passes end to end. */
export interface TunnelStart {
  readonly sid: string;
  readonly user: string;
  readonly place: SessionPlace;
  /** Address of the client. */
  readonly address: string;
  /** Of the person's roles; 0 for any number. */
  readonly maxSessions: number;
  kill(message: string): void;
}

/** A connection that passes end to end: it counts as one of its person's sessions and is listed, and what is in it nobody sees. */
export interface TunnelSession {
  readonly sid: string;
  readonly user: string;
  /** It runs: from now on it is listed. */
  run(stream: SessionStream): void;
  /** It is over, or did not come about. */
  end(): void;
}

/** A session under way, for administrators. Times in ms since the epoch. */
export interface LiveSession extends SessionPlace {
  readonly sid: string;
  readonly kind: RecordedSession["kind"] | "portforward" | "tunnel";
  readonly user: string;
  /** Everybody who took part, the opener first. */
  readonly participants: readonly string[];
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly address: string;
  readonly started: number;
  readonly lastActive: number;
  /** Bytes of payload that passed, either way. */
  readonly bytes: number;
  /** Bytes of its recording so far; undefined for a session that is not recorded. */
  readonly recording: number | undefined;
}

/** Who watches a session or takes part in it. */
export interface Participant {
  readonly user: string;
  /** `ip:port` of the participant, and where it reached the gateway. */
  readonly remoteAddress: string;
  readonly localAddress?: string | undefined;
  /** `peer`: their keyboard is the session's, too. */
  readonly mode: "observer" | "peer";
}

/** One participation. It has to be left. */
export interface SessionJoin {
  /** Names it among the session's participations. */
  readonly id: string;
  /** The container of the session's recording as it grows: from its beginning, and soon after it happens. Ends with the session. */
  readonly bytes: AsyncIterable<Buffer>;
  /** What a peer typed; resolves when the host has it. Throws `access_denied` for an observer, `not_found` once it is over. */
  input(bytes: Uint8Array): Promise<void>;
  /** Leaves, which is audited. May be called more than once. */
  leave(): void;
}

/** The sessions under way on one gateway. */
export interface LiveSessions {
  list(): readonly LiveSession[];
  /** Ends one and tells its person why. Throws `not_found`. */
  kill(sid: string, message: string): void;
  /**
   * Joins one, once the log has it. Throws `not_found`; `bad_parameter` for a session that is not recorded, or that has no keyboard to share;
   * `unavailable` where it cannot be audited.
   */
  join(sid: string, who: Participant, signal: AbortSignal): Promise<SessionJoin>;
}
