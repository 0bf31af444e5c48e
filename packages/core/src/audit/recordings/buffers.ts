/** Memory of one chunk of a stream that flows, and of one that trickles. */
export const largeBuffer = 256 * 1024;
export const smallBuffer = 8 * 1024;

/** Large ones that lie in memory whose pages are known. More are made where these are all out. */
const places = 32;
/** Bytes by which WebAssembly counts its memory. */
const wasmPage = 64 * 1024;

/** Memory for chunks, used again; and how much of it is out, over all sessions. */
export class Buffers {
  readonly #aligned = alignedMemory(places * largeBuffer);
  /** Offsets of the large ones that nobody has. */
  readonly #free = this.#aligned === undefined ? [] : Array.from({ length: places }, (_, index) => index * largeBuffer);
  #out = 0;

  /** Bytes that are in use. */
  get out(): number {
    return this.#out;
  }

  /** A large one begins where a page of memory does, see {@link beginsPage}, as long as there are such. */
  take(size: number): Buffer {
    this.#out += size;
    const place = size === largeBuffer ? this.#free.pop() : undefined;
    return place === undefined || this.#aligned === undefined ? Buffer.allocUnsafeSlow(size) : Buffer.from(this.#aligned, place, size);
  }

  /** Gives back what `take` gave, or a view into it. */
  release(buffer: Buffer): void {
    this.drop(buffer);
    this.reuse(buffer);
  }

  /** Gives it up while somebody may still be reading it: it is not used again before {@link Buffers.reuse}. */
  drop(buffer: Buffer): void {
    this.#out -= buffer.buffer === this.#aligned ? largeBuffer : buffer.buffer.byteLength;
  }

  /** Nobody reads any more what was dropped. */
  reuse(buffer: Buffer): void {
    if (buffer.buffer === this.#aligned) this.#free.push(buffer.byteOffset - (buffer.byteOffset % largeBuffer));
  }
}

/** The part of WebAssembly that is used here; Node's types leave it out. */
interface Wasm {
  readonly Memory: new (limits: { readonly initial: number; readonly maximum: number }) => { readonly buffer: ArrayBuffer };
}

const aligned = new WeakSet<ArrayBufferLike>();

/**
 * Memory that begins where a page does. What Node allocates begins anywhere, and it does not say where; a WebAssembly memory begins a page, and the
 * system gives those of its pages alone that were used. Undefined where there can be none (`--jitless`, a bound on virtual memory).
 */
function alignedMemory(size: number): ArrayBuffer | undefined {
  const { WebAssembly: wasm } = globalThis as { readonly WebAssembly?: Wasm };
  if (wasm === undefined) return undefined;
  try {
    const { buffer } = new wasm.Memory({ initial: size / wasmPage, maximum: size / wasmPage });
    aligned.add(buffer);
    return buffer;
  } catch {
    return undefined;
  }
}

/** Whether this is known to begin where a page of memory does; `page`: its size, bytes. */
export function beginsPage(buffer: Buffer, page: number): boolean {
  return buffer.byteOffset % page === 0 && aligned.has(buffer.buffer);
}
