import type { Clock } from "../../base/index.ts";

const maxKept = 10_000;

/** Assertions that were used: each is good once. */
export interface ReplayCache {
  /** Marks an assertion as used until it expires anyway (ms since the epoch); false where it is already. */
  use(id: string, until: number): boolean;
}

/**
 * Keeps ids until the assertions expire, and at most 10,000 of them, dropping the oldest: the login's state, which is good once on all gateways together, is
 * what holds a replay off even then.
 */
export function createReplayCache(clock: Clock): ReplayCache {
  const used = new Map<string, number>();
  return {
    use(id, until) {
      const now = clock.now();
      for (const [other, end] of used) if (end < now) used.delete(other);
      if (used.has(id)) return false;
      const [oldest] = used.keys();
      if (used.size >= maxKept && oldest !== undefined) used.delete(oldest);
      used.set(id, until);
      return true;
    },
  };
}
