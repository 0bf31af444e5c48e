import { mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { manualClock, nullLogger, uuid } from "../../base/index.ts";
import { emptyRecordingChain, encodeChunk, recordingDigest, type RecordingHeader, type RecordingRecord } from "../../formats/index.ts";
import { openAuditLog } from "../log/open.ts";
import type { AuditEventInput, OwnAuditLog } from "../types.ts";
import { verifyLogs, type Verification } from "../verify/index.ts";
import { openRecordings } from "./open.ts";

const clock = manualClock(Date.parse("2026-11-24T12:00:00Z"));
let directory: string;
let folder: string;
let events: AuditEventInput[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "gatehouse-recover-"));
  folder = join(directory, "gw1/sessions/default");
  await mkdir(folder, { recursive: true });
  events = [];
});
afterEach(() => rm(directory, { recursive: true }));

const headerOf = (sid: string): RecordingHeader => ({
  version: 2, width: 80, height: 24, timestamp: 0, command: "sh",
  gatehouse: {
    sid, kind: "exec", user: "ana", roles: [], groups: [], cluster: "c", namespace: "n", pod: "p", container: "c", command: ["sh"], tty: true, stdin: true, address: "192.0.2.1:1", server_id: "gw1", started: 0,
  },
});
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** Chunks of a recording: its header, then some of output, each a chunk. */
function chunksOf(sid: string, outputs: number, text = "evidence"): Buffer[] {
  const chunks: Buffer[] = [];
  let chain = emptyRecordingChain;
  const add = (record: RecordingRecord): void => {
    const chunk = encodeChunk(chain, [record]);
    chunks.push(chunk);
    chain = { hash: Buffer.from(chunk.subarray(12, 44)), index: chain.index + 1 };
  };
  add({ type: "h", at: 0, data: json(headerOf(sid)) });
  for (let n = 0; n < outputs; n += 1) add({ type: "o", at: n, data: Buffer.from(`${text} ${n}`) });
  return chunks;
}
async function recover(): Promise<void> {
  const recordings = openRecordings({ directory, serverId: "gw1", clock, logger: nullLogger, audit: { emit: (event) => Promise.resolve(void events.push(event)), close: () => Promise.resolve() } });
  await recordings.recovered;
  await recordings.close();
}
const digestOf = async (path: string) =>
  recordingDigest(
    (async function* () {
      yield await readFile(path);
    })(),
  );

describe("a live recording that a dead gateway left", () => {
  it("and somebody has changed is kept whole beside what is good of it, and the log says where", async () => {
    const sid = uuid();
    const chunks = chunksOf(sid, 10);
    const bytes = Buffer.concat(chunks);
    bytes[chunks[0]!.length + 60]! ^= 1;
    await writeFile(join(folder, `${sid}.live`), bytes);
    await recover();
    expect((await readdir(folder)).sort()).toEqual([`${sid}.damaged`, `${sid}.rec`]);
    expect(await readFile(join(folder, `${sid}.damaged`))).toEqual(bytes);
    const { digest } = await digestOf(join(folder, `${sid}.rec`));
    expect(events).toEqual([expect.objectContaining({ event: "session.end", interrupted: true, damaged: { chunk: 1, offset: chunks[0]!.length } })]);
    expect(events[0]).toMatchObject({ recording: { sha256: digest } });
    await recover();
    expect(events).toHaveLength(1);
  });

  it("torn in its last chunk, or longer than what was written, is cut", async () => {
    const [torn, long] = [uuid(), uuid()];
    const chunks = chunksOf(torn, 2);
    await writeFile(join(folder, `${torn}.live`), Buffer.concat(chunks).subarray(0, -3));
    await writeFile(join(folder, `${long}.live`), Buffer.concat([...chunksOf(long, 2), Buffer.alloc(5000)]));
    await recover();
    expect((await readdir(folder)).sort()).toEqual([`${torn}.rec`, `${long}.rec`].sort());
    expect(Object.fromEntries(events.map(({ sid, cut }) => [sid, cut]))).toEqual({ [torn]: chunks[2]!.length - 3, [long]: 5000 });
  });

  it("and whose end an old day of the log has already is not told again", async () => {
    const sid = uuid();
    await writeFile(join(folder, `${sid}.live`), encodeChunk(emptyRecordingChain, [{ type: "h", at: 0, data: json(headerOf(sid)) }, { type: "x", at: 2, data: json({ reason: "done" }) }]));
    const old = new Date("2026-01-05T12:00:00Z");
    await utimes(join(folder, `${sid}.live`), old, old);
    await writeFile(join(directory, "gw1/2026-01-05.00:00:00.log"), `{"event":"session.end","sid":"${sid}"}\n`);
    await recover();
    expect([events, await readdir(folder)]).toEqual([[], [`${sid}.rec`]]);
  });

  it("without a good beginning is put aside where its session had begun", async () => {
    const [begun, spoilt, never] = [uuid(), uuid(), uuid()];
    await writeFile(join(directory, "gw1/2026-11-24.00:00:00.log"), `{"event":"session.start","sid":"${begun}","user":"ana","recorded":true}\n`);
    await writeFile(join(folder, `${begun}.live`), chunksOf(begun, 0)[0]!.subarray(0, 100));
    await writeFile(join(folder, `${spoilt}.live`), "not a recording at all, but long enough to tell");
    await writeFile(join(folder, `${never}.live`), "");
    await recover();
    expect((await readdir(folder)).sort()).toEqual([`${begun}.damaged`, `${spoilt}.damaged`].sort());
    expect(events).toEqual([expect.objectContaining({ event: "session.end", sid: begun, user: "ana", interrupted: true, reason: "its recording is gone" })]);
    expect(events[0]!["recording"]).toBeUndefined();
  });
});

