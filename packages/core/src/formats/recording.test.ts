import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordingBuilder, RecordingReader, emptyRecordingChain, encodeChunk, encodeRecordingJson, encodeRecordingResize, parseRecordingEnd, parseRecordingHeader, parseRecordingResize, recordingDigest, recordingFormat, sessionPlace } from "./index.ts";
import type { RecordingHeader, RecordingRecord, RecordingType, SshSession } from "./index.ts";

const header: RecordingHeader = {
  version: 2,
  width: 80,
  height: 24,
  timestamp: 1_700_000_000,
  command: "sh",
  gatehouse: {
    sid: "6f0e2a1c-0000-4000-8000-000000000000",
    kind: "exec",
    user: "ana",
    roles: ["access"],
    groups: ["developers"],
    cluster: "example",
    namespace: "default",
    pod: "web",
    container: "web",
    command: ["sh"],
    tty: true,
    stdin: true,
    address: "127.0.0.1",
    server_id: "s",
    started: 1_700_000_000_123,
  },
};
const first: RecordingRecord = { type: "h", at: 0, data: encodeRecordingJson(header) };
const last: RecordingRecord = { type: "x", at: 0xffffffff, data: encodeRecordingJson({ reason: "exited", exitCode: 0 }) };

const bodyRecords = fc.array(
  fc.record({ type: fc.constantFrom<RecordingType>("o", "e", "i", "r", "g", "m"), at: fc.nat({ max: 10_000 }), data: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)) }),
  { maxLength: 40 },
);

/** Writes records with the builder, as a writer does: seal when full. */
function write(records: readonly RecordingRecord[], size: number): Buffer[] {
  const builder = new RecordingBuilder();
  const chunks: Buffer[] = [];
  const seal = (): void => {
    if (builder.pending > 0) chunks.push(Buffer.from(builder.seal()));
    if (!builder.ready) builder.use(Buffer.alloc(size));
  };
  for (const { type, at, data } of records) {
    for (let taken = 0; taken < data.length; ) {
      const next = builder.append(type, at, data, taken);
      if (next === taken) seal();
      taken = next;
    }
  }
  if (builder.pending > 0) chunks.push(Buffer.from(builder.seal()));
  return chunks;
}

function read(bytes: Buffer, cuts: readonly number[] = []): { records: RecordingRecord[]; reader: RecordingReader } {
  const reader = new RecordingReader();
  const records: RecordingRecord[] = [];
  let start = 0;
  for (const end of [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b).concat(bytes.length)) {
    for (const record of reader.feed(bytes.subarray(start, end))) records.push({ ...record, data: Buffer.from(record.data) });
    start = end;
  }
  return { records, reader };
}

/** What records mean: streams by moment, everything else one by one; times never run back. */
function meaning(records: readonly RecordingRecord[]): string[] {
  const out: { key: string; hex: string }[] = [];
  let now = 0;
  for (const { type, at, data } of records) {
    now = Math.max(now, at);
    const key = `${type}@${now}`;
    const before = out.at(-1);
    if (before?.key === key && "oei".includes(type)) before.hex += data.toString("hex");
    else out.push({ key, hex: data.toString("hex") });
  }
  return out.map(({ key, hex }) => `${key}:${hex}`);
}

