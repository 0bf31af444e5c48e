import { describeDuration } from "../../base/index.ts";
import type { Place } from "./types.ts";

/** What an `audit.pruned` event says: whole days that are gone on purpose. */
export interface Pruning {
  readonly place: Place;
  /** RFC 3339. */
  readonly time: string;
  /** Hashes of the last line of each day that went. */
  readonly hashes: ReadonlySet<string>;
  /** In words. */
  readonly retention: string;
  /** Everything before this moment (RFC 3339, a midnight) went. */
  readonly before: string;
  /** A checkpoint whose signature is right stands behind it. */
  signed: boolean;
  /** A witness has such a checkpoint. */
  proven: boolean;
}

const dayMs = 86_400_000;
const midnightPattern = /^\d{4}-\d{2}-\d{2}T00:00:00\.000Z$/;
const timePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const dayPattern = /^\d{4}-\d{2}-\d{2}\.00:00:00\.log$/;
const hashPattern = /^[A-Za-z0-9_-]{43}$/;
/** The log names no more in one event. */
const maxFiles = 100;

/** Reads an `audit.pruned` event; in words, what it says that the log would never write. */
export function readPruning(event: Readonly<Record<string, unknown>>, place: Place): Pruning | string {
  const { files, before, time, retention_ms: retention } = event;
  if (typeof time !== "string" || !timePattern.test(time) || Number.isNaN(Date.parse(time))) return "it has no time";
  if (typeof before !== "string" || !midnightPattern.test(before) || Number.isNaN(Date.parse(before)) || before > time) return "it does not say which days";
  if (typeof retention !== "number" || !Number.isSafeInteger(retention) || retention < dayMs) return "it names no retention of a day or more";
  if (Date.parse(time) - Date.parse(before) < retention) return `days before ${before} were pruned at ${time}, younger than the retention that this says itself`;
  if (!Array.isArray(files) || files.length === 0 || files.length > maxFiles) return "it does not say which files";
  const hashes = new Set<string>();
  for (const one of files as readonly unknown[]) {
    const { file, hash, bytes } = typeof one === "object" && one !== null ? (one as Readonly<Record<string, unknown>>) : {};
    if (typeof file !== "string" || !dayPattern.test(file) || file.slice(0, 10) >= before.slice(0, 10)) return "it names a file that is no day before that";
    // A day without a line has no last one.
    if (hash === undefined && bytes === 0) continue;
    if (typeof hash !== "string" || !hashPattern.test(hash)) return "it does not say how each day ended";
    hashes.add(hash);
  }
  return { place, time, hashes, before, retention: `retention ${describeDuration(retention)}`, signed: false, proven: false };
}
