import type { Clock } from "@gatehouse/core/base";
import { describeRequest } from "./describe.ts";

/** One request as it stands. Everything in it comes from outside. */
export interface SeenRequest {
  readonly number: number;
  readonly cluster: string;
  readonly verb: string;
  readonly what: string;
  /** HTTP status of the answer; undefined while there is none. */
  readonly status: number | undefined;
  /** ms since the epoch. */
  readonly began: number;
  /** ms since the epoch; undefined while it is under way. */
  readonly ended: number | undefined;
  /** Bytes of bodies and streams, both ways. */
  readonly bytes: number;
}

/** What passes, for people to look at. */
export interface SeenRequests {
  /** Changes whenever anything here does. */
  readonly version: number;
  /** How many there have been. */
  readonly count: number;
  /** Those under way, in the order in which they came, then the latest that have ended, newest first; at most `most`. */
  list(most: number): readonly SeenRequest[];
}

/** One request while it passes. */
export interface RequestEntry {
  answered(status: number): void;
  passed(bytes: number): void;
  end(): void;
}

/** Ended requests that are remembered. */
const remembered = 100;

type Entry = { -readonly [Key in keyof SeenRequest]: SeenRequest[Key] };

/** Counts and remembers requests. */
export class RequestLog implements SeenRequests {
  readonly #clock: Clock;
  readonly #live = new Set<Entry>();
  /** Newest last. */
  readonly #over: Entry[] = [];
  #version = 0;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get version(): number {
    return this.#version;
  }

  get count(): number {
    return this.#count;
  }

  get underWay(): number {
    return this.#live.size;
  }

  list(most: number): readonly SeenRequest[] {
    const live = [...this.#live].slice(0, most);
    const room = most - live.length;
    return room === 0 ? live : [...live, ...this.#over.slice(-room).reverse()];
  }

  begin(cluster: string, method: string, target: string): RequestEntry {
    const entry: Entry = { number: ++this.#count, cluster, ...describeRequest(method, target), status: undefined, began: this.#clock.now(), ended: undefined, bytes: 0 };
    this.#live.add(entry);
    this.#version++;
    return {
      answered: (status) => {
        entry.status = status;
        this.#version++;
      },
      passed: (bytes) => {
        entry.bytes += bytes;
        this.#version++;
      },
      end: () => {
        if (!this.#live.delete(entry)) return;
        entry.ended = this.#clock.now();
        this.#over.push(entry);
        if (this.#over.length > remembered) this.#over.shift();
        this.#version++;
      },
    };
  }
}
