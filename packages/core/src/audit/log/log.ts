import { GatehouseError, errorMessage, uuid, type Clock, type Logger } from "../../base/index.ts";
import type { AuditEventInput, AuditLog } from "../types.ts";
import type { ChainLink } from "../verify/index.ts";
import { createBatches, type Batch } from "./batches.ts";
import type { Chain } from "./chain.ts";
import { dayOf, endOfDay } from "./log-file.ts";
import { serialiseEvent } from "./serialise.ts";
import type { LogWriter } from "./writer.ts";

/** What waits to be written; over it events are refused. */
const maxWaiting = 20_000;
const maxWaitingSize = 32 * 1024 * 1024;
const syncMs = 100;
/** Turns of the event loop after which what waits is written, even though more keeps coming. */
const maxTurns = 4;

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

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What the log's users hear when the disk does not take their event. */
export function unavailable(error: unknown): GatehouseError {
  return new GatehouseError("unavailable", `the audit log cannot be written: ${errorMessage(error)}`, { cause: error, hint: "check the disk of the data directory" });
}

/** The log over a writer and a chain. */
export interface ChainedLog extends AuditLog {
  /** Writes the chain's first event, unless it is there; where that fails it goes in front of the next one. */
  begin(): void;
  /** Writes one event that has to know its own link, alone; returns its line once write(2) took it. Rejects with `unavailable`. Works while the log closes. */
  append(build: (link: ChainLink, time: string) => AuditEventInput): Promise<string>;
  /** On the disk, whatever was written until now. */
  sync(): Promise<void>;
  /** Refuses new events, and resolves when those that wait are written. */
  finish(): Promise<void>;
}

/** Parts of {@link createChainedLog}. */
export interface ChainedLogOptions {
  readonly writer: LogWriter;
  readonly chain: Chain;
  /** The first event of the chain, written in front of whatever is written first. */
  readonly first: () => AuditEventInput;
  readonly clock: Clock;
  readonly sync: "group" | "strict";
  readonly logger: Logger;
  /** Told how many lines were written. */
  readonly onWritten?: ((lines: number) => void) | undefined;
}

/** The log over a writer: events of one turn in one write, chained in the order of writing. */
export function createChainedLog(options: ChainedLogOptions): ChainedLog {
  const { writer, chain, clock, logger, onWritten } = options;
  const strict = options.sync === "strict";
  const timeText = timeTexts();
  const batches = createBatches();
  const alone: (() => Promise<void>)[] = [];
  let closed = false;
  /** No drain is under way or due. */
  let idle = true;
  let drained: Promise<void> = Promise.resolve();
  let syncTimer: NodeJS.Timeout | undefined;
  let syncing: Promise<void> | undefined;

  async function write(day: number, lines: readonly string[]): Promise<readonly string[]> {
    const starts = chain.next.n === 0;
    // The lines may have waited over midnight for a disk that takes them, and a file has no line of a later day.
    const all = starts ? [serialiseEvent(options.first(), uuid(), timeText(Math.min(clock.now(), endOfDay(day)))), ...lines] : lines;
    const sealed = chain.seal(all);
    await writer.append(day, Buffer.from(`${sealed.lines.join("\n")}\n`));
    sealed.commit();
    onWritten?.(all.length);
    return sealed.lines;
  }

  async function writeBatch(batch: Batch): Promise<void> {
    try {
      await write(batch.day, batch.lines);
      if (strict) await writer.sync();
      else syncLater();
      batch.resolve();
    } catch (error) {
      logger.error({ error: errorMessage(error), events: batch.lines.length }, "the audit log cannot be written");
      batch.reject(unavailable(error));
    }
  }

  /** Waits for the end of this turn of the event loop, and for a few more as long as each brings events: a write costs far more than a line in it. */
  async function gathered(): Promise<void> {
    for (let turn = 0, before = -1; turn < maxTurns && batches.count > before; turn++) {
      before = batches.count;
      await endOfTurn();
    }
  }

  async function drain(): Promise<void> {
    for (;;) {
      await gathered();
      const one = alone.shift();
      const batch = one ? undefined : batches.take();
      if (one) await one();
      else if (batch) await writeBatch(batch);
      if (alone.length === 0 && batches.count === 0) break;
    }
    idle = true;
  }

  function kick(): void {
    if (!idle) return;
    idle = false;
    drained = drain();
  }

  function syncLater(): void {
    syncTimer ??= setTimeout(() => {
      syncTimer = undefined;
      syncing = writer.sync().catch((error: unknown) => logger.error({ error: errorMessage(error) }, "the audit log cannot be synced to the disk"));
    }, syncMs);
  }

  return {
    emit(event) {
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
      kick();
      return written;
    },
    begin() {
      const day = dayOf(clock.now());
      alone.push(async () => {
        if (chain.next.n === 0) await write(day, []).catch((error: unknown) => logger.error({ error: errorMessage(error) }, "the audit log cannot be written"));
      });
      kick();
    },
    append(build) {
      return new Promise((resolve, reject) => {
        alone.push(async () => {
          const now = clock.now();
          try {
            // The link must be the event's own: the chain's first event goes before it.
            if (chain.next.n === 0) await write(dayOf(now), []);
            const [line = ""] = await write(dayOf(now), [serialiseEvent(build(chain.next, timeText(now)), uuid(), timeText(now))]);
            syncLater();
            resolve(line);
          } catch (error) {
            reject(unavailable(error));
          }
        });
        kick();
      });
    },
    sync: () => writer.sync(),
    async finish() {
      closed = true;
      await drained;
    },
    async close() {
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
