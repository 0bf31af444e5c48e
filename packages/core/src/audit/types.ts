import type { WitnessStatus } from "./witnesses/types.ts";

/** A JSON value of an event's field. */
export type EventValue = string | number | boolean | null | readonly EventValue[] | { readonly [key: string]: EventValue | undefined };

/** An event as its author gives it; the log adds `uid` and `time`. Names, codes and fields: reference §12.1. */
export interface AuditEventInput {
  /** Name such as `user.login`, `kube.request`, `exec`. */
  readonly event: string;
  /** v3's code such as `T1001I`; ours begin with `G`. */
  readonly code: string;
  readonly [field: string]: EventValue | undefined;
}

/** An event as it stands in the log. */
export interface AuditEvent extends AuditEventInput {
  /** UUID. */
  readonly uid: string;
  /** RFC 3339, UTC, ms. */
  readonly time: string;
}

/** How the proof of the log stands. */
export interface AuditStatus {
  /** The chain of this process, and how many lines it has. */
  readonly chain: { readonly id: string; readonly lines: number };
  /** The last checkpoint of this process; `time` in ms since the epoch. */
  readonly checkpoint: { readonly seq: number; readonly time: number } | undefined;
  /** Why the last attempt at a checkpoint failed, if it did. */
  readonly problem: string | undefined;
  readonly witnesses: readonly WitnessStatus[];
}

/** The audit log. */
export interface AuditLog {
  /**
   * Resolves when write(2) has taken the event; callers await it before the first byte of their answer.
   * Rejects with `unavailable` when the log cannot be written: then what was to be audited must not happen (or must say so).
   */
  emit(event: AuditEventInput): Promise<void>;
  /** Flushes, syncs and closes. */
  close(): Promise<void>;
}

/** A place in the log: behind so many bytes of a file. */
export interface LogPosition {
  readonly file: string;
  readonly offset: number;
}

/** The audit log as its owner has it. */
export interface OwnAuditLog extends AuditLog {
  status(): AuditStatus;
  /** The file that is written to, and how many of its bytes are events that were taken. */
  position(): LogPosition;
  /** Takes away days that are older than they have to be kept, now and not in an hour. */
  prune(): Promise<void>;
  /** Events that go right in front of each checkpoint; where there are any, there is one to sign. Replaces what was given before. */
  precede(events: () => readonly AuditEventInput[]): void;
  /** Writes a checkpoint now. Throws `unavailable`. */
  checkpoint(): Promise<void>;
}
