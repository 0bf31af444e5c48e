import { GatehouseError } from "../../../base/index.ts";

/** Requests of one side that may wait for their answers at once. */
const maxWaiting = 1024;

/** An answer that has its turn when those before it have been given: the gateway's own, or the other side's when it comes. */
type Answer = { readonly own: Buffer } | { readonly told: ((ok: boolean) => void) | undefined };

/** The answers that are owed to one side, in the order in which it asked (RFC 4254 §4, §5.4): some the other side gives, some the gateway. */
export class ReplyQueue {
  readonly #send: (payload: Buffer) => void;
  readonly #waiting: Answer[] = [];

  constructor(send: (payload: Buffer) => void) {
    this.#send = send;
  }

  /** A request that wants an answer goes on to the other side. `told` hears what that is. Throws `limit_exceeded` where too many wait. */
  asked(told?: (ok: boolean) => void): void {
    this.#push({ told });
  }

  /** The gateway answers a request itself. */
  answer(own: Buffer): void {
    this.#push({ own });
    this.#flush();
  }

  /** The other side answered. Throws `bad_parameter` where nothing was asked. */
  reply(payload: Buffer, ok: boolean): void {
    const first = this.#waiting.shift();
    if (first === undefined || "own" in first) throw new GatehouseError("bad_parameter", "an answer to a request that nobody made");
    this.#send(payload);
    first.told?.(ok);
    this.#flush();
  }

  #push(answer: Answer): void {
    if (this.#waiting.length >= maxWaiting) throw new GatehouseError("limit_exceeded", "too many requests wait for their answers");
    this.#waiting.push(answer);
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined && "own" in first; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#send(first.own);
    }
  }
}
