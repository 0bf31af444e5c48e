import type { Gatekeeper } from "../../auth/index.ts";
import { describeDuration } from "../../base/index.ts";
import type { Clock } from "../../base/index.ts";
import type { Ending, Live, LiveStreams, Recheck } from "./types.ts";

/** How often time alone is looked at (certificate's end, session's end, idleness), ms. */
const sweepInterval = 500;

/** What a registry stands on. */
export interface RegistryOptions<Why extends Ending, Thing extends Live<Why>> {
  readonly gatekeeper: Pick<Gatekeeper, "generation" | "onChange">;
  readonly clock: Clock;
  /** Why this may no longer go on, if so. Must not throw. */
  readonly lost: (live: Thing, now: number) => Why | undefined;
}

/** Everything of one protocol that is under way on this gateway: decided anew after every change and, because rights also end with time, twice a second. */
export class Registry<Why extends Ending, Thing extends Live<Why>> implements LiveStreams {
  readonly #live = new Set<Thing>();
  readonly #gatekeeper: Pick<Gatekeeper, "generation" | "onChange">;
  readonly #clock: Clock;
  readonly #lost: (live: Thing, now: number) => Why | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #streams = 0;
  #scheduled = false;
  #tally = { generation: -1, checked: 0, ended: 0 };

  constructor({ gatekeeper, clock, lost }: RegistryOptions<Why, Thing>) {
    this.#gatekeeper = gatekeeper;
    this.#clock = clock;
    this.#lost = lost;
    this.#timer = setInterval(() => this.sweep(), sweepInterval).unref();
    this.#stopListening = gatekeeper.onChange(() => this.#changed());
  }

  get count(): number {
    return this.#streams;
  }

  add(live: Thing): void {
    this.#live.add(live);
    if (live.stream) this.#streams += 1;
  }

  remove(live: Thing): void {
    if (this.#live.delete(live) && live.stream) this.#streams -= 1;
  }

  recheck(): Recheck {
    const now = this.#clock.now();
    const { generation } = this.#gatekeeper;
    if (this.#tally.generation !== generation) this.#tally = { generation, checked: 0, ended: 0 };
    let checked = 0;
    let ended = 0;
    for (const live of [...this.#live]) {
      if (live.stream) checked += 1;
      const why = this.#lost(live, now);
      if (why === undefined) continue;
      if (live.stream) ended += 1;
      this.#end(live, why);
    }
    this.#tally.ended += ended;
    this.#tally.checked = Math.max(this.#tally.checked, checked);
    return { checked: this.#tally.checked, ended: this.#tally.ended };
  }

  /** {@link recheck}, and the deadlines that streams keep themselves. */
  sweep(): void {
    if (this.#live.size === 0) return;
    this.recheck();
    const now = this.#clock.now();
    for (const live of [...this.#live]) live.tick(now);
  }

  /** Ends all that `which` chooses; returns how many. */
  endAll(why: Why, which: (live: Thing) => boolean): number {
    const chosen = [...this.#live].filter(which);
    for (const live of chosen) this.#end(live, why);
    return chosen.length;
  }

  /** Resolves when nothing is under way any more, or after `ms`. */
  async idle(ms: number): Promise<void> {
    for (const end = performance.now() + ms; this.#live.size > 0 && performance.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#stopListening();
  }

  /** Several changes of one turn are looked at once. */
  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.recheck();
    });
  }

  #end(live: Thing, why: Why): void {
    this.remove(live);
    live.end(why);
  }
}

/** Says that a stream was idle for too long, if it was. Of the two timeouts (ms, 0 for none) the smaller counts. */
export function idleReason(live: Pick<Live, "stream" | "lastActive">, now: number, ...timeouts: readonly [own: number, cluster: number]): string | undefined {
  const idle = smallest(...timeouts);
  if (!live.stream || idle === 0 || now - live.lastActive < idle) return undefined;
  return `access ended: nothing was sent for ${describeDuration(idle)}, the longest idle time that is allowed`;
}

/** The smaller of two durations where 0 means none. */
function smallest(a: number, b: number): number {
  if (a === 0 || b === 0) return a + b;
  return Math.min(a, b);
}
