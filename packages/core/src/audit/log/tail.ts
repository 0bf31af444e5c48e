import { open, readdir, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { lineHash, readChain, type ChainLink } from "../verify/index.ts";
import { dayOfFile } from "./log-file.ts";

/** The last whole line of a log, to which the next chain is tied. */
export interface Tail {
  readonly file: string;
  readonly hash: string;
  /** Absent where the line was written before there were chains. */
  readonly chain: ChainLink | undefined;
}

const block = 64 * 1024;

/** Days that have a file, oldest first. */
export async function daysIn(directory: string): Promise<readonly number[]> {
  return (await readdir(directory)).flatMap((name) => dayOfFile(name) ?? []).sort((a, b) => a - b);
}

/** The last line (without newline) of `size` bytes that end in one; undefined for none. */
export async function readLastLine(file: FileHandle, size: number): Promise<Buffer | undefined> {
  if (size === 0) return undefined;
  let line = Buffer.alloc(0);
  for (let end = size - 1; end > 0; ) {
    const start = Math.max(0, end - block);
    const bytes = Buffer.alloc(end - start);
    await file.read(bytes, 0, bytes.length, start);
    const newline = bytes.lastIndexOf(0x0a);
    line = Buffer.concat([bytes.subarray(newline + 1), line]);
    if (newline >= 0) break;
    end = start;
  }
  return line;
}

/** The tail of an open file; undefined where it is empty. */
export async function tailOf(file: FileHandle, size: number, name: string): Promise<Tail | undefined> {
  const line = await readLastLine(file, size);
  return line && { file: name, hash: lineHash(line), chain: readChain(line) };
}

/** The tail of the newest of these files that has one. */
export async function findTail(directory: string, names: readonly string[]): Promise<Tail | undefined> {
  for (const name of names.toReversed()) {
    const handle = await open(join(directory, name));
    try {
      const tail = await tailOf(handle, (await handle.stat()).size, name);
      if (tail) return tail;
    } finally {
      await handle.close();
    }
  }
  return undefined;
}

/** Whether a text that can stand nowhere else by chance is in the newest two files that have anything in them. */
export async function isInTail(directory: string, text: string): Promise<boolean> {
  const names = (await readdir(directory)).filter((name) => dayOfFile(name) !== undefined).sort();
  let read = 0;
  for (const name of names.reverse()) {
    if (read >= 2) break;
    const handle = await open(join(directory, name));
    try {
      if ((await handle.stat()).size === 0) continue;
      read += 1;
      let kept = Buffer.alloc(0);
      for await (const bytes of handle.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
        const joined = Buffer.concat([kept, bytes]);
        if (joined.includes(text)) return true;
        kept = Buffer.from(joined.subarray(-text.length));
      }
    } finally {
      await handle.close();
    }
  }
  return false;
}
