import { escapeLine } from "../../base/index.ts";
import { RecordingReader, parseRecordingEnd, parseRecordingGap, parseRecordingMarker } from "../../formats/index.ts";
import { createPlayFilter, restoreTerminal, type Output } from "../terminal/index.ts";

/** How a live session is shown. */
export interface WatchOptions {
  /** Bytes of the recording that are not shown: what was there before. */
  readonly from: number;
  readonly tty: boolean;
  readonly output: Output;
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
export async function watchSession(recording: AsyncIterable<Uint8Array>, { from, tty, output }: WatchOptions): Promise<string | undefined> {
  const { stdout, stderr, style } = output;
  const filter = createPlayFilter({ tty, plain: stdout.isTTY !== true });
  const reader = new RecordingReader();
  let reason: string | undefined;
  try {
    for await (const bytes of recording) {
      for (const { type, data } of reader.feed(bytes)) {
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
