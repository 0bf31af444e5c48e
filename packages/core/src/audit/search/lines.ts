import { open, type FileHandle } from "node:fs/promises";

/** Bytes that are read at once, and about as many as a block of the index has. */
export const blockSize = 256 * 1024;
/** A line has at most this many bytes; the log writes none over 100 KB. */
const maxLine = 1024 * 1024;

/** A line of the log, without its newline, and where it begins and ends (behind the newline). */
export interface PlacedLine {
  readonly bytes: Buffer;
  readonly start: number;
  readonly stop: number;
}

async function readFully(file: FileHandle, start: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Takes bytes apart that begin with a line; what comes after the last newline is not given out. */
export function splitLines(bytes: Buffer, start: number): readonly PlacedLine[] {
  const lines: PlacedLine[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) return lines;
    lines.push({ bytes: bytes.subarray(at, end), start: start + at, stop: start + end + 1 });
    at = end + 1;
  }
}

/** The whole lines from byte `start` on, about {@link blockSize} of them, and none beyond `end`. Throws what the system throws. */
export async function readBlock(path: string, start: number, end: number): Promise<readonly PlacedLine[]> {
  const file = await open(path);
  try {
    for (let length = blockSize; ; length *= 2) {
      const wanted = Math.min(length, end - start);
      if (wanted <= 0) return [];
      const lines = splitLines(await readFully(file, start, wanted), start);
      if (lines.length > 0 || wanted === end - start || length >= maxLine) return lines;
    }
  } finally {
    await file.close();
  }
}
