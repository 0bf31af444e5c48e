import { expect, it } from "vitest";
import { encodeChunk, encodeRecordingJson, encodeRecordingResize, emptyRecordingChain, type RecordingRecord } from "../../formats/index.ts";
import { createOutput } from "../terminal/index.ts";
import { watchSession } from "./index.ts";

const header = {
  version: 2, width: 80, height: 24, timestamp: 1,
  gatehouse: { sid: "6f0e2a1c-0000-4000-8000-000000000000", kind: "exec", user: "ana", roles: [], groups: [], cluster: "c", namespace: "n", pod: "p", container: "c", command: ["sh"], tty: true, stdin: true, address: "a", server_id: "s", started: 1000 },
} as const;
const record = (type: RecordingRecord["type"], data: Buffer | string): RecordingRecord => ({ type, at: 1, data: Buffer.from(data) });

it("shows a live session, who came and went, and that it is larger than this terminal", async () => {
  const sizes = [{ columns: 100, rows: 30 }, { columns: 100, rows: 30 }, { columns: 80, rows: 24 }].map((size) => record("r", encodeRecordingResize(size)));
  const chunk = encodeChunk(emptyRecordingChain, [
    record("h", encodeRecordingJson(header)),
    ...sizes,
    record("o", "hello\x1b]52;c;aGk=\x07"),
    record("m", encodeRecordingJson({ kind: "join", text: "bo\x1b[2J joined" })),
    record("x", encodeRecordingJson({ reason: "the command ended with exit code 0" })),
  ]);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield chunk.subarray(0, 100);
    yield chunk.subarray(100);
  }
  const said = { stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({ write: (text: string) => ((said[name] += text), true), isTTY: false });
  const style = new Proxy({}, { get: () => (text: string) => text }) as Parameters<typeof createOutput>[0]["style"];
  const output = createOutput({ stdout: sink("stdout"), stderr: sink("stderr"), env: {}, style });
  const reason = await watchSession(bytes(), { from: 0, tty: true, output, terminal: () => ({ columns: 80, rows: 24 }) });
  expect([reason, said.stdout]).toEqual(["the command ended with exit code 0", "hello"]);
  expect(said.stderr).toContain("[join: bo\\x1b[2J joined]");
  expect(said.stderr.split("the session's terminal is 100x30, this one is 80x24").length - 1).toBe(1);
  expect(said.stderr).not.toContain("\x1b");
});
