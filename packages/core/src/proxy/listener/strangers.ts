import { addressKey, createRateLimiter } from "../../base/index.ts";
import type { Clock, RateLimiter } from "../../base/index.ts";

/** Refusals of one address that get an event each: so many at once, then one a second. */
const burst = 30;
const maxAddresses = 10_000;
/** How often those that got none are told of, ms. */
const summaryInterval = 10_000;
/** Who is counted when there are too many addresses to keep apart. */
const everybodyElse = "others";

/**
 * Callers without a good certificate. Anybody who reaches the port can be one, as often as they like, so they must not be able to fill the disk
 * with the audit log: over a rate, an address's refusals are counted and told of together.
 */
export class Strangers {
  readonly #limiter: RateLimiter;
  readonly #tell: (address: string, count: number) => void;
  readonly #timer: NodeJS.Timeout;
  #untold = new Map<string, number>();

  /** `tell` writes one event about `count` refusals of an address. */
  constructor(clock: Clock, tell: (address: string, count: number) => void) {
    this.#limiter = createRateLimiter({ burst, perSecond: 1, keys: maxAddresses }, clock);
    this.#tell = tell;
    this.#timer = setInterval(() => this.flush(), summaryInterval).unref();
  }

  /** True where this refusal of `peer` (`ip:port`) gets an event of its own; else it is counted. */
  admit(peer: string): boolean {
    const address = addressKey(peer);
    if (this.#limiter.take(address) === 0) return true;
    const key = this.#untold.has(address) || this.#untold.size < maxAddresses ? address : everybodyElse;
    this.#untold.set(key, (this.#untold.get(key) ?? 0) + 1);
    return false;
  }

  /** Tells of what was counted. */
  flush(): void {
    const untold = this.#untold;
    if (untold.size === 0) return;
    this.#untold = new Map();
    for (const [address, count] of untold) this.#tell(address, count);
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
  }
}
