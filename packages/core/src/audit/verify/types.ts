/** One server's log: its files in the order of their names. */
export interface LogSource {
  readonly server: string;
  readonly files: readonly LogSourceFile[];
  /** The bytes of a recording by the name that `session.end` has; undefined where there is none. */
  recording(name: string): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Names of all that is where recordings are, taken before the names of the files. */
  readonly recordings?: readonly string[] | undefined;
  /** What stands in the way of reading it, in words: a name that is no file. */
  readonly problems?: readonly { readonly file: string; readonly text: string }[] | undefined;
}

/** A file of a log. */
export interface LogSourceFile {
  readonly name: string;
  /** Bytes, for the progress. */
  readonly size: number;
  read(): AsyncIterable<Uint8Array>;
}

/** A place in a log: file, and line from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/**
 * What is wrong. `removed` lines are gone from before the place; `changed`, `added` and `moved` lines are at it. `checkpoint`: its signature or its key
 * is not what it must be. `witness`: the log is not what a witness saw. `recording`: missing, or not what its session's end says. `pruned`: pruned
 * by nobody's rule. `session`: it has no end and must have one. `many`: what comes after is not named.
 */
export interface Finding {
  readonly kind: "removed" | "changed" | "added" | "moved" | "checkpoint" | "witness" | "recording" | "pruned" | "session" | "many";
  readonly server: string;
  /** Absent where no place is left: the whole log, or its end, is gone. */
  readonly place: Place | undefined;
  /** Chain and numbers of the lines concerned, where they are known. */
  readonly lines: { readonly chain: string; readonly from: number; readonly to: number } | undefined;
  /** In words, without the place. */
  readonly text: string;
}

/** What is not wrong and has to be known. */
export interface Note {
  readonly kind: "pruned" | "torn" | "open" | "unchained" | "begins" | "gap" | "witness";
  readonly server: string;
  readonly place: Place | undefined;
  readonly text: string;
}

/** What was found of one server. */
export interface ServerSummary {
  readonly server: string;
  readonly files: number;
  readonly lines: number;
  readonly recordings: number;
  readonly checkpoints: number;
  readonly chains: number;
  /** The last checkpoint that a witness has too. */
  readonly proven: { readonly time: string; readonly witness: string; readonly place: Place } | undefined;
  /** The first day (`YYYY-MM-DD`) that was looked at, where earlier ones are left out: nothing before it is proven. */
  readonly from: string | undefined;
  /** Lines after that checkpoint. */
  readonly unproven: number;
}

/** The outcome of a verification. */
export interface Verification {
  readonly unbroken: boolean;
  readonly servers: readonly ServerSummary[];
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
}
