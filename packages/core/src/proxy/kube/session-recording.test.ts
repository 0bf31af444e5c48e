import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openRecordings } from "../../audit/index.ts";
import type { Recordings } from "../../audit/index.ts";
import { nullLogger, systemClock } from "../../base/index.ts";
import { createSessionPlace, frame, memoryDisk } from "./test-sessions.ts";
import type { AskedStream, SessionPlace } from "./test-sessions.ts";
import { createTestWorld } from "./test-world.ts";

let place: SessionPlace;
beforeEach(async () => {
  place = await createSessionPlace();
});
afterEach(() => place.remove());

describe("a disk that stalls", () => {
  async function flood(): Promise<{ readonly stream: AskedStream; readonly upstream: Socket }> {
    const server = place.accepting();
    const stream = await place.ask();
    const upstream = await server;
    await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
    const piece = Buffer.concat(Array.from({ length: 64 }, () => frame(`\x01${"x".repeat(60_000)}`)));
    const pump = (): void => {
      while (!upstream.destroyed && upstream.write(piece));
    };
    upstream.on("drain", pump);
    upstream.on("error", () => undefined);
    pump();
    return { stream, upstream };
  }

  it("holds the stream back, and lets it go on", async () => {
    const gate: { wait: Promise<void>; go: () => void } = { wait: Promise.resolve(), go: () => undefined };
    await place.open("strict", memoryDisk(() => gate.wait));
    gate.wait = Promise.resolve();
    const opened = flood();
    await vi.waitFor(() => expect(place.named("session.start")).toHaveLength(1));
    gate.wait = new Promise((resolve) => (gate.go = resolve));
    const { stream } = await opened;
    let before = -1;
    await vi.waitFor(
      () => {
        const same = before === stream.got.bytes && before > 0;
        before = stream.got.bytes;
        expect(same).toBe(true);
      },
      { interval: 300 },
    );
    gate.wait = Promise.resolve();
    gate.go();
    await vi.waitFor(() => expect(stream.got.bytes).toBeGreaterThan(before + 4 * 1024 * 1024));
    stream.socket.destroy();
    await vi.waitFor(() => expect(place.named("session.end")).toHaveLength(1));
  });

  it("for too long, or that fails, ends a strict session with the reason", async () => {
    let failing = false;
    await place.open("strict", memoryDisk(() => (failing ? Promise.reject(new Error("EIO: i/o error")) : Promise.resolve())), { deadline: 200 });
    const server = place.accepting();
    const stream = await place.ask();
    const upstream = await server;
    upstream.write(frame("\x01hello"));
    await vi.waitFor(() => expect(stream.text()).toContain("hello"));
    failing = true;
    upstream.write(frame("\x01lost"));
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/can no longer be recorded: EIO/);
    await vi.waitFor(() => expect(place.named("session.end")).toMatchObject([{ reason: expect.stringContaining("EIO") as string, recording: { complete: false } }]));
  });
});

describe("a recording that fails", () => {
  it("before it runs ends a strict session before a byte passes", async () => {
    const audit = { emit: () => Promise.resolve(), close: () => Promise.resolve() };
    const real = openRecordings({ directory: place.folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit });
    const disk: { problem?: string } = {};
    const recordings: Recordings = {
      ...real,
      open: async (...begun) =>
        new Proxy(await real.open(...begun), {
          get(target, name) {
            const value: unknown = name === "problem" ? disk.problem : Reflect.get(target, name, target);
            return typeof value === "function" ? (value.bind(target) as unknown) : value;
          },
        }),
    };
    place.world = await createTestWorld({ recordings, recording: "strict", serverId: "gw" });
    const server = place.accepting();
    const stream = await place.ask();
    disk.problem = "EIO: i/o error";
    (await server).write(frame("\x01secret"));
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 503 [\s\S]*can no longer be recorded: EIO/);
    expect(stream.text()).not.toContain("secret");
    await vi.waitFor(() => expect(place.named("session.end")).toMatchObject([{ reason: expect.stringContaining("EIO") as string }]));
    expect(place.world.sessions.list()).toEqual([]);
  });

  it("in the middle of a frame lets no more pass than its rest, and the reason", async () => {
    const gate: { wait: Promise<void>; go: () => void } = { wait: Promise.resolve(), go: () => undefined };
    await place.open("strict", memoryDisk(() => gate.wait), { waiting: 100, flush: 20, stall: 1500, deadline: 200 });
    const server = place.accepting();
    const stream = await place.ask();
    const upstream = await server;
    await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
    gate.wait = new Promise((resolve) => (gate.go = resolve));
    const whole = frame(`\x01${"x".repeat(1000)}the rest`);
    upstream.write(whole.subarray(0, 500));
    await vi.waitFor(() => expect(stream.text()).toContain("xxx"));
    // By now it is held back.
    await new Promise((resolve) => setTimeout(resolve, 100));
    upstream.write(Buffer.concat([whole.subarray(500), frame("\x01more"), frame("\x01secret")]));
    await once(stream.socket, "close");
    gate.go();
    expect(stream.text()).toMatch(/the rest[\s\S]*"message":"[^"]*can no longer be recorded/);
    expect(stream.text()).not.toMatch(/more.*secret|\x01more/);
  });
});
