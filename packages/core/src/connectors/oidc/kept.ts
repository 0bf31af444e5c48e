import { createRateLimiter, type Clock } from "../../base/index.ts";
import { oidcLimits } from "./limits.ts";

/** Something read from a provider and kept for a while. Whoever asks while it is being read waits for the same reading. */
export interface Kept<T> {
  /** What is kept, read first where there is nothing fresh. Throws what `read` throws; a failure is not kept. */
  get(): Promise<T>;
  /** Something newer than `seen`, or undefined where it has been read too often lately. */
  renew(seen: T): Promise<T | undefined>;
  /** Has it read anew the next time, unless it is very young. */
  doubt(): void;
}

/** Keeps what `read` gives. */
export function keep<T>(read: () => Promise<T>, clock: Clock): Kept<T> {
  const renewals = createRateLimiter({ burst: oidcLimits.renewals, perSecond: oidcLimits.renewals / 60, keys: 1 }, clock);
  let current: { readonly value: T; readonly at: number } | undefined;
  let reading: Promise<T> | undefined;

  const age = (): number => (current ? Math.abs(clock.now() - current.at) : Number.POSITIVE_INFINITY);

  function readOnce(): Promise<T> {
    reading ??= read()
      .then((value) => {
        current = { value, at: clock.now() };
        return value;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  return {
    get: () => (current && age() < oidcLimits.fresh ? Promise.resolve(current.value) : readOnce()),
    renew(seen) {
      if (current && current.value !== seen) return Promise.resolve(current.value);
      if (reading) return reading;
      return renewals.take("") === 0 ? readOnce() : Promise.resolve(undefined);
    },
    doubt() {
      if (age() >= oidcLimits.young) current = undefined;
    },
  };
}
