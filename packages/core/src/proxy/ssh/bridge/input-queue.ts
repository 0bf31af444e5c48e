import { GatehouseError } from "../../../base/index.ts";

/** What may wait to be taken, bytes. */
const maxWaiting = 64 * 1024;

interface Typed {
  bytes: Buffer;
  readonly taken: () => void;
  readonly lost: (error: Error) => void;
}

/** What participants of a session typed, until the host has room for it. */
export class InputQueue {
  /** Sends as much as there is room for, and returns how much that was. */
  readonly #send: (bytes: Buffer) => number;
  readonly #waiting: Typed[] = [];
  #bytes = 0;
  #closed = false;

  constructor(send: (bytes: Buffer) => number) {
    this.#send = send;
  }

  /** Resolves when all of it is sent. Rejects with `not_found` once the session is over, `limit_exceeded` where too much waits. */
  add(bytes: Uint8Array): Promise<void> {
    return new Promise((taken, lost) => {
      if (this.#closed) lost(over());
      else if (this.#bytes + bytes.length > maxWaiting) lost(new GatehouseError("limit_exceeded", "the host does not take what is typed"));
      else {
        this.#waiting.push({ bytes: Buffer.from(bytes), taken, lost });
        this.#bytes += bytes.length;
        this.flow();
      }
    });
  }

  /** There may be room. */
  flow(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const sent = this.#send(first.bytes);
      this.#bytes -= sent;
      first.bytes = first.bytes.subarray(sent);
      if (first.bytes.length > 0) return;
      this.#waiting.shift();
      first.taken();
    }
  }

  close(): void {
    this.#closed = true;
    for (const { lost } of this.#waiting.splice(0)) lost(over());
  }
}

const over = (): GatehouseError => new GatehouseError("not_found", "the session is over");