describe("a session that a dead gateway has not ended", () => {
  it("is told to have ended, whether its recording was removed or it had none", async () => {
    const [removed, unrecorded, ended, other] = [uuid(), uuid(), uuid(), uuid()];
    const lines = [
      { event: "session.start", sid: removed, user: "root", recorded: true },
      { event: "session.start", sid: unrecorded, user: "ana", recorded: false, kubernetes_pod: "p" },
      { event: "session.start", sid: ended, user: "ana", recorded: true },
      { event: "session.end", sid: ended },
      { event: "exec", sid: other },
    ];
    await writeFile(join(directory, "gw1/2026-11-24.00:00:00.log"), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    await recover();
    expect(events).toEqual([
      expect.objectContaining({ event: "session.end", code: "T2004I", sid: removed, user: "root", interrupted: true, reason: "its recording is gone" }),
      expect.objectContaining({ event: "session.end", sid: unrecorded, user: "ana", kubernetes_pod: "p", interrupted: true, reason: "the gateway died during the session" }),
    ]);
  });

  it("on a host is told with the host's fields", async () => {
    const [recorded, lost] = [uuid(), uuid()];
    const host = { login: "root", server_id: "n", server_hostname: "web-1", server_addr: "10.0.0.9:22", server_labels: { env: "prod" }, forwarded_by: "gw1", proto: "ssh" };
    const node = { id: "n", name: "web-1", address: "10.0.0.9:22", labels: { env: "prod" } };
    const { sid, user, roles, command, tty, stdin, address, server_id, started } = headerOf(recorded).gatehouse;
    const header = { ...headerOf(recorded), gatehouse: { sid, user, roles, command, tty, stdin, address, server_id, started, proto: "ssh", kind: "shell", login: "root", node } };
    await writeFile(join(directory, "gw1/2026-11-24.00:00:00.log"), `${JSON.stringify({ event: "session.start", sid: lost, user: "ana", recorded: false, ...host })}\n`);
    await writeFile(join(folder, `${recorded}.live`), encodeChunk(emptyRecordingChain, [{ type: "h", at: 0, data: json(header) }, { type: "o", at: 5, data: Buffer.from("x") }]));
    await recover();
    expect(events).toEqual([expect.objectContaining({ sid: recorded, interrupted: true, ...host }), expect.objectContaining({ sid: lost, interrupted: true, ...host })]);
  });

  it("and whose end a power failure took from the log is told with its recording", async () => {
    const sid = uuid();
    await writeFile(join(directory, "gw1/2026-11-24.00:00:00.log"), `{"event":"session.start","sid":"${sid}","recorded":true}\n`);
    await writeFile(join(folder, `${sid}.rec`), encodeChunk(emptyRecordingChain, [{ type: "h", at: 0, data: json(headerOf(sid)) }, { type: "x", at: 2, data: json({ reason: "done", exitCode: 0 }) }]));
    await recover();
    const { digest } = await digestOf(join(folder, `${sid}.rec`));
    expect(events).toEqual([expect.objectContaining({ sid, reason: "done", exit_code: 0, recording: expect.objectContaining({ sha256: digest }) as unknown })]);
  });
});

describe("what the log says of live recordings", () => {
  const audited = (): Promise<OwnAuditLog> => openAuditLog({ directory, serverId: "gw1", clock, logger: nullLogger, sync: "group" });
  async function verify(): Promise<Verification> {
    const names = (await readdir(join(directory, "gw1"))).filter((name) => name.endsWith(".log")).sort();
    async function* read(path: string): AsyncGenerator<Uint8Array, void, void> {
      yield await readFile(path);
    }
    const files = names.map((name) => ({ name, size: 0, read: () => read(join(directory, "gw1", name)) }));
    return verifyLogs({ sources: [{ server: "gw1", files, recording: (name) => Promise.resolve(read(join(directory, name))) }], witnesses: [] });
  }

  /** A gateway that dies after a checkpoint, in the middle of a session. */
  async function die(sid: string, swap: (live: Buffer) => Buffer): Promise<void> {
    const log = await audited();
    const recordings = openRecordings({ directory, serverId: "gw1", clock, logger: nullLogger, audit: log, limits: { sync: 20, flush: 20 } });
    log.precede(() => recordings.digests());
    const recording = await recordings.open(headerOf(sid), "strict", { changed: () => undefined, gap: () => undefined });
    await log.emit({ event: "session.start", code: "T2000I", sid, user: "ana", recorded: true });
    recording.write("o", Buffer.from("what she did"));
    const live = join(folder, `${sid}.live`);
    await vi.waitFor(async () => expect((await readFile(live)).includes("what she did")).toBe(true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await log.checkpoint();
    const bytes = await readFile(live);
    await recording.discard();
    await recordings.close();
    await log.close();
    await writeFile(live, swap(bytes));
    const next = await audited();
    const again = openRecordings({ directory, serverId: "gw1", clock, logger: nullLogger, audit: next });
    await again.recovered;
    await again.close();
    await next.close();
  }

  it("holds what is recovered to it", async () => {
    await die(uuid(), (bytes) => bytes);
    // That its process closed the log is this test's doing.
    expect((await verify()).findings).toEqual([]);
  });

  it("tells of a live recording that was replaced by a whole one of another content", async () => {
    const sid = uuid();
    await die(sid, () => Buffer.concat(chunksOf(sid, 3, "nothing to see")));
    expect((await verify()).findings).toEqual([expect.objectContaining({ kind: "recording", text: expect.stringContaining("its beginning is not what it was") as string })]);
  });
});
