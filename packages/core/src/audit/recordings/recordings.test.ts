import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RecordingReader, parseRecordingMarker } from "../../formats/index.ts";
import { createFile, cutAtPages } from "./file.ts";
import { createGateway, disk, header, listener, play, type TestGateway } from "./test-gateway.ts";
import type { CreateFile, RecordingMode } from "./types.ts";

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await createGateway();
});
afterEach(() => gateway.remove());

describe("a recording", () => {
  it("has everything that passed, in order, under a digest", async () => {
    gateway.open();
    const recording = await gateway.recordings.open(header(), "strict", listener());
    const pieces = Array.from({ length: 200 }, (_, index) => randomBytes((index * 7919) % 60_000));
    for (const piece of pieces) {
      const reused = Buffer.from(piece);
      recording.write("o", reused);
      // Its author may use the memory again at once.
      reused.fill(0);
      if (recording.behind) await vi.waitFor(() => expect(recording.behind).toBe(false));
    }
    const result = await recording.end({ reason: "done", exitCode: 3 });
    expect(await readdir(gateway.place)).toEqual([`${recording.sid}.live`]);
    await recording.settle();
    const { output, ends, summary } = await gateway.played(recording.sid);
    expect(output.equals(Buffer.concat(pieces))).toBe(true);
    expect(ends).toEqual([{ reason: "done", exitCode: 3 }]);
    expect(result).toEqual({ file: `gw/sessions/default/${recording.sid}.rec`, bytes: summary.bytes, sha256: summary.digest, complete: true });
    await gateway.recordings.close();
  });

  it("is in the file a moment after it happened", async () => {
    gateway.open();
    const recording = await gateway.recordings.open(header(), "strict", listener());
    recording.write("o", Buffer.from("one key"));
    await vi.waitFor(async () => expect((await gateway.played(recording.sid, ".live")).output.toString()).toBe("one key"));
    await recording.discard();
    expect(await readdir(gateway.place)).toEqual([]);
  });

  it("that somebody follows is written soon, and holds markers of bounded length", async () => {
    gateway.open({ limits: { flush: 60_000 } });
    const recording = await gateway.recordings.open(header(), "strict", listener());
    const reader = new RecordingReader();
    const records: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const bytes of recording.follow(stop.signal)) for (const { type, data } of reader.feed(bytes)) records.push(`${type}${data.toString("utf8")}`);
    })();
    await vi.waitFor(() => expect(records).toHaveLength(1));
    recording.write("o", Buffer.from("typed"));
    await vi.waitFor(() => expect(records.at(-1)).toBe("otyped"));
    recording.mark({ kind: "k".repeat(100), text: "t".repeat(20_000) });
    await vi.waitFor(() => expect(records).toHaveLength(3));
    expect(parseRecordingMarker(Buffer.from(records[2]!.slice(1)))).toEqual({ kind: "k".repeat(64), text: "t".repeat(8192) });
    stop.abort();
    await following;
    await recording.discard();
  });

  it("can be followed from its beginning to its end", async () => {
    gateway.open();
    const recording = await gateway.recordings.open(header(), "strict", listener());
    const got: Buffer[] = [];
    const following = (async () => {
      for await (const bytes of recording.follow(new AbortController().signal)) got.push(bytes);
    })();
    for (let round = 0; round < 3; round++) {
      recording.write("o", Buffer.from(`line ${round}\n`));
      await vi.waitFor(() => expect(Buffer.concat(got).toString("latin1")).toContain(`line ${round}`));
    }
    await recording.end({ reason: "done" });
    await following;
    expect(play(Buffer.concat(got))).toMatchObject({ output: Buffer.from("line 0\nline 1\nline 2\n"), summary: { complete: true } });
    const stop = new AbortController();
    stop.abort();
    for await (const bytes of recording.follow(stop.signal)) expect(bytes).toBeUndefined();
  });

  it("does not begin where the disk does not take it, or does not answer", async () => {
    gateway.open({ create: disk(() => Promise.reject(new Error("ENOSPC: no space left on device"))) });
    await expect(gateway.recordings.open(header(), "strict", listener())).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("no space left") as string });
    expect(await readdir(gateway.place)).toEqual([]);
    let answer = (): void => undefined;
    gateway.open({ create: disk(() => new Promise((resolve) => (answer = resolve))), limits: { deadline: 50 } });
    await expect(gateway.recordings.open(header(), "strict", listener())).rejects.toMatchObject({ message: expect.stringContaining("does not answer") as string });
    answer();
    await vi.waitFor(async () => expect(await readdir(gateway.place)).toEqual([]));
    await writeFile(join(gateway.folder, "file"), "");
    const nowhere = gateway.open({ directory: join(gateway.folder, "file") });
    await expect(nowhere.open(header(), "strict", listener())).rejects.toMatchObject({ code: "unavailable" });
  });

  it("refuses a header that no reader would take", async () => {
    gateway.open();
    const large = header();
    await expect(gateway.recordings.open({ ...large, gatehouse: { ...large.gatehouse, command: ["x".repeat(70_000)] } }, "strict", listener())).rejects.toMatchObject({ code: "limit_exceeded" });
  });
});

