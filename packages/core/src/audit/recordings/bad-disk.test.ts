import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createFile } from "./file.ts";
import { createGateway, disk, header, listener, type TestGateway } from "./test-gateway.ts";
import type { CreateFile, Recording } from "./types.ts";

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await createGateway();
});
afterEach(() => gateway.remove());

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
    gateway.open({ create: disk(() => stalled ?? Promise.resolve()) });
    const heard = listener();
    const recording = await gateway.recordings.open(header(), "strict", heard);
    stalled = new Promise((resolve) => (go = resolve));
    let over = false;
    const pouring = pour(recording, () => over);
    await vi.waitFor(() => expect(recording.behind).toBe(true));
    const before = process.memoryUsage().arrayBuffers;
    // Whoever pours would have done so as often.
    for (let turn = 0; turn < 1000; turn++) await new Promise((resolve) => setImmediate(resolve));
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
    expect((await gateway.played(recording.sid)).output.length).toBe(poured);
    expect(heard.gaps).toEqual([]);
  });

  it("for too long ends a strict session", async () => {
    const gate = { go: (): void => undefined, stalled: Promise.resolve() };
    gateway.open({ create: disk(() => gate.stalled), limits: { stall: 100, deadline: 100 } });
    const recording = await gateway.recordings.open(header(), "strict", listener());
    gate.stalled = new Promise((resolve) => (gate.go = resolve));
    await pour(recording, () => recording.problem !== undefined);
    expect(recording.problem).toMatch(/does not keep up/);
    expect(await recording.end({ reason: "held back" })).toMatchObject({ complete: false });
    gate.go();
  });

  it("makes a gap in a session that may have one, which goes on", async () => {
    let stalled: Promise<void> | undefined;
    let go = (): void => undefined;
    gateway.open({ create: disk(() => stalled ?? Promise.resolve()), limits: { patience: 50 } });
    const heard = listener();
    const recording = await gateway.recordings.open(header(), "best_effort", heard);
    stalled = new Promise((resolve) => (go = resolve));
    let over = false;
    const pouring = pour(recording, () => over);
    await vi.waitFor(() => expect(heard.gaps).toHaveLength(1));
    expect(heard.gaps[0]).toMatchObject({ over: false, why: expect.stringContaining("keep up") as string });
    expect(recording.behind).toBe(false);
    stalled = undefined;
    go();
    await vi.waitFor(() => expect(heard.gaps.some((gap) => gap.over)).toBe(true));
    over = true;
    const poured = await pouring;
    const result = await recording.end({ reason: "done" });
    await recording.settle();
    const { output, gaps } = await gateway.played(recording.sid);
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
    gateway.open({ create: disk(() => (hanging ? new Promise((resolve) => (go = resolve)) : Promise.resolve())), limits: { late: 1000, stall: 200, deadline: 100 } });
    const recording = await gateway.recordings.open(header(), "strict", listener());
    const trickling = trickle(recording);
    // A disk that answers is never late.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect([recording.behind, recording.problem]).toEqual([false, undefined]);
    hanging = true;
    await vi.waitFor(() => expect(recording.behind).toBe(true));
    await vi.waitFor(() => expect(recording.problem).toMatch(/does not keep up/));
    trickling.stop();
    expect(await recording.end({ reason: "held back" })).toMatchObject({ complete: false });
    go();
  });

  it("makes a gap in a session that may have one", async () => {
    let hanging = false;
    let go = (): void => undefined;
    gateway.open({ create: disk(() => (hanging ? new Promise((resolve) => (go = resolve)) : Promise.resolve())), limits: { late: 100, patience: 50 } });
    const heard = listener();
    const recording = await gateway.recordings.open(header(), "best_effort", heard);
    hanging = true;
    const trickling = trickle(recording);
    await vi.waitFor(() => expect(heard.gaps).toHaveLength(1));
    hanging = false;
    go();
    await vi.waitFor(() => expect(heard.gaps.at(-1)).toMatchObject({ over: true }));
    const passed = trickling.stop();
    expect(await recording.end({ reason: "done" })).toMatchObject({ complete: false });
    await recording.settle();
    const { output, gaps } = await gateway.played(recording.sid);
    expect(output.length + gaps.reduce((sum, gap) => sum + gap.bytes, 0)).toBe(passed);
  });
});

