import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { beginsPage } from "./buffers.ts";
import type { CreateFile } from "./types.ts";

/** What begins and ends by as many bytes, of memory and of the file, can go past the system's cache: no disk in use has larger sectors. */
export const filePage = 4096;

/** Less than this is not worth a write of its own. */
const leastPast = 64 * 1024;

/** Creates a file (0640) for writing; one that is there, a link too, is an error. */
export const createFile: CreateFile = async (path) => {
  const handle = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW, 0o640);
  const past = new PastCache(handle);
  let writing: Promise<unknown> = Promise.resolve();
  async function write(chunks: readonly Buffer[], position: number, pastCache: boolean): Promise<void> {
    if (!pastCache || sizeOf(chunks) < leastPast) {
      await writeAll(handle, chunks, position);
      return;
    }
    for (const run of cutAtPages(chunks, position)) {
      const taken = run.whole && sizeOf(run.chunks) >= leastPast ? await past.write(run.chunks, run.position) : 0;
      await writeAll(handle, run.chunks, run.position, taken);
    }
  }
  return {
    write(chunks, position, pastCache = false) {
      const written = write(chunks, position, pastCache);
      writing = written.catch(ignore);
      return written;
    },
    datasync: () => handle.datasync(),
    truncate: (size) => handle.truncate(size),
    async close() {
      // It may be opening its other descriptor.
      await writing;
      await past.close();
      await handle.close();
    },
  };
};

const ignore = (): void => undefined;

/** Writes to an open file past the system's cache (O_DIRECT of Linux): the bytes are not copied, and push nothing out that others read. */
class PastCache {
  readonly #cached: FileHandle;
  #handle: FileHandle | undefined;
  /** The system, the file system or the disk does not have it, or it failed. */
  #refused = !("O_DIRECT" in constants);

  constructor(cached: FileHandle) {
    this.#cached = cached;
  }

  /** Writes whole pages, and returns how many bytes were taken. The rest, and what is wrong with it, is for a write through the cache. */
  async write(chunks: readonly Buffer[], position: number): Promise<number> {
    if (this.#refused) return 0;
    try {
      // The same file, whatever has its name by now.
      this.#handle ??= await open(`/proc/self/fd/${this.#cached.fd}`, constants.O_WRONLY | constants.O_DIRECT);
      return (await this.#handle.writev(chunks, position)).bytesWritten;
    } catch {
      this.#refused = true;
      return 0;
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

/** Chunks that follow each other in a file: of whole pages, or not. */
export interface PageRun {
  readonly position: number;
  readonly chunks: Buffer[];
  readonly whole: boolean;
}

/** Takes apart what is to be written at `position` into what is whole pages, of memory and of the file alike, and what is not. */
export function cutAtPages(chunks: readonly Buffer[], position: number): readonly PageRun[] {
  const runs: PageRun[] = [];
  let at = position;
  const add = (chunk: Buffer, whole: boolean): void => {
    if (chunk.length === 0) return;
    const last = runs.at(-1);
    if (last?.whole === whole) last.chunks.push(chunk);
    else runs.push({ position: at, chunks: [chunk], whole });
    at += chunk.length;
  };
  for (const chunk of chunks) {
    const head = Math.min(chunk.length, (filePage - (at % filePage)) % filePage);
    const pages = beginsPage(chunk.subarray(head), filePage) ? chunk.length - head - ((chunk.length - head) % filePage) : 0;
    add(chunk.subarray(0, head), false);
    add(chunk.subarray(head, head + pages), true);
    add(chunk.subarray(head + pages), false);
  }
  return runs;
}

/** Writes all of it but the first `taken` bytes, which the file has. */
async function writeAll(handle: FileHandle, chunks: readonly Buffer[], position: number, taken = 0): Promise<void> {
  const size = sizeOf(chunks);
  const written = taken > 0 ? taken : (await handle.writev(chunks, position)).bytesWritten;
  if (written === size) return;
  // A disk that fills up takes a part; why it takes no more, it says when it is given the rest.
  const rest = Buffer.concat(chunks).subarray(written);
  for (let at = 0; at < rest.length; ) {
    const { bytesWritten } = await handle.write(rest, at, rest.length - at, position + written + at);
    if (bytesWritten === 0) throw new Error(`the file took only ${written + at} of ${size} bytes`);
    at += bytesWritten;
  }
}

function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}