describe("recording", () => {
  it("gives back what was written, however the bytes are split", () => {
    fc.assert(
      fc.property(bodyRecords, fc.integer({ min: 600, max: 2000 }), fc.array(fc.nat(), { maxLength: 20 }), (body, size, cuts) => {
        const records = [first, ...body, last];
        const { records: got, reader } = read(Buffer.concat(write(records, size)), cuts);
        expect(meaning(got)).toEqual(meaning(records));
        expect(reader.end()).toMatchObject({ complete: true, torn: 0 });
      }),
    );
  });

  it("finds each flipped byte, with chunk and offset", () => {
    const chunks = write([first, { type: "o", at: 1, data: Buffer.alloc(1500, "a") }, { type: "r", at: 2, data: encodeRecordingResize({ columns: 1, rows: 2 }) }, last], 700);
    const bytes = Buffer.concat(chunks);
    const starts = chunks.map((_, index) => chunks.slice(0, index).reduce((sum, chunk) => sum + chunk.length, 0));
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << at % 8);
      const chunk = starts.findLastIndex((start) => start <= at);
      const reader = new RecordingReader();
      let message: string;
      try {
        Array.from(reader.feed(changed));
        const summary = reader.end();
        // A length that now reaches past the end of the file looks like a torn chunk: told, and never complete.
        expect(at - starts[chunk]!).toBeGreaterThanOrEqual(4);
        expect(at - starts[chunk]!).toBeLessThan(8);
        expect(summary).toMatchObject({ complete: false, chunks: chunk, bytes: starts[chunk] });
        continue;
      } catch (error) {
        message = (error as Error).message;
      }
      expect(message).toContain(`chunk ${chunk} at byte ${starts[chunk]!}`);
      expect(reader.damage).toMatchObject({ chunk, offset: starts[chunk] });
      expect(reader.bytes).toBe(starts[chunk]);
    }
  });

  it("cuts off a torn tail and says so", () => {
    const chunks = write([first, { type: "o", at: 1, data: Buffer.alloc(1500, "a") }, last], 700);
    const bytes = Buffer.concat(chunks);
    for (let length = 0; length < bytes.length; length++) {
      const { reader } = read(bytes.subarray(0, length), [length >> 1]);
      const summary = reader.end();
      expect(summary.complete).toBe(false);
      expect(summary.bytes + summary.torn).toBe(length);
    }
  });

  it("goes on with a file that was cut off", async () => {
    const chunks = write([first, { type: "o", at: 1, data: Buffer.alloc(1500, "a") }], 700);
    const bytes = Buffer.concat(chunks).subarray(0, -10);
    const { reader } = read(bytes);
    expect(reader.end().complete).toBe(false);
    const closed = Buffer.concat([bytes.subarray(0, reader.bytes), encodeChunk(reader.chain, [last])]);
    const summary = await recordingDigest(pieces(closed));
    expect(summary).toMatchObject({ complete: true, bytes: closed.length, digest: closed.subarray(closed.length - last.data.length - 9 - 32, closed.length - last.data.length - 9).toString("hex") });
  });

  it("refuses chunks that are removed, repeated, swapped or follow the end", () => {
    const chunks = write([first, { type: "o", at: 1, data: Buffer.alloc(2500, "a") }, last], 700);
    expect(chunks.length).toBeGreaterThan(3);
    const [a, b, c] = [chunks[0]!, chunks[1]!, chunks[2]!];
    const end = chunks.at(-1)!;
    for (const wrong of [[b, ...chunks.slice(1)], [a, c], [a, b, b], [a, c, b], [...chunks, end], [...chunks, Buffer.from("GHR1")]]) {
      expect(() => read(Buffer.concat(wrong)).reader.end()).toThrow(/damaged in chunk/);
    }
  });

  it("refuses a chunk whose records make no sense, though its checksum fits", () => {
    const cases: [RecordingRecord[], RegExp][] = [
      [[last], /no header/],
      [[first, first], /second header/],
      [[first, last, { type: "o", at: 0, data: Buffer.from("a") }], /after the end/],
      [[first, { type: "?" as RecordingType, at: 0, data: Buffer.from("a") }], /unknown type/],
      [[first, { type: "m", at: 0, data: Buffer.alloc(recordingFormat.maxJson + 1) }], /too large/],
    ];
    for (const [records, problem] of cases) expect(() => read(encodeChunk(emptyRecordingChain, records))).toThrow(problem);
  });

  it("joins bytes of one stream and moment into one record", () => {
    const builder = new RecordingBuilder();
    builder.use(Buffer.alloc(2000));
    builder.append("h", 0, first.data);
    for (const letter of "hello") builder.append("o", 5, Buffer.from(letter));
    builder.append("e", 5, Buffer.from("!"));
    expect(read(builder.seal()).records.slice(1).map((record) => [record.type, record.data.toString()])).toEqual([["o", "hello"], ["e", "!"]]);
  });

  it("unmasks what a WebSocket client sends", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 50 }), fc.nat({ max: 0xffffffff }), fc.nat({ max: 9 }), (plain, mask, maskIndex) => {
        const key = Buffer.alloc(4);
        key.writeUInt32BE(mask);
        const masked = plain.map((byte, index) => byte ^ key[(index + maskIndex) % 4]!);
        const builder = new RecordingBuilder();
        builder.use(Buffer.alloc(2000));
        builder.append("h", 0, first.data);
        expect(builder.append("i", 1, masked, 0, masked.length, mask, maskIndex)).toBe(masked.length);
        expect(read(builder.seal()).records[1]?.data).toEqual(Buffer.from(plain));
      }),
    );
  });

  it("holds no memory between seal and use, and takes nothing then", () => {
    const builder = new RecordingBuilder();
    expect(builder.ready).toBe(false);
    expect(builder.append("h", 0, first.data)).toBe(0);
    expect(() => builder.seal()).toThrow(/empty/);
  });

  it("gives back the memory of a chunk that is too small for its first record, and of no other", () => {
    const builder = new RecordingBuilder();
    expect(() => builder.unuse()).toThrow(/not empty/);
    const memory = Buffer.alloc(200);
    builder.use(memory);
    expect(builder.append("m", 0, Buffer.alloc(1000))).toBe(0);
    expect(builder.unuse()).toBe(memory);
    builder.use(Buffer.alloc(2000));
    expect(builder.append("m", 0, Buffer.alloc(1000))).toBe(1000);
    expect(() => builder.unuse()).toThrow(/not empty/);
  });

  it("never takes more than a chunk may hold", () => {
    const builder = new RecordingBuilder();
    builder.use(Buffer.alloc(3 * 1024 * 1024));
    builder.append("h", 0, first.data);
    expect(builder.append("o", 0, Buffer.alloc(2 * 1024 * 1024))).toBeLessThan(1024 * 1024);
    expect(builder.pending).toBe(recordingFormat.maxPayload);
    expect(read(builder.seal()).records).toHaveLength(2);
  });

  it("reads header, end and resize, and refuses others", () => {
    expect(parseRecordingHeader(first.data)).toEqual(header);
    expect(parseRecordingEnd(last.data)).toEqual({ reason: "exited", exitCode: 0 });
    expect(parseRecordingResize(encodeRecordingResize({ columns: 100_000, rows: 24 }))).toEqual({ columns: 65_535, rows: 24 });
    expect(() => parseRecordingHeader(Buffer.from("{}"))).toThrow(/header of a recording is not valid: version/);
    expect(() => parseRecordingHeader(Buffer.from("{"))).toThrow(/not JSON/);
    expect(() => parseRecordingResize(Buffer.alloc(3))).toThrow(/4 bytes/);
  });
});

