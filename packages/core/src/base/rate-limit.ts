import type { Clock } from "./clock.ts";

/** A token bucket per key. */
export interface RateLimit {
  /** Calls that may come at once. */
  readonly burst: number;
  /** Calls a second afterwards. */
  readonly perSecond: number;
  /** Keys remembered; at the bound the one not seen longest is forgotten. */
  readonly keys: number;
}

/** Counts calls by key. */
export interface RateLimiter {
  /** 0 when the call may go on, else ms until one may. */
  take(key: string): number;
}

/** A limiter in memory, bounded by `limit.keys`. */
export function createRateLimiter(limit: RateLimit, clock: Clock): RateLimiter {
  const buckets = new Map<string, { tokens: number; at: number }>();
  return {
    take(key) {
      const now = clock.now();
      const bucket = buckets.get(key) ?? { tokens: limit.burst, at: now };
      bucket.tokens = Math.min(limit.burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * limit.perSecond);
      bucket.at = now;
      // Deleting first moves the key to the end: the map's order is the order of last use.
      buckets.delete(key);
      buckets.set(key, bucket);
      if (buckets.size > limit.keys) {
        const [oldest] = buckets.keys();
        if (oldest !== undefined) buckets.delete(oldest);
      }
      if (bucket.tokens >= 1) {
        bucket.tokens -= 1;
        return 0;
      }
      return Math.ceil(((1 - bucket.tokens) / limit.perSecond) * 1000);
    },
  };
}

/** What one caller is counted by: an IPv4 address, or the /64 of an IPv6 one (a household has that many addresses). Takes `ip:port` too. */
export function addressKey(peer: string): string {
  const address = peer.replace(/^(::ffff:)?(\d+\.\d+\.\d+\.\d+):\d+$/i, "$2");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => "0");
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
