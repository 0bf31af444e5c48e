import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeText } from "../base/index.ts";
import { requireTool } from "../testing/index.ts";
import { createAsciicastExport, createJsonExport, encodeRecordingJson, encodeRecordingResize, type RecordingExport, type RecordingHeader, type RecordingRecord, type RecordingType } from "./index.ts";

const header = (tty = true): RecordingHeader => ({
  version: 2,
  width: 80,
  height: 24,
  timestamp: 1_700_000_000,
  command: "sh",
  title: "ana",
  env: { TERM: "xterm" },
  gatehouse: { sid: "6f0e2a1c-0000-4000-8000-000000000000", kind: "exec", user: "ana", roles: [], groups: [], cluster: "c", namespace: "n", pod: "p", container: "c", command: ["sh"], tty, stdin: true, address: "a", server_id: "s", started: 1_700_000_000_000 },
});
const record = (type: RecordingType, at: number, data: Buffer | string): RecordingRecord => ({ type, at, data: Buffer.from(data) });
const first = record("h", 0, encodeRecordingJson(header()));
const all = (target: RecordingExport, records: readonly RecordingRecord[], complete = true): string => records.map((one) => target.write(one)).join("") + target.end(complete);
const cast = (records: readonly RecordingRecord[], complete = true): unknown[] =>
  all(createAsciicastExport(), records, complete).trimEnd().split("\n").map((one) => JSON.parse(one) as unknown);

/** Output cut into records anywhere, between stdout and stderr. */
const pieces = fc.tuple(fc.string({ unit: "binary", maxLength: 60 }), fc.array(fc.nat({ max: 300 }), { maxLength: 8 })).map(([text, cuts]) => {
  const bytes = Buffer.from(text.replace(/\p{Surrogate}/gu, "?"));
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b).concat(bytes.length);
  return ends.map((end, index) => record("o", index, bytes.subarray(ends[index - 1] ?? 0, end)));
});

it("gives a terminal nothing but text, in either format", () => {
  const evil = "\u001b]52;c;aGk=\u0007\u009b31m\u202ex\u007f";
  const marker = record("m", 2, encodeRecordingJson({ kind: "file", text: evil }));
  for (const make of [createAsciicastExport, createJsonExport]) {
    const text = all(make(), [first, record("o", 1, evil), marker]);
    expect(escapeText(text)).toBe(text);
    expect(text.trimEnd().split("\n").map((one) => JSON.stringify(JSON.parse(one))).join("")).toContain(JSON.stringify(evil).slice(1, -1));
  }
});

describe("asciicast", () => {
  it("has the header, output with stderr in order, input, resizes and markers", () => {
    const lines = cast([
      first,
      record("o", 5, "$ "),
      record("i", 1000, "l"),
      record("e", 1234, "no\n"),
      record("r", 1500, encodeRecordingResize({ columns: 100, rows: 30 })),
      record("g", 1600, encodeRecordingJson({ bytes: 7, why: "disk full" })),
      record("x", 2000, encodeRecordingJson({ reason: "exited" })),
    ]);
    expect(lines).toEqual([header(), [0.005, "o", "$ "], [1, "i", "l"], [1.234, "o", "no\n"], [1.5, "r", "100x30"], [1.6, "m", "gap: 7 bytes are missing: disk full"], [2, "m", "end: exited"]]);
  });

  it("joins characters that records cut", () => {
    fc.assert(
      fc.property(pieces, (records) => {
        const out = cast([first, ...records]).slice(1) as [number, string, string][];
        expect(out.map(([, , text]) => text).join("")).toBe(Buffer.concat(records.map(({ data }) => data)).toString());
      }),
    );
  });

  it("replaces bytes that are no UTF-8, also at the end", () => {
    const out = cast([first, record("o", 1, Buffer.from([0x61, 0xff])), record("o", 2, Buffer.from([0xe2, 0x82]))]).slice(1);
    expect(out).toEqual([[0.001, "o", "a\ufffd"], [0.002, "o", "\ufffd"]]);
  });

  it("never runs back in time, has a size where there was none, and says where it is cut off", () => {
    const headless = record("h", 0, encodeRecordingJson({ ...header(false), width: 0, height: 0 }));
    const lines = cast([headless, record("o", 9, "a\nb"), record("o", 3, "\n")], false);
    expect(lines).toMatchObject([{ width: 80, height: 24 }, [0.009, "o", "a\r\nb"], [0.009, "o", "\r\n"], [0.009, "m", "the recording is cut off here"]]);
  });

  describe.skipIf(!requireTool("asciinema", "apt-get install asciinema"))("stock asciinema", () => {
    it("plays it to the same bytes", () => {
      const folder = mkdtempSync(join(tmpdir(), "asciicast-"));
      try {
        const text = "\x1b[31mrot\x1b[0m\r\nnaïve 漢字 👍 \u009b1m\u202e\x7f\r\n";
        const bytes = Buffer.from(text);
        const records = [first, ...Array.from(bytes, (byte, index) => record("o", index, Buffer.from([byte]))), record("r", 100, encodeRecordingResize({ columns: 90, rows: 20 })), record("i", 101, "x"), record("x", 102, encodeRecordingJson({ reason: "exited" }))];
        const path = join(folder, "session.cast");
        writeFileSync(path, all(createAsciicastExport(), records));
        // It wants a terminal, and its output would be the terminal's: script gives the one, a file takes the other.
        const out = join(folder, "out");
        execFileSync("script", ["-qec", `asciinema cat '${path}' > '${out}'`, "/dev/null"], { stdio: "ignore" });
        expect(readFileSync(out, "utf8")).toBe(text);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
});

describe("JSON", () => {
  it("has each record with its bytes", () => {
    const lines = all(createJsonExport(), [first, record("o", 5, Buffer.from([0xff])), record("r", 6, encodeRecordingResize({ columns: 1, rows: 2 })), record("x", 7, encodeRecordingJson({ reason: "exited", exitCode: 0 }))], false)
      .trimEnd()
      .split("\n")
      .map((one) => JSON.parse(one) as unknown);
    expect(lines).toMatchObject([{ type: "header", at: 0, gatehouse: { user: "ana" } }, { type: "stdout", at: 5, data: "/w==" }, { type: "resize", columns: 1, rows: 2 }, { type: "end", reason: "exited", exitCode: 0 }, { type: "summary", complete: false }]);
  });
});
