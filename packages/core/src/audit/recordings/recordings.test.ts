import { randomBytes, randomUUID } from "node:crypto";
import { copyFile, mkdtemp, mkdir, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nullLogger, systemClock } from "../../base/index.ts";
import { RecordingReader, parseRecordingEnd, parseRecordingGap, parseRecordingMarker, type RecordingHeader, type RecordingSummary } from "../../formats/index.ts";
import type { AuditEventInput } from "../types.ts";
import { createFile, cutAtPages } from "./file.ts";
import { openRecordings } from "./open.ts";
import type { CreateFile, Recording, RecordingLimits, RecordingListener, RecordingMode, Recordings } from "./types.ts";

let folder: string;
let events: AuditEventInput[];
let recordings: Recordings;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "recordings-"));
  events = [];
});
afterEach(() => rm(folder, { recursive: true }));

const place = (): string => join(folder, "gw", "sessions", "default");
const audit = { emit: (event: AuditEventInput) => Promise.resolve(void events.push(event)), close: () => Promise.resolve() };

function open(more: { readonly create?: CreateFile; readonly limits?: Partial<RecordingLimits> } = {}): Recordings {
  recordings = openRecordings({ directory: folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit, ...more });
  return recordings;
}

function header(): RecordingHeader {
  const started = Date.now();
  return {
    version: 2, width: 80, height: 24, timestamp: Math.floor(started / 1000), command: "sh",
    gatehouse: {
      sid: randomUUID(), kind: "exec", user: "ana", roles: ["access"], groups: ["developers"], cluster: "real", namespace: "web", pod: "a", container: "main", command: ["sh"], tty: true, stdin: true,
      address: "192.0.2.1:1", server_id: "gw", started,
    },
  };
}

interface Heard extends RecordingListener {
  changes: number;
  readonly gaps: Parameters<RecordingListener["gap"]>[0][];
}
const listener = (): Heard => {
  const heard: Heard = { changes: 0, gaps: [], changed: () => (heard.changes += 1), gap: (gap) => void heard.gaps.push(gap) };
  return heard;
};

interface Played {
  readonly output: Buffer;
  readonly ends: ReturnType<typeof parseRecordingEnd>[];
  readonly gaps: ReturnType<typeof parseRecordingGap>[];
  readonly summary: RecordingSummary;
}

function play(bytes: Buffer): Played {
  const reader = new RecordingReader();
  const output: Buffer[] = [];
  const ends: Played["ends"][number][] = [];
  const gaps: Played["gaps"][number][] = [];
  for (const { type, data } of reader.feed(bytes)) {
    if (type === "o") output.push(Buffer.from(data));
    else if (type === "x") ends.push(parseRecordingEnd(data));
    else if (type === "g") gaps.push(parseRecordingGap(data));
  }
  return { output: Buffer.concat(output), ends, gaps, summary: reader.end() };
}
const played = async (sid: string, end = ".rec"): Promise<Played> => play(await readFile(join(place(), sid + end)));

/** A disk that waits for `gate` before each write, or fails with what it throws. */
const disk = (gate: () => Promise<void>): CreateFile => async (path) => {
  const file = await createFile(path);
  return { ...file, write: (...args) => gate().then(() => file.write(...args)) };
};

