import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { errorMessage, type Logger } from "../../base/index.ts";
import type { EventIndex } from "../../store/index.ts";
import { dayOfFile } from "../log/log-file.ts";
import type { LogPosition } from "../types.ts";
import { blockSize, readBlock } from "./lines.ts";
import { Terms, indexedLine } from "./terms.ts";

const lookMs = 1000;
/** Days before the newest two do not change: how often they are looked at all the same. */
const allMs = 3_600_000;
const newest = 2;
/** The end of the log becomes a block when it is as large as one, or this old. */
const settleMs = 60_000;
/** Between two blocks of a log that has to be caught up with: requests go first. */
const pauseMs = 10;

/** Builds the index of one server's log, behind the log. */
export interface Indexer {
  /** How far each file is indexed. */
  ends(): ReadonlyMap<string, number>;
  /** Indexes whatever is there now, the end of the log too. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
}

/** The files of a log, oldest first. */
export async function logFiles(folder: string): Promise<readonly string[]> {
  return (await readdir(folder)).filter((name) => dayOfFile(name) !== undefined).sort();
}

/** Starts indexing. What the log has not taken yet (`position`) is never in the index. */
export async function startIndexer(options: {
  readonly folder: string;
  readonly serverId: string;
  readonly index: EventIndex;
  readonly position: () => LogPosition;
  readonly logger: Logger;
}): Promise<Indexer> {
  const { folder, serverId, index, position, logger } = options;
  const ends = new Map(await index.ends(serverId));
  const stopping = new AbortController();
  const stopped = (): boolean => stopping.signal.aborted;
  let settled = performance.now();
  let lookedAtAll = -Infinity;
  let failing = false;

  /** Files that are gone, or shorter than what is indexed of them. */
  async function forget(files: readonly string[], looked: readonly string[]): Promise<void> {
    const stale: string[] = [];
    const there = new Set(files);
    for (const [file, end] of ends) {
      if (!there.has(file) || (looked.includes(file) && (await stat(join(folder, file))).size < end)) stale.push(file);
    }
    if (stale.length === 0) return;
    await index.forget(serverId, stale);
    for (const file of stale) ends.delete(file);
  }

  async function block(file: string, end: number, whole: boolean): Promise<boolean> {
    const start = ends.get(file) ?? 0;
    if (end - start <= 0 || (!whole && end - start < blockSize)) return false;
    const lines = await readBlock(join(folder, file), start, end);
    const stop = lines.at(-1)?.stop;
    if (stop === undefined) return false;
    const terms = new Terms();
    for (const { bytes } of lines) {
      const indexed = indexedLine(bytes);
      if (indexed) terms.add(indexed);
    }
    const [first, last] = Number.isFinite(terms.first) ? [terms.first, terms.last] : [0, Number.MAX_SAFE_INTEGER];
    await index.add({ server: serverId, file, start, stop, first, last }, terms.list());
    ends.set(file, stop);
    return true;
  }

  async function round(everything: boolean): Promise<void> {
    const files = await logFiles(folder);
    const all = everything || performance.now() - lookedAtAll >= allMs;
    const looked = all ? files : files.slice(-newest);
    await forget(files, looked);
    const now = position();
    const settle = everything || performance.now() - settled >= settleMs;
    if (settle) settled = performance.now();
    for (const file of looked) {
      const current = file === now.file;
      const end = current ? now.offset : (await stat(join(folder, file))).size;
      while (!stopped() && (await block(file, end, settle || !current))) if (!everything) await after(pauseMs, undefined, { signal: stopping.signal, ref: false });
    }
    if (all && !stopped()) lookedAtAll = performance.now();
  }

  let working: Promise<void> = Promise.resolve();
  function attempt(everything: boolean): Promise<void> {
    const mine = working.then(() => round(everything));
    working = mine.catch(() => undefined);
    return mine;
  }

  async function run(): Promise<void> {
    while (!stopped()) {
      try {
        await attempt(false);
        failing = false;
      } catch (error) {
        if (!failing && !stopped()) logger.warn({ error: errorMessage(error) }, "the index of the audit log cannot be kept up; events are read without it");
        failing = true;
      }
      await after(lookMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
    }
  }
  const running = run();
  return {
    ends: () => ends,
    catchUp: () => attempt(true),
    async close() {
      stopping.abort();
      await running;
    },
  };
}
