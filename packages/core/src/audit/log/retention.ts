import { createReadStream } from "node:fs";
import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, syncDirectory, systemErrorCode, type Clock, type Logger } from "../../base/index.ts";
import { auditEvents } from "../events.ts";
import type { AuditLog, LogPosition } from "../types.ts";
import { isRecordingName, readLines } from "../verify/index.ts";
import { dayFileName, dayOf } from "./log-file.ts";
import { daysIn, findTail } from "./tail.ts";

const dayMs = 86_400_000;
const lookMs = 3_600_000;
/** Days that one stub stands for: it has to stay a short line. */
const maxFiles = 100;

/** Takes away days that are older than they have to be kept. */
export interface Retention {
  /** Looks now. Throws what the system throws; what is gone by then has its stub. */
  prune(): Promise<void>;
  close(): Promise<void>;
}

async function removeFile(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  });
}

/** Removes the recordings of the sessions that ended in this file. */
async function removeRecordings(directory: string, path: string): Promise<void> {
  for await (const batch of readLines(createReadStream(path, { highWaterMark: 1024 * 1024 }))) {
    for (const { bytes } of batch) {
      if (!bytes.includes('"session.end"')) continue;
      try {
        const event = JSON.parse(bytes.toString("utf8")) as { event?: unknown; recording?: { file?: unknown } | null };
        const file = event.event === "session.end" ? event.recording?.file : undefined;
        if (!isRecordingName(file)) continue;
        await removeFile(join(directory, file));
        // As a crash left it, where it was damaged.
        await removeFile(join(directory, file.replace(/\.rec$/, ".damaged")));
      } catch (error) {
        // A line that is no JSON names no recording.
        if (!(error instanceof SyntaxError)) throw error;
      }
    }
  }
}

/**
 * Prunes whole days (UTC) that ended more than `retentionMs` ago, with the recordings of sessions that ended in them. Before anything goes, an
 * `audit.pruned` event says what, and a checkpoint signs it: so pruning is told from tampering. Looks at once, and every hour.
 */
export function startRetention(options: {
  readonly directory: string;
  readonly serverId: string;
  readonly retentionMs: number;
  readonly log: Pick<AuditLog, "emit">;
  readonly checkpoint: () => Promise<void>;
  readonly position: () => LogPosition;
  readonly clock: Clock;
  readonly logger: Logger;
}): Retention {
  const { directory, serverId, retentionMs, log, clock, logger } = options;
  const folder = join(directory, serverId);
  let working: Promise<void> = Promise.resolve();
  let closed = false;

  async function round(): Promise<boolean> {
    const firstKept = dayOf(clock.now() - retentionMs);
    const current = options.position().file;
    const old = (await daysIn(folder)).filter((day) => day < firstKept).map(dayFileName).filter((name) => name < current);
    const names = old.slice(0, maxFiles);
    if (names.length === 0 || closed) return false;
    const files = [];
    for (const file of names) files.push({ file, bytes: (await stat(join(folder, file))).size, hash: (await findTail(folder, [file]))?.hash });
    const last = names.at(-1) ?? "";
    const before = new Date(Date.parse(`${last.slice(0, 10)}T00:00:00Z`) + dayMs).toISOString();
    await log.emit({ ...auditEvents.auditPruned, server_id: serverId, before, retention_ms: retentionMs, files });
    await options.checkpoint();
    for (const file of names) {
      await removeRecordings(directory, join(folder, file));
      await removeFile(join(folder, file));
    }
    await syncDirectory(folder);
    logger.info({ before, days: names.length }, "old days of the audit log were pruned");
    return true;
  }

  async function rounds(): Promise<void> {
    while (await round());
  }
  function prune(): Promise<void> {
    const mine = working.then(rounds);
    working = mine.catch(() => undefined);
    return mine;
  }
  function attempt(): void {
    prune().catch((error: unknown) => logger.error({ error: errorMessage(error) }, "old days of the audit log could not be pruned; it is tried again"));
  }
  attempt();
  const timer = setInterval(attempt, lookMs).unref();
  return {
    prune,
    async close() {
      closed = true;
      clearInterval(timer);
      await working;
    },
  };
}