describe("a recording", () => {
  it("has everything that passed, in order, under a digest", async () => {
    open();
    const recording = await recordings.open(header(), "strict", listener());
    const pieces = Array.from({ length: 200 }, (_, index) => randomBytes((index * 7919) % 60_000));
    for (const piece of pieces) {
      const reused = Buffer.from(piece);
      recording.write("o", reused);
      // Its author may use the memory again at once.
      reused.fill(0);
      if (recording.behind) await vi.waitFor(() => expect(recording.behind).toBe(false));
    }
    const result = await recording.end({ reason: "done", exitCode: 3 });
    expect(await readdir(place())).toEqual([`${recording.sid}.live`]);
    await recording.settle();
    const { output, ends, summary } = await played(recording.sid);
    expect(output.equals(Buffer.concat(pieces))).toBe(true);
    expect(ends).toEqual([{ reason: "done", exitCode: 3 }]);
    expect(result).toEqual({ file: `gw/sessions/default/${recording.sid}.rec`, bytes: summary.bytes, sha256: summary.digest, complete: true });
    await recordings.close();
  });

  it("is in the file a moment after it happened", async () => {
    open();
    const recording = await recordings.open(header(), "strict", listener());
    recording.write("o", Buffer.from("one key"));
    await vi.waitFor(async () => expect((await played(recording.sid, ".live")).output.toString()).toBe("one key"));
    await recording.discard();
    expect(await readdir(place())).toEqual([]);
  });

  it("that somebody follows is written soon, and holds markers of bounded length", async () => {
    open({ limits: { flush: 60_000 } });
    const recording = await recordings.open(header(), "strict", listener());
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
    open();
    const recording = await recordings.open(header(), "strict", listener());
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
    open({ create: disk(() => Promise.reject(new Error("ENOSPC: no space left on device"))) });
    await expect(recordings.open(header(), "strict", listener())).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("no space left") as string });
    expect(await readdir(place())).toEqual([]);
    let answer = (): void => undefined;
    open({ create: disk(() => new Promise((resolve) => (answer = resolve))), limits: { deadline: 50 } });
    await expect(recordings.open(header(), "strict", listener())).rejects.toMatchObject({ message: expect.stringContaining("does not answer") as string });
    answer();
    await vi.waitFor(async () => expect(await readdir(place())).toEqual([]));
    await writeFile(join(folder, "file"), "");
    const nowhere = openRecordings({ directory: join(folder, "file"), serverId: "gw", clock: systemClock, logger: nullLogger, audit });
    await expect(nowhere.open(header(), "strict", listener())).rejects.toMatchObject({ code: "unavailable" });
  });

  it("refuses a header that no reader would take", async () => {
    open();
    const large = header();
    await expect(recordings.open({ ...large, gatehouse: { ...large.gatehouse, command: ["x".repeat(70_000)] } }, "strict", listener())).rejects.toMatchObject({ code: "limit_exceeded" });
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
    open({ create });
    const recording = await recordings.open(header(), mode, listener());
    const pieces = Array.from({ length: 800 }, () => randomBytes(16_000));
    for (const piece of pieces) {
      recording.write("o", piece);
      if (recording.behind) await vi.waitFor(() => expect(recording.behind).toBe(false), { interval: 1, timeout: 20_000 });
      else await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await recording.end({ reason: "done" })).toMatchObject({ complete: true });
    await recording.settle();
    expect((await played(recording.sid)).output.equals(Buffer.concat(pieces))).toBe(true);
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

describe("a disk that stalls", () => {
  /** Writes as a session does that is held back when it should be, for as long as the disk stalls. */
  function pour(recording: Recording, until: () => boolean): Promise<number> {
    const piece = randomBytes(64 * 1024);
    return (async () => {
      let poured = 0;
      while (!until()) {
        if (!recording.behind && recording.problem === undefined) {
          recording.write("o", piece);
          poured += piece.length;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      return poured;
    })();
  }

  it("holds a strict session back, in bounded memory, and loses nothing", async () => {
    let stalled: Promise<void> | undefined;
    let go = (): void => undefined;
    open({ create: disk(() => stalled ?? Promise.resolve()) });
    const heard = listener();
    const recording = await recordings.open(header(), "strict", heard);
    stalled = new Promise((resolve) => (go = resolve));
    let over = false;
    const pouring = pour(recording, () => over);
    await vi.waitFor(() => expect(recording.behind).toBe(true));
    const before = process.memoryUsage().arrayBuffers;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    expect(heard.changes).toBe(1);
    stalled = undefined;
    go();
    await vi.waitFor(() => expect(heard.changes).toBeGreaterThan(1));
    over = true;
    const poured = await pouring;
    const result = await recording.end({ reason: "done" });
    await recording.settle();
    expect(result.complete).toBe(true);
    expect((await played(recording.sid)).output.length).toBe(poured);
    expect(heard.gaps).toEqual([]);
  });

  it("for too long ends a strict session", async () => {
    const gate = { go: (): void => undefined, stalled: Promise.resolve() };
    open({ create: disk(() => gate.stalled), limits: { stall: 100, deadline: 100 } });
    const recording = await recordings.open(header(), "strict", listener());
    gate.stalled = new Promise((resolve) => (gate.go = resolve));
    await pour(recording, () => recording.problem !== undefined);
    expect(recording.problem).toMatch(/does not keep up/);
    expect(await recording.end({ reason: "held back" })).toMatchObject({ complete: false });
    gate.go();
  });

  it("makes a gap in a session that may have one, which goes on", async () => {
    let stalled: Promise<void> | undefined;
    let go = (): void => undefined;
    open({ create: disk(() => stalled ?? Promise.resolve()), limits: { patience: 50 } });
    const heard = listener();
    const recording = await recordings.open(header(), "best_effort", heard);
    stalled = new Promise((resolve) => (go = resolve));
    let over = false;
    const pouring = pour(recording, () => over);
    await vi.waitFor(() => expect(heard.gaps).toHaveLength(1), { timeout: 5000 });
    expect(heard.gaps[0]).toMatchObject({ over: false, why: expect.stringContaining("keep up") as string });
    expect(recording.behind).toBe(false);
    stalled = undefined;
    go();
    await vi.waitFor(() => expect(heard.gaps.some((gap) => gap.over)).toBe(true), { timeout: 5000 });
    over = true;
    const poured = await pouring;
    const result = await recording.end({ reason: "done" });
    await recording.settle();
    const { output, gaps } = await played(recording.sid);
    const lost = gaps.reduce((sum, gap) => sum + gap.bytes, 0);
    expect(lost).toBeGreaterThan(0);
    expect(output.length + lost).toBe(poured);
    expect(heard.gaps.filter((gap) => gap.over).reduce((sum, gap) => sum + gap.bytes, 0)).toBe(lost);
    expect(result.complete).toBe(false);
  });
});

describe("a disk that hangs while little is written", () => {
  /** Ten bytes a second, or so, while they may pass. */
  function trickle(recording: Recording): { stop(): number } {
    let passed = 0;
    const timer = setInterval(() => {
      if (recording.behind || recording.problem !== undefined) return;
      recording.write("o", Buffer.from("x"));
      passed += 1;
    }, 20);
    return {
      stop() {
        clearInterval(timer);
        return passed;
      },
    };
  }

  it("ends a strict session all the same", async () => {
    let hanging = false;
    let go = (): void => undefined;
    open({ create: disk(() => (hanging ? new Promise((resolve) => (go = resolve)) : Promise.resolve())), limits: { late: 300, stall: 200, deadline: 100 } });
    const recording = await recordings.open(header(), "strict", listener());
    const trickling = trickle(recording);
    // A disk that answers is never late.
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect([recording.behind, recording.problem]).toEqual([false, undefined]);
    hanging = true;
    await vi.waitFor(() => expect(recording.behind).toBe(true), { timeout: 2000 });
    await vi.waitFor(() => expect(recording.problem).toMatch(/does not keep up/), { timeout: 2000 });
    trickling.stop();
    expect(await recording.end({ reason: "held back" })).toMatchObject({ complete: false });
    go();
  });

  it("makes a gap in a session that may have one", async () => {
    let hanging = false;
    let go = (): void => undefined;
    open({ create: disk(() => (hanging ? new Promise((resolve) => (go = resolve)) : Promise.resolve())), limits: { late: 100, patience: 50 } });
    const heard = listener();
    const recording = await recordings.open(header(), "best_effort", heard);
    hanging = true;
    const trickling = trickle(recording);
    await vi.waitFor(() => expect(heard.gaps).toHaveLength(1), { timeout: 3000 });
    hanging = false;
    go();
    await vi.waitFor(() => expect(heard.gaps.at(-1)).toMatchObject({ over: true }), { timeout: 3000 });
    const passed = trickling.stop();
    expect(await recording.end({ reason: "done" })).toMatchObject({ complete: false });
    await recording.settle();
    const { output, gaps } = await played(recording.sid);
    expect(output.length + gaps.reduce((sum, gap) => sum + gap.bytes, 0)).toBe(passed);
  });
});

describe("a disk that takes what it is given and never secures it", () => {
  /** Syncs that wait for as long as `gate` does; the first one of each file, with its header, comes back. */
  const unsure = (gate: () => Promise<void>): CreateFile => async (path) => {
    const file = await createFile(path);
    return { ...file, datasync: () => gate().then(() => file.datasync()) };
  };

  it("holds a strict session back, and lets it go on when it answers", async () => {
    let go = (): void => undefined;
    let hanging: Promise<void> | undefined;
    open({ create: unsure(() => hanging ?? Promise.resolve()), limits: { sync: 20, unsynced: 300, stall: 60_000 } });
    const heard = listener();
    const recording = await recordings.open(header(), "strict", heard);
    const timer = setInterval(() => recording.write("o", Buffer.from("x")), 20);
    // One that answers is never late, however much is written meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect([recording.behind, heard.changes]).toEqual([false, 0]);
    hanging = new Promise((resolve) => (go = resolve));
    await vi.waitFor(() => expect(recording.behind).toBe(true), { timeout: 2000 });
    hanging = undefined;
    go();
    await vi.waitFor(() => expect(recording.behind).toBe(false));
    clearInterval(timer);
    expect(recording.problem).toBeUndefined();
    expect(await recording.end({ reason: "done" })).toMatchObject({ complete: true });
  });

  it("ends a strict session after a while, though nothing more is written, and every other one with it", async () => {
    let go = (): void => undefined;
    let hanging: Promise<void> | undefined;
    open({ create: unsure(() => hanging ?? Promise.resolve()), limits: { sync: 20, unsynced: 200, stall: 200, deadline: 100 } });
    const both = [await recordings.open(header(), "strict", listener()), await recordings.open(header(), "strict", listener())];
    const loose = await recordings.open(header(), "best_effort", listener());
    hanging = new Promise((resolve) => (go = resolve));
    for (const recording of [...both, loose]) recording.write("o", Buffer.from("x"));
    await vi.waitFor(() => expect(both.map(({ problem }) => problem)).toEqual([expect.stringContaining("keep up"), expect.stringContaining("keep up")]), { timeout: 3000 });
    expect([loose.behind, loose.problem]).toEqual([false, undefined]);
    const begun = performance.now();
    await Promise.all([...both, loose].map((recording) => recording.end({ reason: "held back" })));
    expect(performance.now() - begun).toBeLessThan(2000);
    await expect(recordings.open(header(), "strict", listener())).rejects.toMatchObject({ code: "unavailable" });
    hanging = undefined;
    go();
  });
});

describe("a disk that fails", () => {
  it("ends a strict session with the reason, and what it took is whole", async () => {
    let broken = false;
    open({ create: disk(() => (broken ? Promise.reject(new Error("EIO: i/o error")) : Promise.resolve())) });
    const heard = listener();
    const recording = await recordings.open(header(), "strict", heard);
    recording.write("o", Buffer.from("kept"));
    await vi.waitFor(async () => expect((await played(recording.sid, ".live")).output.toString()).toBe("kept"));
    broken = true;
    recording.write("o", Buffer.from("lost"));
    await vi.waitFor(() => expect(recording.problem).toMatch(/EIO/));
    const result = await recording.end({ reason: "the disk failed" });
    await recording.settle();
    const { output, summary } = await played(recording.sid);
    expect([output.toString(), summary.digest, summary.torn, result.complete]).toEqual(["kept", result.sha256, 0, false]);
  });

  it("is tried again for a session that may have gaps", async () => {
    let broken = false;
    open({ create: disk(() => (broken ? Promise.reject(new Error("EIO: i/o error")) : Promise.resolve())), limits: { retry: 20 } });
    const recording = await recordings.open(header(), "best_effort", listener());
    broken = true;
    recording.write("o", Buffer.from("late, but there"));
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(recording.problem).toBeUndefined();
    broken = false;
    const result = await recording.end({ reason: "done" });
    expect(result.complete).toBe(true);
    await recording.settle();
    expect((await played(recording.sid)).output.toString()).toBe("late, but there");
  });
});

describe("what a gateway that died has left", () => {
  it("plays to its last whole chunk wherever it is torn, has an end, and is told once", async () => {
    open();
    const recording = await recordings.open(header(), "strict", listener());
    const { sid } = recording;
    const live = join(place(), `${sid}.live`);
    const sizes: number[] = [recording.size];
    for (let round = 0; round < 4; round++) {
      recording.write("o", Buffer.from(`part ${round};`));
      await vi.waitFor(() => expect(recording.size).toBeGreaterThan(sizes.at(-1)!));
      sizes.push(recording.size);
    }
    const whole = join(folder, "whole");
    await copyFile(live, whole);
    await recording.discard();
    const first = sizes[0]!;
    for (let size = first; size <= sizes.at(-1)!; size += 37) {
      await mkdir(place(), { recursive: true });
      await copyFile(whole, live);
      await truncate(live, size);
      events.length = 0;
      await open().recovered;
      const parts = sizes.filter((end) => end <= size).length - 1;
      const { output, ends, summary } = await played(sid);
      expect(output.toString()).toBe(Array.from({ length: parts }, (_, round) => `part ${round};`).join(""));
      expect(ends).toEqual([{ reason: expect.stringContaining("died") as string, interrupted: true }]);
      expect(events).toHaveLength(1);
      expect(events[0]).toMatchObject({ event: "session.end", code: "T2004I", sid, user: "ana", interrupted: true, recording: { sha256: summary.digest, bytes: summary.bytes, file: `gw/sessions/default/${sid}.rec` } });
      await rm(join(place(), `${sid}.rec`));
    }
    await copyFile(whole, live);
    await truncate(live, first - 1);
    events.length = 0;
    await open().recovered;
    expect([await readdir(place()), events]).toEqual([[], []]);
  });

  it("is not told twice where it died between telling and renaming", async () => {
    open();
    const recording = await recordings.open(header(), "strict", listener());
    await recording.end({ reason: "done", exitCode: 0 });
    const { sid } = recording;
    const day = new Date().toISOString().slice(0, 10);
    await writeFile(join(folder, "gw", `${day}.00:00:00.log`), `{"event":"session.start","sid":"${sid}"}\n{"event":"session.end","sid":"${sid}"}\n`);
    await open().recovered;
    expect([await readdir(place()), events]).toEqual([[`${sid}.rec`], []]);
    await copyFile(join(place(), `${sid}.rec`), join(place(), `${sid}.live`));
    await rm(join(folder, "gw", `${day}.00:00:00.log`));
    await open().recovered;
    expect(events).toMatchObject([{ reason: "done", exit_code: 0 }]);
  });
});
