import type { FileEvent } from "./file-events.ts";
import { FileDigest } from "./file-digest.ts";
import type { DigestMemory } from "./file-digest.ts";

/** Flags of `open` (draft-ietf-secsh-filexfer-02 §6.3). */
const openFlag = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 };

/** A file that is open by SFTP: what was read from it and written to it. */
export class SftpFile {
  readonly path: string;
  readonly #flags: number;
  readonly #read: FileDigest;
  readonly #written: FileDigest;
  /** What was written is all there is in the file: it was empty before, or was cut to that. */
  #whole: boolean;
  /** Offset of the first read that found the end. */
  #endAt = Infinity;
  #size: number | undefined;
  #reads = false;
  #lost = false;
  #failure: string | undefined;

  constructor(path: string, flags: number, size: number | undefined, memory: DigestMemory) {
    this.path = path;
    this.#flags = flags;
    this.#size = size;
    this.#read = new FileDigest(memory);
    this.#written = new FileDigest(memory);
    // Without `create`, `exclusive` means nothing to the host: the file may have been there.
    const isNew = (flags & openFlag.create) !== 0 && (flags & openFlag.exclusive) !== 0;
    this.#whole = isNew || (flags & openFlag.truncate) !== 0;
    if ((flags & openFlag.append) !== 0) this.#written.fail("it was appended to");
  }

  /** Content that the host read. */
  read(offset: number, bytes: Uint8Array): void {
    this.#reads = true;
    this.#read.add(offset, bytes);
  }

  /** A read at this offset found the end of the file. */
  readEnd(offset: number): void {
    this.#reads = true;
    this.#endAt = Math.min(this.#endAt, offset);
  }

  /** Content that the client sent to be written. */
  write(offset: number, bytes: Uint8Array): void {
    this.#written.add(offset, bytes);
  }

  /** A read or write was refused. */
  fail(what: "read" | "write", why: string): void {
    this.#failure ??= `a ${what} failed: ${why}`;
    (what === "write" ? this.#written : this.#read).fail(`a ${what} failed`);
  }

  /** Content came or went otherwise. */
  lose(why: string): void {
    this.#written.fail(why);
    this.#lost = true;
  }

  /** The host told its size. */
  known(size: number): void {
    this.#size = size;
  }

  /** The client set its size. */
  cut(size: number): void {
    if (size === this.#written.next) this.#whole = true;
    else this.#written.fail("its size was changed");
  }

  /** What became of it, when it is closed or never will be. `error`: why closing it failed. */
  finish(error: string | undefined): FileEvent[] {
    if (error !== undefined) for (const digest of [this.#read, this.#written]) digest.fail("it was not closed");
    const outcome = this.#failure ?? error;
    const base = { path: this.path, ok: outcome === undefined, ...(outcome === undefined ? {} : { error: outcome }) };
    const events: FileEvent[] = [];
    const wrote = this.#written.bytes > 0 || this.#lost || (this.#flags & (openFlag.truncate | openFlag.create)) !== 0;
    if (wrote) {
      if (!this.#whole) this.#written.fail("it held something before");
      events.push({ ...base, action: "upload", bytes: this.#written.bytes, ...this.#written.finish() });
    }
    if (this.#reads || (!wrote && (this.#flags & openFlag.read) !== 0)) {
      if (this.#read.next !== this.#endAt && this.#read.next !== this.#size) this.#read.fail("it was not read to its end");
      events.push({ ...base, action: "download", bytes: this.#read.bytes, ...this.#read.finish() });
    }
    return events;
  }
}

/** The event of an `open` that was refused. */
export function refusedOpen(path: string, flags: number, error: string): FileEvent {
  return { action: (flags & openFlag.write) !== 0 ? "upload" : "download", path, ok: false, error };
}
