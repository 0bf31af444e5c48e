import { constants } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "../../base/index.ts";
import { auditEvents, type EventFields } from "../events.ts";
import { readLines } from "../verify/index.ts";
import { liveSuffix } from "./disk.ts";

const dayMs = 86_400_000;
const logName = /^\d{4}-\d{2}-\d{2}\.00:00:00\.log$/;
/** Bytes of the log, from its end, in which sessions without an end are looked for. */
const maxRead = 1024 * 1024 * 1024;
const maxOpen = 100_000;

/** What an earlier run of this gateway may have left open. */
export interface Left {
  /** Session ids of live recordings. */
  readonly live: readonly string[];
  /** Files of the log, oldest first, and how much of each there was. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** What the log tells of sessions. */
export interface Told {
  /** `session.start` of those that have no end. */
  readonly open: ReadonlyMap<string, EventFields>;
  /** Those of the live recordings that have one. */
  readonly ended: ReadonlySet<string>;
}

/** Looks what is there. `folder` has the recordings, `directory` the log's files. */
export async function findLeft({ folder, directory }: { readonly folder: string; readonly directory: string }): Promise<Left> {
  const names = (await readdir(folder).catch(noneIfMissing)).filter((name) => name.endsWith(liveSuffix));
  let oldest = Infinity;
  for (const name of names) oldest = Math.min(oldest, (await stat(join(folder, name))).mtimeMs);
  const since = Number.isFinite(oldest) ? new Date(oldest - dayMs).toISOString() : "~";
  const files: { path: string; size: number }[] = [];
  let total = 0;
  for (const name of (await readdir(directory).catch(noneIfMissing)).filter((one) => logName.test(one)).sort().reverse()) {
    const path = join(directory, name);
    const { size } = await stat(path);
    total += size;
    if (total > maxRead && name < since) break;
    files.unshift({ path, size });
  }
  return { live: names.map((name) => name.slice(0, -liveSuffix.length)), files };
}

/** Reads what the log tells of sessions. */
export async function readTold({ live, files }: Left): Promise<Told> {
  const starts = new Map<string, EventFields>();
  const wanted = new Set(live);
  const ended = new Set<string>();
  const [start, end] = [auditEvents.sessionStart.event, auditEvents.sessionEnd.event];
  for (const { path, size } of files) {
    if (size === 0) continue;
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    // Closed with its stream.
    for await (const batch of readLines(file.createReadStream({ end: size - 1, highWaterMark: 1024 * 1024 }))) {
      for (const { bytes } of batch) {
        if (!bytes.includes(`"event":"session.`)) continue;
        const event = parse(bytes);
        const sid = event?.["sid"];
        if (typeof sid !== "string") continue;
        if (event?.["event"] === start && starts.size < maxOpen) starts.set(sid, event);
        else if (event?.["event"] === end) {
          starts.delete(sid);
          if (wanted.has(sid)) ended.add(sid);
        }
      }
    }
  }
  return { open: starts, ended };
}

function parse(bytes: Buffer): EventFields | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as EventFields) : undefined;
  } catch {
    return undefined;
  }
}

function noneIfMissing(error: unknown): string[] {
  if (systemErrorCode(error) === "ENOENT") return [];
  throw error;
}
