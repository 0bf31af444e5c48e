import { GatehouseError, errorMessage, type Clock, type Logger } from "../../base/index.ts";
import { auditEvents } from "../events.ts";
import type { AuditEventInput, AuditStatus } from "../types.ts";
import { checkpointText } from "../verify/index.ts";
import type { ChainedLog } from "./log.ts";
import type { Ratchet } from "./ratchet.ts";

/** Checkpoints asked for within this time are one. */
const coalesceMs = 1000;

/** Signs what the log says, every so often. */
export interface Checkpoints {
  /** Counts what was written: only then is there something to sign. */
  written(lines: number): void;
  /** A checkpoint within a second. */
  soon(): void;
  /** A checkpoint now, after one that is under way. Throws `unavailable`. */
  now(): Promise<void>;
  /** Events in front of each, see {@link OwnAuditLog.precede}. */
  precede(events: () => readonly AuditEventInput[]): void;
  /** Stops, with a last checkpoint that says so; one that fails is told to the logger. */
  close(): Promise<void>;
  status(): Pick<AuditStatus, "checkpoint" | "problem">;
}

/** Checkpoints of a log, every `intervalMs` in which something was written. `onCheckpoint` gets each line. */
export function createCheckpoints(options: {
  readonly log: ChainedLog;
  readonly ratchet: Ratchet;
  readonly serverId: string;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onCheckpoint: (line: string) => void;
}): Checkpoints {
  const { log, ratchet, serverId, clock, logger } = options;
  let unsigned = 0;
  let preceding: () => readonly AuditEventInput[] = () => [];
  let problem: string | undefined;
  let made: AuditStatus["checkpoint"];
  let working: Promise<void> = Promise.resolve();
  let waiting: NodeJS.Timeout | undefined;

  /** `needless`: also where there is nothing to sign. */
  async function write(last: boolean, needless: boolean): Promise<void> {
    const before = preceding();
    if (!needless && unsigned === 0 && problem === undefined && before.length === 0) return;
    for (const event of before) await log.append(() => event);
    const next = await ratchet.stage();
    const { seq, publicKey: key } = ratchet;
    const line = await log.append((chain, time) => {
      const signature = ratchet.sign(checkpointText({ server: serverId, chain, time, seq, key, next, last }));
      return { ...auditEvents.auditCheckpoint, server_id: serverId, seq, key, next, ...(last ? { last } : {}), signature };
    });
    ratchet.turn();
    unsigned = 0;
    made = { seq, time: clock.now() };
    // A power failure must not take from the log what a witness has seen, nor the line that announces the key that is left.
    await log.sync();
    options.onCheckpoint(line);
    await ratchet.erase();
  }

  function now(last: boolean, needless: boolean): Promise<void> {
    const attempt = working.then(() => write(last, needless));
    working = attempt.then(
      () => {
        problem = undefined;
      },
      (error: unknown) => {
        problem = errorMessage(error);
        logger.error({ error: problem }, "a checkpoint of the audit log could not be signed, written or its key erased");
      },
    );
    return attempt.catch((error: unknown) => {
      throw new GatehouseError("unavailable", `the audit log has no checkpoint: ${errorMessage(error)}`, { cause: error });
    });
  }

  function attempt(): void {
    now(false, false).catch((error: unknown) => {
      // Where the log cannot be written either, the logger has both.
      log.emit({ ...auditEvents.auditCheckpointFailed, server_id: serverId, error: errorMessage(error) }).catch(() => undefined);
    });
  }

  const timer = setInterval(attempt, options.intervalMs);
  timer.unref();
  return {
    written: (lines) => {
      unsigned += lines;
    },
    soon() {
      if (waiting) return;
      waiting = setTimeout(() => {
        waiting = undefined;
        attempt();
      }, coalesceMs);
      waiting.unref();
    },
    precede(events) {
      preceding = events;
    },
    now: () => now(false, true),
    async close() {
      clearInterval(timer);
      clearTimeout(waiting);
      await now(true, true).catch(() => undefined);
    },
    status: () => ({ checkpoint: made, problem }),
  };
}
