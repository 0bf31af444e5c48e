/** Memory of one chunk of a stream that flows, and of one that trickles. */
export const largeBuffer = 256 * 1024;
export const smallBuffer = 8 * 1024;

const kept = 32;

/** Memory for chunks, used again; and how much of it is out, over all sessions. */
export class Buffers {
  readonly #free: Buffer[] = [];
  #out = 0;

  /** Bytes that are in use. */
  get out(): number {
    return this.#out;
  }

  take(size: number): Buffer {
    this.#out += size;
    return (size === largeBuffer ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(size);
  }

  /** Gives back what `take` gave, or a view of its beginning. */
  release(buffer: Buffer): void {
    const size = buffer.buffer.byteLength;
    this.drop(buffer);
    if (size === largeBuffer && this.#free.length < kept) this.#free.push(Buffer.from(buffer.buffer));
  }

  /** {@link release} of what somebody may still be reading. */
  drop(buffer: Buffer): void {
    this.#out -= buffer.buffer.byteLength;
  }
}
