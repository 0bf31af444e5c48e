/** Longest line that is looked at as one; the log writes none over 100 KB. */
export const maxLine = 1024 * 1024;

/** A line without its newline. */
export interface RawLine {
  readonly bytes: Buffer;
  /** Absent where the file ended before a newline. */
  readonly whole: boolean;
  /** Over {@link maxLine}: `bytes` is its beginning. */
  readonly cut: boolean;
}

/** The lines of a file, in batches; never more than a piece and a line in memory. */
export async function* readLines(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<readonly RawLine[], void, void> {
  let kept: Buffer = Buffer.alloc(0);
  let dropped = false;
  for await (const piece of pieces) {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    const lines: RawLine[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a, start)) {
      const rest = bytes.subarray(start, end);
      lines.push({ bytes: kept.length === 0 ? rest : Buffer.concat([kept, rest]), whole: true, cut: dropped });
      kept = Buffer.alloc(0);
      dropped = false;
      start = end + 1;
    }
    const rest = bytes.subarray(start);
    if (kept.length + rest.length > maxLine) dropped = true;
    if (kept.length < maxLine) kept = Buffer.concat([kept, rest.subarray(0, maxLine - kept.length)]);
    yield lines;
  }
  if (kept.length > 0) yield [{ bytes: kept, whole: false, cut: dropped }];
}