describe("a disk that takes what it is given and never secures it", () => {
  /** Syncs that wait for as long as `gate` does; the first one of each file, with its header, comes back. */
  const unsure = (gate: () => Promise<void>): CreateFile => async (path) => {
    const file = await createFile(path);
    return { ...file, datasync: gate };
  };

  it("holds a strict session back, and lets it go on when it answers", async () => {
    let go = (): void => undefined;
    let hanging: Promise<void> | undefined;
    gateway.open({ create: unsure(() => hanging ?? Promise.resolve()), limits: { sync: 20, unsynced: 1000, stall: 60_000 } });
    const heard = listener();
    const recording = await gateway.recordings.open(header(), "strict", heard);
    const timer = setInterval(() => recording.write("o", Buffer.from("x")), 20);
    // One that answers is never late, however much is written meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect([recording.behind, heard.changes]).toEqual([false, 0]);
    hanging = new Promise((resolve) => (go = resolve));
    await vi.waitFor(() => expect(recording.behind).toBe(true));
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
    gateway.open({ create: unsure(() => hanging ?? Promise.resolve()), limits: { sync: 20, unsynced: 200, stall: 200, deadline: 100 } });
    const both = [await gateway.recordings.open(header(), "strict", listener()), await gateway.recordings.open(header(), "strict", listener())];
    const loose = await gateway.recordings.open(header(), "best_effort", listener());
    hanging = new Promise((resolve) => (go = resolve));
    for (const recording of [...both, loose]) recording.write("o", Buffer.from("x"));
    await vi.waitFor(() => expect(both.map(({ problem }) => problem)).toEqual([expect.stringContaining("keep up"), expect.stringContaining("keep up")]));
    expect([loose.behind, loose.problem]).toEqual([false, undefined]);
    // The disk never answers: none of them waits for it.
    await Promise.all([...both, loose].map((recording) => recording.end({ reason: "held back" })));
    await expect(gateway.recordings.open(header(), "strict", listener())).rejects.toMatchObject({ code: "unavailable" });
    hanging = undefined;
    go();
  });
});

describe("a disk that fails", () => {
  it("ends a strict session with the reason, and what it took is whole", async () => {
    let broken = false;
    gateway.open({ create: disk(() => (broken ? Promise.reject(new Error("EIO: i/o error")) : Promise.resolve())) });
    const heard = listener();
    const recording = await gateway.recordings.open(header(), "strict", heard);
    recording.write("o", Buffer.from("kept"));
    await vi.waitFor(async () => expect((await gateway.played(recording.sid, ".live")).output.toString()).toBe("kept"));
    broken = true;
    recording.write("o", Buffer.from("lost"));
    await vi.waitFor(() => expect(recording.problem).toMatch(/EIO/));
    const result = await recording.end({ reason: "the disk failed" });
    await recording.settle();
    const { output, summary } = await gateway.played(recording.sid);
    expect([output.toString(), summary.digest, summary.torn, result.complete]).toEqual(["kept", result.sha256, 0, false]);
  });

  it("is tried again for a session that may have gaps", async () => {
    let broken = false;
    let tries = 0;
    const refuse = (): Promise<void> => {
      tries += 1;
      return Promise.reject(new Error("EIO: i/o error"));
    };
    gateway.open({ create: disk(() => (broken ? refuse() : Promise.resolve())), limits: { retry: 20 } });
    const recording = await gateway.recordings.open(header(), "best_effort", listener());
    broken = true;
    recording.write("o", Buffer.from("late, but there"));
    await vi.waitFor(() => expect(tries).toBeGreaterThan(3));
    expect(recording.problem).toBeUndefined();
    broken = false;
    const result = await recording.end({ reason: "done" });
    expect(result.complete).toBe(true);
    await recording.settle();
    expect((await gateway.played(recording.sid)).output.toString()).toBe("late, but there");
  });
});
