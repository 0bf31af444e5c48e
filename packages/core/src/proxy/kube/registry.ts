import type { Gatekeeper } from "../../auth/index.ts";
import { describeDuration, errorMessage } from "../../base/index.ts";
import type { Clock, Logger } from "../../base/index.ts";
import type { Grant } from "./authorize.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";
import type { LiveStreams, Recheck } from "./types.ts";

/** A request or stream under way, as the registry sees it. */
export interface Live {
  readonly grant: Grant;
  /** Counts as a stream for people: an upgraded connection, a watch, a followed log. */
  readonly stream: boolean;
  /** Id of the recorded session, where it is one: what `session` of a lock may name. */
  readonly sid?: string | undefined;
  /** When payload last passed, either way; ms since the epoch. */
  readonly lastActive: number;
  /** Ends it and tells the client why. Called once. */
  end(why: Failure): void;
  /** Looks after deadlines of its own; called about every half second. */
  tick(now: number): void;
}

/** How often time alone is looked at (certificate's end, session's end, idleness), ms. */
const sweepInterval = 500;

/** Everything under way on this gateway: decided anew after every change and, because rights also end with time, twice a second. */
export class Registry implements LiveStreams {
  readonly #live = new Set<Live>();
  readonly #gatekeeper: Gatekeeper;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #clusterIdleTimeout: number;
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #streams = 0;
  #scheduled = false;
  #tally = { generation: -1, checked: 0, ended: 0 };

  constructor(gatekeeper: Gatekeeper, clock: Clock, logger: Logger, clientIdleTimeout: number) {
    this.#gatekeeper = gatekeeper;
    this.#clock = clock;
    this.#logger = logger;
    this.#clusterIdleTimeout = clientIdleTimeout;
    this.#timer = setInterval(() => this.sweep(), sweepInterval).unref();
    this.#stopListening = gatekeeper.onChange(() => this.#changed());
  }

  get count(): number {
    return this.#streams;
  }

  add(live: Live): void {
    this.#live.add(live);
    if (live.stream) this.#streams += 1;
  }

  remove(live: Live): void {
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
  endAll(why: Failure, which: (live: Live) => boolean): number {
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

  #end(live: Live, why: Failure): void {
    this.remove(live);
    live.end(why);
  }

  /** Why this may no longer go on, if so. */
  #lost(live: Live, now: number): Failure | undefined {
    const { grant } = live;
    const { clusterName } = grant.connection;
    try {
      const principal = grant.connection.principal();
      if (!principal.users.includes(grant.kubernetesUser)) {
        return failure(403, `access ended: ${grant.user} may no longer be user ${JSON.stringify(grant.kubernetesUser)} in Kubernetes cluster "${clusterName}"`);
      }
      const missing = grant.groups.filter((group) => !principal.groups.includes(group));
      if (missing.length > 0) {
        return failure(403, `access ended: ${grant.user} no longer has group ${missing.join(", ")} in Kubernetes cluster "${clusterName}"`);
      }
      if (grant.nodeProxy && !principal.decision.nodeProxy) {
        return failure(403, `access ended: ${grant.user} may no longer reach a node's own API in Kubernetes cluster "${clusterName}"`);
      }
      const lock = live.sid === undefined ? undefined : this.#gatekeeper.sessionLock(principal.identity, grant.upstream.target, live.sid);
      if (lock !== undefined) return failure(403, `access ended: ${lock.text}`, lock.lock);
      const idle = smallest(principal.identity.roles.options().clientIdleTimeout, this.#clusterIdleTimeout);
      if (live.stream && idle > 0 && now - live.lastActive >= idle) {
        return failure(408, `access ended: nothing was sent for ${describeDuration(idle)}, the longest idle time that is allowed`);
      }
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) return { ...error.failure, message: `access ended: ${error.failure.message}` };
      this.#logger.error({ error: errorMessage(error) }, "a live stream could not be decided anew and was ended");
      return failure(500, "access ended: the gateway could not decide it anew");
    }
  }
}

/** The smaller of two durations where 0 means none. */
function smallest(a: number, b: number): number {
  if (a === 0 || b === 0) return a + b;
  return Math.min(a, b);
}
