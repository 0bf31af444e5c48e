import { errorMessage, type Clock, type Logger } from "../../base/index.ts";
import type { WitnessStatus, WitnessWriter } from "./types.ts";

/** Over it the oldest are dropped: a later checkpoint says all that they said. */
const maxWaiting = 10_000;
const firstRetry = 1000;
const lastRetry = 60_000;
/** How long a clean end waits for each witness to take what is left. */
const closeMs = 5000;

/** Checkpoints on their way to one witness. */
export interface Outbox {
  add(line: string): void;
  status(): WitnessStatus;
  /** Tries to hand over what is left, then closes. */
  close(): Promise<void>;
}

/** Hands checkpoints to a witness, in order, and tries again until it takes them. */
export function createOutbox(writer: WitnessWriter, { clock, logger, retryMs = firstRetry }: { readonly clock: Clock; readonly logger: Logger; readonly retryMs?: number | undefined }): Outbox {
  const waiting: { readonly line: string; readonly time: number }[] = [];
  let dropped = 0;
  let problem: string | undefined;
  let pause = retryMs;
  let working: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function work(): Promise<void> {
    for (let next = waiting[0]; next; next = waiting[0]) {
      try {
        await writer.send(next.line);
      } catch (error) {
        if (problem === undefined) logger.error({ witness: writer.name, error: errorMessage(error) }, "a witness did not take a checkpoint of the audit log; it is tried again");
        problem = errorMessage(error);
        if (!closed) timer = setTimeout(start, pause).unref();
        pause = Math.min(pause * 2, lastRetry);
        return;
      }
      // It may have been dropped meanwhile.
      if (waiting[0] === next) waiting.shift();
      if (problem !== undefined) logger.info({ witness: writer.name }, "a witness takes checkpoints again");
      problem = undefined;
      pause = retryMs;
    }
  }

  function start(): void {
    timer = undefined;
    working ??= work().finally(() => {
      working = undefined;
      // One that came while the last send was failing waits for the timer; one that came as the loop ended does not.
      if (waiting.length > 0 && timer === undefined && !closed) start();
    });
  }

  return {
    add(line) {
      if (waiting.length >= maxWaiting) {
        waiting.shift();
        dropped += 1;
      }
      waiting.push({ line, time: clock.now() });
      if (timer === undefined) start();
    },
    status: () => ({ name: writer.name, waiting: waiting.length, lag: waiting[0] ? Math.max(0, clock.now() - waiting[0].time) : 0, dropped, problem }),
    async close() {
      closed = true;
      clearTimeout(timer);
      await working;
      start();
      let late: NodeJS.Timeout | undefined;
      await Promise.race([working, new Promise<void>((resolve) => (late = setTimeout(resolve, closeMs)))]);
      clearTimeout(late);
      if (waiting.length > 0) logger.error({ witness: writer.name, checkpoints: waiting.length }, "a witness has not taken the last checkpoints of the audit log");
      await writer.close();
    },
  };
}
