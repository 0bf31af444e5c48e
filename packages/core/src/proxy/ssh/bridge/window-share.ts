/** Of the first window that is granted, at most this part is kept. */
const part = 8;

/**
 * Keeps back a little of the window that one side of a channel grants the other, so that the gateway can send that side something of its own, and
 * neither side ever sends more than was granted. Sizes in bytes.
 */
export class WindowShare {
  readonly #most: number;
  #target: number | undefined;
  #spare = 0;
  /** What is still to be taken of what is granted. */
  #owed = 0;

  /** `most`: keep at most so much. */
  constructor(most: number) {
    this.#most = most;
  }

  /** What may be sent now. */
  get spare(): number {
    return this.#spare;
  }

  /** So many bytes are granted; returns how many of them go to the other side. */
  grant(bytes: number): number {
    if (this.#target === undefined && bytes > 0) {
      this.#target = Math.min(this.#most, Math.floor(bytes / part));
      this.#owed = this.#target;
    }
    const taken = Math.min(this.#owed, bytes);
    this.#owed -= taken;
    this.#spare += taken;
    return bytes - taken;
  }

  /** Takes up to so many of what may be sent; returns how many. */
  use(bytes: number): number {
    const used = Math.min(this.#spare, bytes);
    this.#spare -= used;
    this.#owed += used;
    return used;
  }
}
