import type { AuditEventInput } from "../../../audit/index.ts";
import type { StreamSinks } from "../../../formats/index.ts";

/** What the gateway records, where a person's roles do not say. */
export type RecordingDefault = "strict" | "best_effort" | "off";

/** The stream that a session runs on. */
export interface SessionStream {
  /** When payload last passed; ms since the epoch. */
  readonly lastActive: number;
  /** Bytes of payload that passed, either way. */
  readonly carried: number;
  /** {@link StreamSession.behind} or {@link StreamSession.problem} is another now. */
  changed(): void;
}

/** A stream as auditors see it: an exec, an attach or a port-forward, from the decision to let it in to its end. */
export interface StreamSession {
  readonly sid: string;
  /** Whom the tap tells what passes. */
  readonly sinks: StreamSinks;
  /** The recording does not keep up: both sides are to be held back. */
  readonly behind: boolean;
  /** Why it must end: it can no longer be recorded. */
  readonly problem: string | undefined;
  /** What is audited before the first byte passes, beside the event of the upgrade. */
  started(protocol: string): readonly AuditEventInput[];
  /** Nobody can tell what passes. Returns why it may then not run; undefined where it may, with a gap. */
  blind(protocol: string): string | undefined;
  /** It runs, on this stream. */
  run(stream: SessionStream): void;
  /** Looks after what time alone brings. */
  tick(now: number): void;
  /** The stream is over. `reason`: why the gateway ended it; undefined where it did not. */
  end(reason: string | undefined): void;
  /** It did not come about. */
  drop(): void;
}

/** A session under way, for administrators. Times in ms since the epoch. */
export interface LiveSession {
  readonly sid: string;
  readonly kind: "exec" | "attach" | "portforward";
  readonly user: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
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

/** The container of a session's recording as it grows. */
export interface SessionWatch {
  readonly bytes: AsyncIterable<Buffer>;
}

/** The sessions under way on one gateway. */
export interface LiveSessions {
  list(): readonly LiveSession[];
  /** Ends one and tells its person why. Throws `not_found`. */
  kill(sid: string, message: string): void;
  /** Throws `not_found`; `bad_parameter` for a session that is not recorded. */
  watch(sid: string, signal: AbortSignal): SessionWatch;
}
