import { escapeText } from "../../base/index.ts";
import { parseRecordingEnd, parseRecordingGap, parseRecordingMarker, type RecordingExport } from "../../formats/index.ts";
import { createPlayFilter } from "../terminal/index.ts";

/**
 * A recording as plain text: what stdout and stderr said, without escape sequences and with every other control character made visible
 * (`\x08`), so that it can be printed and searched. What is missing and how it ended stands in lines of its own, in brackets.
 */
export function createTranscript(): RecordingExport {
  const filter = createPlayFilter({ tty: true, plain: true });
  /** A carriage return may still become part of a line's end. */
  let returned = "";
  let atLineStart = true;
  const shown = (raw: string): string => {
    const text = returned + raw;
    const held = /\r+$/.exec(text)?.[0] ?? "";
    returned = held;
    const safe = escapeText(text.slice(0, text.length - held.length).replaceAll(/\r+\n/g, "\n").replaceAll(/\r+/g, "\n").replaceAll("\x07", ""));
    if (safe !== "") atLineStart = safe.endsWith("\n");
    return safe;
  };
  const note = (text: string): string => {
    const start = atLineStart ? "" : "\n";
    atLineStart = true;
    return `${start}[${escapeText(text).replaceAll("\n", " ")}]\n`;
  };
  return {
    write({ type, data }) {
      switch (type) {
        case "o":
        case "e":
          return shown(filter.write(data, type));
        case "g": {
          const { bytes, why } = parseRecordingGap(data);
          return note(`${bytes} bytes are missing here: ${why}`);
        }
        case "m": {
          const { kind, text } = parseRecordingMarker(data);
          return note(`${kind}: ${text}`);
        }
        case "x": {
          const { reason, interrupted } = parseRecordingEnd(data);
          return shown(filter.end()) + note(interrupted === true ? `the session was interrupted: ${reason}` : `end: ${reason}`);
        }
        default:
          return "";
      }
    },
    end: (complete) => (complete ? "" : shown(filter.end()) + note("the recording is cut off here")),
  };
}
