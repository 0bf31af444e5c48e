import fc from "fast-check";
import { expect, it } from "vitest";
import { encodeRecordingJson, type RecordingRecord } from "../../formats/index.ts";
import { createTranscript } from "./transcript.ts";

const output = (text: string | Uint8Array, type: "o" | "e" = "o"): RecordingRecord => ({ type, at: 0, data: Buffer.from(text as string) });
const end: RecordingRecord = { type: "x", at: 0, data: encodeRecordingJson({ reason: "exited" }) };
function transcript(records: readonly RecordingRecord[], complete = true): string {
  const target = createTranscript();
  return records.map((record) => target.write(record)).join("") + target.end(complete);
}

it("is what was said, without escape sequences", () => {
  expect(transcript([output("\x1b[1mana\x1b[0m$ ls\r\n"), output("a\r"), output("\n\x1b]52;c;aGk=\x07b\x07", "e"), end])).toBe("ana$ ls\na\nb\n[end: exited]\n");
});

it("shows other control characters, says what is missing and where it is cut off", () => {
  const gap: RecordingRecord = { type: "g", at: 0, data: encodeRecordingJson({ bytes: 3, why: "disk\nfull" }) };
  expect(transcript([output("rm -rf /\b\b\u202e10%\r20%\r\n"), gap, output("x")], false)).toBe("rm -rf /\\x08\\x08\\u202e10%\n20%\n[3 bytes are missing here: disk full]\nx\n[the recording is cut off here]\n");
});

it("has nothing that could move a terminal, whatever comes, and does not depend on cuts", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: 80 }), (bytes, cut) => {
      const text = transcript([output(bytes), end]);
      expect(text).not.toMatch(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/);
      expect(transcript([output(bytes.subarray(0, cut)), output(bytes.subarray(cut)), end])).toBe(text);
    }),
    { numRuns: 500 },
  );
});
