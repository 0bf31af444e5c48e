import { toGatehouseError, type Clock, type GatehouseError } from "../../base/index.ts";
import type { Joined, Joiner } from "./joiner.ts";

/** How files are kept fresh. */
export interface KeepOptions {
  readonly joiner: Pick<Joiner, "join">;
  /** Replaces what the job uses. */
  readonly write: (joined: Joined) => Promise<void>;
  readonly clock: Clock;
  /** Waits so many ms; rejects when `signal` fires. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly written: (joined: Joined) => void;
  /** Told of each attempt that failed, and in how many ms the next one is. */
  readonly failed: (error: GatehouseError, next: number) => void;
}

const firstPause = 5000;
const longestPause = 300_000;
/** Of a certificate's life, what may pass before another one is asked for. */
const renewAfter = 2 / 3;

/**
 * Joins, writes, and does so again long before the certificates end, for ever. What fails on the way is tried again, at longer and longer intervals, while the
 * certificates last; then, and where the first join fails, throws the cause.
 */
export async function keepFresh(options: KeepOptions): Promise<never> {
  const { joiner, write, clock, sleep } = options;
  let joined = await joiner.join();
  for (;;) {
    await write(joined);
    options.written(joined);
    const { expires } = joined.record;
    await sleep(Math.max(1000, (expires - clock.now()) * renewAfter));
    joined = await joinUntil(options, expires);
  }
}

async function joinUntil({ joiner, clock, sleep, failed }: KeepOptions, end: number): Promise<Joined> {
  for (let pause = firstPause; ; pause = Math.min(pause * 2, longestPause)) {
    try {
      return await joiner.join();
    } catch (error) {
      const left = end - clock.now();
      if (left <= 0) throw error;
      const next = Math.min(pause, left);
      failed(toGatehouseError(error), next);
      await sleep(next);
    }
  }
}
