import { once } from "node:events";
import type { Recording, RecordingListener, RecordingResult, Recordings } from "../../audit/index.ts";
import type { RecordingHeader } from "../../formats/index.ts";

/** For tests alone: what was given to a recording. */
export interface TestRecording extends Recording {
  readonly header: RecordingHeader;
  readonly listener: RecordingListener;
  /** `o:hello`, `m:join ana joined`, `r:80x24`, `x:reason`, `settled`, `discarded`, in order. */
  readonly told: string[];
  behind: boolean;
  problem: string | undefined;
}

/** For tests alone: recordings in memory; `follow` gives `hello` and ends when it is aborted. */
export function testRecordings(): Recordings & { readonly opened: TestRecording[] } {
  const opened: TestRecording[] = [];
  return {
    opened,
    open: (header, _mode, listener) => {
      const told: string[] = [];
      const result: RecordingResult = { file: "f", bytes: 1, sha256: "0", complete: true };
      const recording: TestRecording = {
        ...{ sid: header.gatehouse.sid, header, listener, told, behind: false, problem: undefined, size: 100 },
        write: (stream, bytes) => void told.push(`${stream}:${Buffer.from(bytes).toString()}`),
        resize: ({ columns, rows }) => void told.push(`r:${String(columns)}x${String(rows)}`),
        mark: ({ kind, text }) => void told.push(`m:${kind} ${text}`),
        end: (end) => {
          told.push(`x:${end.reason}`);
          return Promise.resolve(result);
        },
        settle: () => Promise.resolve(void told.push("settled")),
        discard: () => Promise.resolve(void told.push("discarded")),
        follow: (signal) =>
          (async function* () {
            yield Buffer.from("hello");
            if (!signal.aborted) await once(signal, "abort");
          })(),
      };
      opened.push(recording);
      return Promise.resolve(recording);
    },
    recovered: Promise.resolve(),
    digests: () => [],
    close: () => Promise.resolve(),
  };
}
