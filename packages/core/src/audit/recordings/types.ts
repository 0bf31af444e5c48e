import type { RecordingEnd, RecordingHeader, RecordingMarker, TerminalSize } from "../../formats/index.ts";
import type { AuditEventInput } from "../types.ts";

/** What becomes of a session whose recording cannot be written: it is held back and then ends, or it goes on and the gap is told. */
export type RecordingMode = "strict" | "best_effort";

/** A recording as it was when its session ended. */
export interface RecordingResult {
  /** `<server id>/sessions/default/<sid>.rec`, below the directory of logs. */
  readonly file: string;
  readonly bytes: number;
  /** Hex hash of the last chunk, which commits to the whole file. */
  readonly sha256: string;
  /** Everything that passed is in it, its end included. */
  readonly complete: boolean;
}

/** What the author of a recording is told while it is written. */
export interface RecordingListener {
  /** {@link Recording.behind} or {@link Recording.problem} is another now. */
  changed(): void;
  /** Bytes are missing from here on, or (with `over`) were missing up to here. */
  gap(gap: { readonly bytes: number; readonly why: string; readonly over: boolean }): void;
}

/** The recording of one live session. What it is given is in the file within 250 ms, and on the disk a second later. */
export interface Recording {
  readonly sid: string;
  /** More waits to be written than should: what passes is to be held back until this is false again. */
  readonly behind: boolean;
  /** Why a session that must be recorded no longer can be, in words for its person. Never set where gaps are allowed. */
  readonly problem: string | undefined;
  /** Takes a copy of bytes that passed. */
  write(stream: "o" | "e" | "i", bytes: Uint8Array): void;
  resize(size: TerminalSize): void;
  /** Something happened beside the terminal. Where there may be gaps it may be missing; a text that is too long is cut. */
  mark(marker: RecordingMarker): void;
  /** Writes what waits and the end. Never throws: what could not be written is missing from the result. Later calls give the same. */
  end(end: RecordingEnd): Promise<RecordingResult>;
  /** Gives the ended recording its lasting name: call when its end is audited, so that a gateway that dies in between tells it at its next start. */
  settle(): Promise<void>;
  /** Removes it: the session did not come about. */
  discard(): Promise<void>;
  /** Bytes of the container that are in the file. */
  readonly size: number;
  /** The container's bytes from its beginning, and on as they are written (within some 10 ms while somebody follows), to its end. Read from the file: whoever reads slowly costs nothing. */
  follow(signal: AbortSignal): AsyncIterable<Buffer>;
}

/** The recordings that one gateway writes. */
export interface Recordings {
  /** Begins one: its header is in the file when this resolves. Throws `unavailable` where it cannot be written, `limit_exceeded` for a header that is too large. */
  open(header: RecordingHeader, mode: RecordingMode, listener: RecordingListener): Promise<Recording>;
  /** Resolves when what an earlier run of this gateway left open is closed. Never rejects: what cannot be closed is logged, and tried at the next start. */
  readonly recovered: Promise<void>;
  /** Events that tell how far live recordings are on the disk, and their digests: of those that went on since the last call. */
  digests(): readonly AuditEventInput[];
  /** Waits for the disk and closes. Recordings that are open must have ended before. */
  close(): Promise<void>;
}

/** The parts of a file that a recording needs; where disks fail, tests give one that does. */
export interface RecordingFile {
  /** Writes all of it, from this byte of the file on; with `pastCache` past the system's cache what can go there, as the disk takes it. */
  write(chunks: readonly Buffer[], position: number, pastCache?: boolean): Promise<void>;
  datasync(): Promise<void>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** Creates a file that must not be there. */
export type CreateFile = (path: string) => Promise<RecordingFile>;

/** Bounds of recordings. Sizes in bytes, times in ms. */
export interface RecordingLimits {
  /** What waits longest before it is written. */
  readonly flush: number;
  /** Between two syncs to the disk. */
  readonly sync: number;
  /** What may wait of one session before it is held back; what may wait at all is four times as much. */
  readonly waiting: number;
  /** How long nothing is written of what waits, however little, before the session is held back. */
  readonly late: number;
  /** How long what was written may be short of the disk before the session is held back (strict). */
  readonly unsynced: number;
  /** What may wait of all sessions before all are held back. */
  readonly total: number;
  /** How long a session is held back before it ends (strict). */
  readonly stall: number;
  /** How long a session is held back before there is a gap (best effort). */
  readonly patience: number;
  /** Between two tries of a write that failed. */
  readonly retry: number;
  /** How long opening and ending may take. */
  readonly deadline: number;
}
