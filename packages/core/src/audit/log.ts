import { GatehouseError, errorMessage, systemRandom, uuid, type Clock, type Logger, type Random } from "../base/index.ts";
import { createBatches, type Batch } from "./batches.ts";
import { serialiseEvent } from "./serialise.ts";
import type { AuditEventInput, AuditLog } from "./types.ts";
import { createWriter, type LogWriter } from "./writer.ts";

/** What waits to be written; over it events are refused. */
const maxWaiting = 20_000;
const maxWaitingSize = 32 * 1024 * 1024;
const syncMs = 100;

/** Where the log is and how safe it is. */
export interface AuditLogOptions {
  /** Files are `<directory>/<serverId>/YYYY-MM-DD.00:00:00.log`; `<directory>/events.log` links to the current one. Made (0700) if missing. */
  readonly directory: string;
  readonly serverId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * `group`: an event counts as written when write(2) took it, and is on the disk within 100 ms. `strict`: it is on the disk first
   * (one that the disk refused may still be in the log).
   */
  readonly sync: "group" | "strict";
  readonly random?: Random | undefined;
}

/** Names the time of events; consecutive events often share a millisecond. */
function timeTexts(): (now: number) => string {
  let last = Number.NaN;
  let text = "";
  return (now) => {
    if (now !== last) {
      last = now;
      text = new Date(now).toISOString();
    }
    return text;
  };
}

function unavailable(error: unknown): GatehouseError {
  return new GatehouseError("unavailable", `the audit log cannot be written: ${errorMessage(error)}`, { cause: error, hint: "check the disk of the data directory" });
}

/**
 * Opens the audit log for appending, after cutting off a line that a crash has torn. Throws `unavailable` where that cannot be done, and
 * `bad_parameter` for a server id that is no file name.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { clock, sync, logger, serverId, directory } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(serverId)) throw new GatehouseError("bad_parameter", `"${serverId}" is not a server id`);
  const writer = createWriter({ directory, serverId, random: options.random ?? systemRandom, logger });
  try {
    await writer.open(clock.now());
  } catch (error) {
    throw unavailable(error);
  }
  return createAuditLog({ writer, clock, sync, logger });
}

/** The log over a writer. */
export function createAuditLog(options: { readonly writer: LogWriter; readonly clock: Clock; readonly sync: "group" | "strict"; readonly logger: Logger }): AuditLog {
  const { writer, clock, logger } = options;
  const strict = options.sync === "strict";
  const timeText = timeTexts();
  const batches = createBatches();
  let closed = false;
  /** No drain is under way or due. */
  let idle = true;
  let drained: Promise<void> = Promise.resolve();
  let syncTimer: NodeJS.Timeout | undefined;
  let syncing: Promise<void> | undefined;

  async function write(batch: Batch): Promise<void> {
    try {
      await writer.append(batch.day, Buffer.from(batch.text));
      if (strict) await writer.sync();
      else syncLater();
      batch.resolve();
    } catch (error) {
      logger.error({ error: errorMessage(error), events: batch.count }, "the audit log cannot be written");
      batch.reject(unavailable(error));
    }
  }

  async function drain(): Promise<void> {
    for (let batch = batches.take(); batch; batch = batches.take()) await write(batch);
    idle = true;
  }

  function syncLater(): void {
    syncTimer ??= setTimeout(() => {
      syncTimer = undefined;
      syncing = writer.sync().catch((error: unknown) => logger.error({ error: errorMessage(error) }, "the audit log cannot be synced to the disk"));
    }, syncMs);
  }

  return {
    emit(event: AuditEventInput) {
      if (closed) return Promise.reject(new GatehouseError("unavailable", "the audit log is closed"));
      if (batches.count >= maxWaiting || batches.size >= maxWaitingSize) {
        return Promise.reject(new GatehouseError("unavailable", "the audit log does not keep up", { hint: "check the disk of the data directory" }));
      }
      const now = clock.now();
      let line: string;
      try {
        line = serialiseEvent(event, uuid(), timeText(now));
      } catch (error) {
        return Promise.reject(new GatehouseError("internal", `the event ${event.event} cannot be written as JSON`, { cause: error }));
      }
      const written = batches.add(line, now);
      // Everything that this turn of the event loop emits goes out in one write.
      if (idle) {
        idle = false;
        drained = new Promise((resolve) => setImmediate(resolve)).then(drain);
      }
      return written;
    },
    async close() {
      if (closed) return;
      closed = true;
      await drained;
      clearTimeout(syncTimer);
      await syncing;
      try {
        await writer.close();
      } catch (error) {
        throw unavailable(error);
      }
    },
  };
}
