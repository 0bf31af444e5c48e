import { GatehouseError, formatJson } from "../base/index.ts";
import { parseRecordingEnd, parseRecordingGap, parseRecordingHeader, parseRecordingMarker, parseRecordingResize } from "./recording-payloads.ts";
import type { RecordingHeader, RecordingRecord } from "./recording.ts";

/** Turns records into lines of another format, one record after the other. */
export interface RecordingExport {
  /** What this record adds: whole lines, or nothing. */
  write(record: RecordingRecord): string;
  /** What is left after the last record. `complete`: the recording has its end, and nothing of it is cut off. */
  end(complete: boolean): string;
}

const line = (value: unknown): string => `${formatJson(value)}\n`;

/**
 * asciicast v2 (docs.asciinema.org/manual/asciicast/v2), as asciinema 2 and 3 play it: the header, then `[seconds, code, data]` with `o`
 * (stdout and stderr in the order they came), `i`, `r` and `m`. Characters that records cut are joined; bytes that are no UTF-8 become U+FFFD.
 * What Gatehouse knows besides is in the header under `gatehouse`.
 */
export function createAsciicastExport(): RecordingExport {
  const decoders = { o: new TextDecoder(), e: new TextDecoder(), i: new TextDecoder() };
  let header: RecordingHeader | undefined;
  let last = 0;
  const event = (at: number, code: string, data: string): string => {
    // Players take times that run backwards badly.
    last = Math.max(last, at);
    return data === "" ? "" : line([last / 1000, code, data]);
  };
  const output = (text: string): string => (header?.gatehouse.tty === false ? text.replaceAll(/\r?\n/g, "\r\n") : text);
  return {
    write({ type, at, data }) {
      switch (type) {
        case "h": {
          header = parseRecordingHeader(data);
          // A session without a terminal has no size; players refuse zero.
          return line({ ...header, width: header.width || 80, height: header.height || 24 });
        }
        case "o":
        case "e":
          return event(at, "o", output(decoders[type].decode(data, { stream: true })));
        case "i":
          return event(at, "i", decoders.i.decode(data, { stream: true }));
        case "r": {
          const { columns, rows } = parseRecordingResize(data);
          return columns > 0 && rows > 0 ? event(at, "r", `${columns}x${rows}`) : "";
        }
        case "m": {
          const { kind, text } = parseRecordingMarker(data);
          return event(at, "m", `${kind}: ${text}`);
        }
        case "g": {
          const { bytes, why } = parseRecordingGap(data);
          return event(at, "m", `gap: ${bytes} bytes are missing: ${why}`);
        }
        case "x": {
          const { reason } = parseRecordingEnd(data);
          return event(at, "m", `end: ${reason}`);
        }
      }
    },
    end(complete) {
      if (!header) throw new GatehouseError("bad_parameter", "the recording is empty");
      const rest = event(last, "o", output(decoders.o.decode() + decoders.e.decode())) + event(last, "i", decoders.i.decode());
      return complete ? rest : rest + event(last, "m", "the recording is cut off here");
    },
  };
}

/**
 * One JSON object a line and record: `{type, at, …}` with `at` in ms; `header`, `end`, `gap` and `marker` with their fields, `resize` with
 * columns and rows, `stdout`, `stderr` and `stdin` with their bytes as base64 in `data`. The last line is `{type: "summary", complete}`.
 */
export function createJsonExport(): RecordingExport {
  const streams = { o: "stdout", e: "stderr", i: "stdin" } as const;
  return {
    write({ type, at, data }) {
      switch (type) {
        case "h":
          return line({ type: "header", at, ...parseRecordingHeader(data) });
        case "r":
          return line({ type: "resize", at, ...parseRecordingResize(data) });
        case "x":
          return line({ type: "end", at, ...parseRecordingEnd(data) });
        case "g":
          return line({ type: "gap", at, ...parseRecordingGap(data) });
        case "m":
          return line({ type: "marker", at, ...parseRecordingMarker(data) });
        default:
          return line({ type: streams[type], at, data: data.toString("base64") });
      }
    },
    end: (complete) => line({ type: "summary", complete }),
  };
}