describe("a stream that flows", () => {
  /** Writes of one recording: whether they may go past the system's cache, and how many bytes of whole pages they have. */
  async function poured(mode: RecordingMode, gate: () => Promise<void> = () => Promise.resolve()): Promise<{ readonly pastCache: boolean; readonly whole: boolean; readonly bytes: number }[]> {
    const writes: Awaited<ReturnType<typeof poured>> = [];
    const create: CreateFile = async (path) => {
      const file = await createFile(path);
      return {
        ...file,
        async write(chunks, position, pastCache = false) {
          writes.push({ pastCache, whole: cutAtPages(chunks, position).every((run) => run.whole), bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0) });
          await gate();
          await file.write(chunks, position, pastCache);
        },
      };
    };
    gateway.open({ create });
    const recording = await gateway.recordings.open(header(), mode, listener());
    const pieces = Array.from({ length: 800 }, () => randomBytes(16_000));
    for (const piece of pieces) {
      recording.write("o", piece);
      if (recording.behind) await vi.waitFor(() => expect(recording.behind).toBe(false), { interval: 1 });
      else await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await recording.end({ reason: "done" })).toMatchObject({ complete: true });
    await recording.settle();
    expect((await gateway.played(recording.sid)).output.equals(Buffer.concat(pieces))).toBe(true);
    return writes;
  }

  it("is written in large pieces of whole pages, past the system's cache where the session waits for the disk anyway", async () => {
    const strict = await poured("strict");
    const large = strict.filter(({ bytes }) => bytes >= 512 * 1024);
    expect(large.length).toBeGreaterThan(10);
    // Records are cut anywhere but in their nine bytes of header: now and then a chunk ends before its page does.
    expect(large.filter(({ whole }) => whole).length).toBeGreaterThan(large.length / 2);
    expect(large.slice(0, 4).map(({ pastCache }) => pastCache)).toEqual([true, true, true, true]);
    expect((await poured("best_effort")).filter(({ pastCache }) => pastCache)).toEqual([]);
  });

  it("is left to the system's cache while the disk is slower", async () => {
    const writes = await poured("strict", () => new Promise((resolve) => setTimeout(resolve, 20)));
    // The first eight, and the small ones before them, showed how slow it is.
    const cached = writes.filter(({ pastCache }) => !pastCache);
    expect(cached.length).toBeGreaterThan(0);
    expect(writes.indexOf(cached[0]!)).toBeGreaterThanOrEqual(8);
  });
});

describe("what a gateway that died has left", () => {
  it("plays to its last whole chunk wherever it is torn, has an end, and is told once", async () => {
    gateway.open();
    const recording = await gateway.recordings.open(header(), "strict", listener());
    const { sid } = recording;
    const live = join(gateway.place, `${sid}.live`);
    const sizes: number[] = [recording.size];
    for (let round = 0; round < 4; round++) {
      recording.write("o", Buffer.from(`part ${round};`));
      await vi.waitFor(() => expect(recording.size).toBeGreaterThan(sizes.at(-1)!));
      sizes.push(recording.size);
    }
    const whole = join(gateway.folder, "whole");
    await copyFile(live, whole);
    await recording.discard();
    const first = sizes[0]!;
    for (let size = first; size <= sizes.at(-1)!; size += 37) {
      await mkdir(gateway.place, { recursive: true });
      await copyFile(whole, live);
      await truncate(live, size);
      gateway.events.length = 0;
      await gateway.open().recovered;
      const parts = sizes.filter((end) => end <= size).length - 1;
      const { output, ends, summary } = await gateway.played(sid);
      expect(output.toString()).toBe(Array.from({ length: parts }, (_, round) => `part ${round};`).join(""));
      expect(ends).toEqual([{ reason: expect.stringContaining("died") as string, interrupted: true }]);
      expect(gateway.events).toHaveLength(1);
      expect(gateway.events[0]).toMatchObject({ event: "session.end", code: "T2004I", sid, user: "ana", interrupted: true, recording: { sha256: summary.digest, bytes: summary.bytes, file: `gw/sessions/default/${sid}.rec` } });
      await rm(join(gateway.place, `${sid}.rec`));
    }
    await copyFile(whole, live);
    await truncate(live, first - 1);
    gateway.events.length = 0;
    await gateway.open().recovered;
    expect([await readdir(gateway.place), gateway.events]).toEqual([[], []]);
  });

  it("is not told twice where it died between telling and renaming", async () => {
    gateway.open();
    const recording = await gateway.recordings.open(header(), "strict", listener());
    await recording.end({ reason: "done", exitCode: 0 });
    const { sid } = recording;
    const day = new Date().toISOString().slice(0, 10);
    await writeFile(join(gateway.folder, "gw", `${day}.00:00:00.log`), `{"event":"session.start","sid":"${sid}"}\n{"event":"session.end","sid":"${sid}"}\n`);
    await gateway.open().recovered;
    expect([await readdir(gateway.place), gateway.events]).toEqual([[`${sid}.rec`], []]);
    await copyFile(join(gateway.place, `${sid}.rec`), join(gateway.place, `${sid}.live`));
    await rm(join(gateway.folder, "gw", `${day}.00:00:00.log`));
    await gateway.open().recovered;
    expect(gateway.events).toMatchObject([{ reason: "done", exit_code: 0 }]);
  });
});
