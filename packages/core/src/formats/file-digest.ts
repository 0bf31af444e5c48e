import { createHash } from "node:crypto";

/** What a part costs beside its bytes. */
const overhead = 64;
const twice = "parts of it passed more than once";

/** Memory, in bytes, that the digests of one stream may keep together. */
export interface DigestMemory {
  left: number;
}

/** Bytes that follow each other, and wait for those before them. */
interface Piece {
  readonly parts: Buffer[];
  end: number;
}

/**
 * The digest of a file's content that passes in pieces at offsets, a bit out of order. It exists where every byte passed exactly once, from the first on;
 * else {@link FileDigest.problem} says why not.
 */
export class FileDigest {
  readonly #hash = createHash("sha256");
  readonly #memory: DigestMemory;
  /** Pieces that begin behind `next`, by offset. */
  readonly #pieces = new Map<number, Piece>();
  #last: Piece | undefined;
  #next = 0;
  #bytes = 0;
  #problem: string | undefined;

  constructor(memory: DigestMemory) {
    this.#memory = memory;
  }

  /** Bytes that are digested: all before this offset. */
  get next(): number {
    return this.#next;
  }

  /** Bytes that passed in all. */
  get bytes(): number {
    return this.#bytes;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Bytes of content at this offset. What is kept of them is copied. */
  add(offset: number, bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#problem !== undefined || bytes.length === 0) return;
    if (offset === this.#next) {
      this.#take(bytes);
      if (this.#pieces.size > 0) this.#drain();
    } else if (offset < this.#next || this.#pieces.has(offset)) {
      this.fail(twice);
    } else if (bytes.length + overhead > this.#memory.left) {
      this.fail("its parts passed too far out of order");
    } else {
      this.#keep(offset, bytes);
    }
  }

  /** There is to be no digest. The first reason stays. */
  fail(why: string): void {
    this.#problem ??= why;
    for (const piece of this.#pieces.values()) this.#free(piece);
    this.#pieces.clear();
    this.#last = undefined;
  }

  /** The digest of what passed, or why there is none. Once. */
  finish(): { readonly sha256: string } | { readonly undigested: string } {
    if (this.#pieces.size > 0) this.fail("parts of it did not pass");
    return this.#problem === undefined ? { sha256: this.#hash.digest("hex") } : { undigested: this.#problem };
  }

  #take(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#next += bytes.length;
  }

  #keep(offset: number, bytes: Uint8Array): void {
    const part = Buffer.allocUnsafeSlow(bytes.length);
    part.set(bytes);
    this.#memory.left -= part.length + overhead;
    if (this.#last?.end === offset) {
      this.#last.parts.push(part);
      this.#last.end += part.length;
      return;
    }
    this.#last = { parts: [part], end: offset + part.length };
    this.#pieces.set(offset, this.#last);
  }

  #drain(): void {
    for (let piece = this.#pieces.get(this.#next); piece !== undefined; piece = this.#pieces.get(this.#next)) {
      this.#pieces.delete(this.#next);
      if (piece === this.#last) this.#last = undefined;
      this.#free(piece);
      for (const part of piece.parts) this.#take(part);
    }
    for (const offset of this.#pieces.keys()) {
      if (offset < this.#next) {
        this.fail(twice);
        return;
      }
    }
  }

  #free({ parts }: Piece): void {
    for (const { length } of parts) this.#memory.left += length + overhead;
  }
}
