import type { AuditEventInput } from "../../../audit/index.ts";
import type { Failure } from "../status.ts";

/** How long after a first attempt by WebSocket a second one by SPDY belongs to it, ms. kubectl makes it at once. */
const pairTime = 5000;
/** The same for a denial, ms: a disk that does not answer may be waited for before each. */
const denialTime = 15_000;
/** First attempts that are remembered. */
const maxHeld = 1024;

/** What became of a first attempt. */
interface First {
  /** What was told to its client: the second one with the same is told the same, and is no event. */
  readonly denial?: { readonly why: Failure; readonly id: string } | undefined;
  /** A failure that is audited only where no second attempt comes. */
  readonly held?: { readonly event: AuditEventInput; readonly write: (event: AuditEventInput) => void } | undefined;
  readonly timer: NodeJS.Timeout;
}

/**
 * kubectl 1.31 and later tries each exec, attach and port-forward by WebSocket first and then, whatever the answer was, by SPDY, on another
 * connection. Both are one command of one person: by certificate, path and query.
 */
export class Attempts {
  readonly #first = new Map<string, First>();

  /** A first attempt was refused by the gateway, audited as `id`. */
  denied(key: string, why: Failure, id: string): void {
    this.#add(key, { denial: { why, id } });
  }

  /** The id under which the same refusal was told a moment ago to a first attempt. */
  sameDenial(key: string, why: Failure): string | undefined {
    const denial = this.#first.get(key)?.denial;
    if (denial?.why.code !== why.code || denial.why.message !== why.message) return undefined;
    this.#take(key);
    return denial.id;
  }

  /**
   * A first attempt failed; a second one may not (who may create `pods/exec` need not be allowed to get it). Its event waits, and is written if
   * no second one comes.
   */
  failed(key: string, event: AuditEventInput, write: (event: AuditEventInput) => void): void {
    if (this.#first.size >= maxHeld) write(event);
    else this.#add(key, { held: { event, write } });
  }

  /** A second attempt begins: what became of the first is no failure by itself. */
  second(key: string): void {
    this.#take(key);
  }

  /** Writes what waits. */
  close(): void {
    for (const key of [...this.#first.keys()]) this.#expire(key);
  }

  #add(key: string, first: Omit<First, "timer">): void {
    this.#expire(key);
    if (this.#first.size >= maxHeld) return;
    this.#first.set(key, { ...first, timer: setTimeout(() => this.#expire(key), first.denial === undefined ? pairTime : denialTime).unref() });
  }

  #take(key: string): First | undefined {
    const first = this.#first.get(key);
    clearTimeout(first?.timer);
    this.#first.delete(key);
    return first;
  }

  #expire(key: string): void {
    const held = this.#take(key)?.held;
    held?.write(held.event);
  }
}
