/** Where time comes from; injected so that tests can move it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** A clock that tests set and advance. */
export interface ManualClock extends Clock {
  /** Moves the clock forward (or back) by this many ms. */
  advance(ms: number): void;
  set(ms: number): void;
}

/** A clock that stands at `start` (ms since the epoch) until it is moved. */
export function manualClock(start: number): ManualClock {
  let now = start;
  return {
    now: () => now,
    advance(ms) {
      now += ms;
    },
    set(ms) {
      now = ms;
    },
  };
}
