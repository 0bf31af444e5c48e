import { errorMessage, type Logger } from "../base/index.ts";

/** Work that repeats until it is stopped. */
export interface Polling {
  /** Waits for something; its failure is logged and no more than that. */
  tolerate(work: Promise<void>): Promise<void>;
  /** Ends it, after the run that is under way. */
  stop(): Promise<void>;
}

/** Runs `work` again and again, `intervalMs` after the last run ended. The first of failures in a row is logged. */
export function startPolling(options: { readonly intervalMs: number; readonly work: () => Promise<void>; readonly logger: Logger }): Polling {
  let stopped = false;
  let failing = false;
  let current: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  async function tolerate(work: Promise<void>): Promise<void> {
    try {
      await work;
      if (failing) options.logger.info({}, "the store's change feed is read again");
      failing = false;
    } catch (error) {
      if (!failing && !stopped) options.logger.error({ error: errorMessage(error) }, "the store's change feed cannot be read");
      failing = true;
    }
  }
  const schedule = (): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      current = tolerate(options.work()).then(schedule);
    }, options.intervalMs);
    timer.unref();
  };
  schedule();

  return {
    tolerate,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
