import { escapeLine } from "../../base/index.ts";
import { RecordingReader, parseRecordingEnd, parseRecordingGap, parseRecordingHeader, parseRecordingMarker, parseRecordingResize, type TerminalSize } from "../../formats/index.ts";
import { createPlayFilter, restoreTerminal, type Output } from "../terminal/index.ts";

/** How a live session is shown. */
export interface WatchOptions {
  /** Bytes of the recording that are not shown: what was there before. */
  readonly from: number;
  readonly tty: boolean;
  readonly output: Output;
  /** Size of the terminal that it is shown on, where it is one: who has a smaller one than the session is told. */
  readonly terminal?: (() => TerminalSize | undefined) | undefined;
}

/** Says once of a size that it is larger than the terminal here. */
function sizeAdvice({ columns, rows }: TerminalSize, here: TerminalSize | undefined): string | undefined {
  if (here === undefined || (columns <= here.columns && rows <= here.rows)) return undefined;
  return `[the session's terminal is ${columns}x${rows}, this one is ${here.columns}x${here.rows}: enlarge it to see everything]`;
}

function sizeOf(header: Buffer): TerminalSize {
  const { width, height } = parseRecordingHeader(header);
  return { columns: width, rows: height };
}

/** Who joined, which file passed: a line of its own. */
function markerLine(data: Buffer, dim: (text: string) => string, tty: boolean): string {
  const { kind, text } = parseRecordingMarker(data);
  const end = tty ? "\r\n" : "\n";
  return `${tty ? end : ""}${dim(escapeLine(`[${kind}: ${text}]`))}${end}`;
}

/**
 * Prints what a session prints, as its recording comes in, checked and filtered. Returns how the session ended; undefined where the recording
 * ends without an end. Throws `bad_parameter` for a recording that is not what was written.
 */
export async function watchSession(recording: AsyncIterable<Uint8Array>, { from, tty, output, terminal }: WatchOptions): Promise<string | undefined> {
  const { stdout, stderr, style } = output;
  const filter = createPlayFilter({ tty, plain: stdout.isTTY !== true });
  const reader = new RecordingReader();
  let reason: string | undefined;
  let advised: string | undefined;
  const advise = (size: TerminalSize): void => {
    const advice = sizeAdvice(size, terminal?.());
    if (advice !== undefined && advice !== advised) stderr.write(`\r\n${style.yellow(advice)}\r\n`);
    advised = advice;
  };
  try {
    for await (const bytes of recording) {
      for (const { type, data } of reader.feed(bytes)) {
        if (tty && (type === "h" || type === "r")) advise(type === "h" ? sizeOf(data) : parseRecordingResize(data));
        if (type === "x") reason = parseRecordingEnd(data).reason;
        if (reader.bytes < from) continue;
        if (type === "o" || type === "e") stdout.write(filter.write(data, type));
        else if (type === "m") stderr.write(markerLine(data, style.dim, tty));
        else if (type === "g") stderr.write(`\n${style.yellow(`[${parseRecordingGap(data).bytes} bytes could not be recorded]`)}\n`);
      }
    }
    stdout.write(filter.end());
  } finally {
    if (stdout.isTTY === true) stdout.write(restoreTerminal);
  }
  return reason;
}

/** Size of the terminal that standard output is, if it is one. */
export function ownTerminal(): TerminalSize | undefined {
  const { columns, rows, isTTY } = process.stdout;
  return isTTY ? { columns, rows } : undefined;
}