describe("whose session it was", () => {
  const ssh: SshSession = {
    ...{ sid: header.gatehouse.sid, proto: "ssh", kind: "sftp", user: "ana", roles: ["access"], command: [], tty: false, stdin: true, address: "127.0.0.1", server_id: "s", started: 1 },
    ...{ login: "root", node: { id: "n", name: "web-1", address: "10.0.0.9:22", labels: { env: "prod" } } },
  };
  const of = (gatehouse: unknown): RecordingHeader => parseRecordingHeader(Buffer.from(JSON.stringify({ ...header, gatehouse })));

  it("is said by its protocol; recordings from before there were two are Kubernetes'", () => {
    expect(of(ssh).gatehouse).toEqual(ssh);
    expect(of({ ...header.gatehouse, proto: "kube" }).gatehouse).toEqual({ ...header.gatehouse, proto: "kube" });
    expect(sessionPlace(of(header.gatehouse).gatehouse)).toEqual({ proto: "kube", cluster: "example", namespace: "default", pod: "web", container: "web", login: "", node: "", nodeId: "" });
    expect(sessionPlace(ssh)).toEqual({ proto: "ssh", cluster: "", namespace: "", pod: "", container: "", login: "root", node: "web-1", nodeId: "n" });
  });

  it.each([{ ...ssh, kind: "attach" }, { ...ssh, proto: "kube" }, { ...ssh, proto: "telnet" }, { ...ssh, node: undefined }, { ...header.gatehouse, kind: "shell" }])("is refused where it is neither: %#", (gatehouse) => {
    expect(() => of(gatehouse)).toThrow(/header of a recording is not valid/);
  });

  it("ends with a signal, and names those who took part", () => {
    const end = { reason: "killed", signal: "TERM", participants: ["ana", "bo"] };
    expect(parseRecordingEnd(encodeRecordingJson(end))).toEqual(end);
  });
});

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
}
