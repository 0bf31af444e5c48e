import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openRecordings } from "../../audit/index.ts";
import type { CreateFile, RecordingFile, RecordingLimits, Recordings } from "../../audit/index.ts";
import { killRequest } from "../../api/index.ts";
import { escapeLine, nullLogger, systemClock } from "../../base/index.ts";
import type { RecordingDefault } from "../sessions/index.ts";
import { createTestWorld } from "./test-world.ts";
import type { TestWorld } from "./test-world.ts";

let world: TestWorld;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sessions-"));
});
afterEach(async () => {
  await world.close();
  await rm(folder, { recursive: true });
});

const exec = "/api/v1/namespaces/web/pods/a/exec?command=sh&command=-c&stdin=true&container=main";
const named = (event: string) => world.events.filter((one) => one.event === event);
const frame = (text: string): Buffer => {
  const bytes = Buffer.from(text, "latin1");
  const header = bytes.length < 126 ? Buffer.from([0x82, bytes.length]) : Buffer.from([0x82, 126, bytes.length >> 8, bytes.length & 0xff]);
  return Buffer.concat([header, bytes]);
};
const success = '\x03{"metadata":{},"status":"Success"}';

/** A file of memory, whose writes go through `gate`. */
function memoryDisk(gate: () => Promise<void> = () => Promise.resolve()): { readonly create: CreateFile; bytes: number } {
  const disk = {
    bytes: 0,
    create: (): Promise<RecordingFile> =>
      Promise.resolve({
        write: async (chunks: readonly Buffer[]) => {
          await gate();
          for (const chunk of chunks) disk.bytes += chunk.length;
        },
        datasync: () => Promise.resolve(),
        truncate: () => Promise.resolve(),
        close: () => Promise.resolve(),
      }),
  };
  return disk;
}

async function open(recording: RecordingDefault, disk?: { readonly create: CreateFile }, limits?: Partial<RecordingLimits>, person: { readonly maxSessions?: number; readonly nodeProxy?: boolean } = {}): Promise<void> {
  const audit = { emit: () => Promise.resolve(), close: () => Promise.resolve() };
  const recordings = openRecordings({ directory: folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit, limits, ...(disk && { create: disk.create }) });
  world = await createTestWorld({ recordings, recording, serverId: "gw", ...person });
}

/** An API server that accepts, and hands its side of the stream over. */
function accepting(protocol = "v5.channel.k8s.io"): Promise<Socket> {
  return new Promise((resolve) => {
    world.upgrade = (_request, socket) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`);
      socket.resume();
      resolve(socket);
    };
  });
}

async function ask(upgrade = "websocket", path = exec): Promise<{ readonly socket: TLSSocket; text(): string; readonly got: { bytes: number } }> {
  const socket = await world.raw("ana");
  const got = { bytes: 0, text: "" };
  socket.on("data", (chunk: Buffer) => {
    got.bytes += chunk.length;
    if (got.text.length < 10_000) got.text += chunk.toString("latin1");
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: ${upgrade}\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`);
  return { socket, text: () => got.text, got };
}

const files = (): Promise<string[]> => readdir(join(folder, "gw", "sessions", "default"));

describe("a session", () => {
  it("has its beginning and its end in the log, and a recording", async () => {
    await open("strict");
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    upstream.write(Buffer.concat([frame("\x01hello"), frame("\x02oops")]));
    await vi.waitFor(() => expect(stream.text()).toContain("oops"));
    const [live] = world.sessions.list();
    expect(live).toMatchObject({ kind: "exec", user: "ana", namespace: "web", pod: "a", container: "main", command: ["sh", "-c"], recording: expect.any(Number) as number });
    upstream.end(frame(success));
    await once(stream.socket, "close");
    await vi.waitFor(() => expect(named("session.end")).toHaveLength(1));
    const sid = live!.sid;
    expect(named("session.start")).toMatchObject([{ sid, recorded: true, kubernetes_pod: "a", command: "sh -c" }]);
    expect(named("exec")).toMatchObject([{ sid }]);
    expect(named("session.end")).toMatchObject([{ sid, exit_code: 0, reason: "the command ended with exit code 0", recording: { complete: true } }]);
    await vi.waitFor(async () => expect(await files()).toEqual([`${sid}.rec`]));
    expect(world.sessions.list()).toEqual([]);
  });

  it("that must be recorded and cannot be is refused before the API server is asked", async () => {
    await open("strict", memoryDisk(() => Promise.reject(new Error("ENOSPC: no space left on device"))));
    const stream = await ask("SPDY/3.1");
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 503 [\s\S]*no space left/);
    expect(world.arrived.filter(({ url }) => url?.includes("exec"))).toEqual([]);
    expect(named("kube.denied")).toMatchObject([{ kubernetes_namespace: "web", kubernetes_pod: "a", kubernetes_container: "main", command: "sh -c" }]);
    expect(named("session.start")).toEqual([]);
  });

  it("that may have gaps goes on without a recording, and says so", async () => {
    await open("best_effort", memoryDisk(() => Promise.reject(new Error("EROFS: read-only file system"))));
    const server = accepting();
    const stream = await ask();
    (await server).end(Buffer.concat([frame("\x01hello"), frame(success)]));
    await once(stream.socket, "close");
    expect(stream.text()).toContain("hello");
    await vi.waitFor(() => expect(named("session.end")).toMatchObject([{ exit_code: 0 }]));
    expect(named("session.gap")).toMatchObject([{ code: "G2003W", error: expect.stringContaining("read-only") as string }]);
    expect(named("session.start")).toMatchObject([{ recorded: false }]);
  });

  it.each([
    ["the one that is named", exec, [{ name: "sidecar", image: "s:1" }, { name: "main", image: "registry.example.com/web:7" }], { kubernetes_container: "main", image: "registry.example.com/web:7" }],
    ["the only one where none is named", exec.replace("&container=main", ""), [{ name: "web", image: "web:7" }], { kubernetes_container: "web", image: "web:7" }],
    ["none where none of several is named", exec.replace("&container=main", ""), [{ name: "a", image: "a:1" }, { name: "b", image: "b:1" }], { kubernetes_container: "", image: undefined }],
    ["no image where the pod may not be seen", exec, undefined, { kubernetes_container: "main", image: undefined }],
  ])("says in which container and image it runs: %s", async (_, path, containers, expected) => {
    await open("strict");
    world.answer = (_request, response) => (containers === undefined ? response.writeHead(403).end("{}") : response.end(JSON.stringify({ kind: "Pod", spec: { containers } })));
    const server = accepting();
    await ask("websocket", path);
    (await server).destroy();
    await vi.waitFor(() => expect(named("session.start")).toMatchObject([expected]));
    const [look] = world.arrived;
    expect([look?.url, look?.headersDistinct["impersonate-user"], look?.headersDistinct["impersonate-group"]]).toEqual(["/api/v1/namespaces/web/pods/a", ["ana"], ["developers", "viewers", "system:authenticated"]]);
  });

  it("begins though nobody says in which container it runs", async () => {
    await open("strict");
    world.answer = () => undefined;
    const server = accepting();
    await ask();
    (await server).destroy();
    await vi.waitFor(() => expect(named("session.start")).toMatchObject([{ kubernetes_container: "main" }]), 5000);
  });

  it("is not recorded where recording is off, and is a session all the same", async () => {
    await open("off");
    const server = accepting();
    const stream = await ask();
    (await server).end(frame(success));
    await once(stream.socket, "close");
    await vi.waitFor(() => expect(named("session.end")).toMatchObject([{ exit_code: 0 }]));
    await expect(files()).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("in streams that nobody can read runs only where there may be gaps", async () => {
    await open("strict");
    accepting("secret.k8s.io").catch(() => undefined);
    const stream = await ask();
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 502 [\s\S]*cannot be recorded/);
    await vi.waitFor(async () => expect(await files()).toEqual([]));
  });

  it("ends with a message when it is killed, and is told to be", async () => {
    await open("strict");
    const server = accepting();
    const stream = await ask();
    (await server).write(frame("\x01hello"));
    await vi.waitFor(() => expect(stream.text()).toContain("hello"));
    world.sessions.kill(world.sessions.list()[0]!.sid, "ended by bo");
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/"message":"ended by bo"/);
    await vi.waitFor(() => expect(named("session.end")).toMatchObject([{ reason: "ended by bo" }]));
    expect(() => world.sessions.kill("none", "x")).toThrow(expect.objectContaining({ code: "not_found" }) as Error);
  });
});

describe("a node's own API", () => {
  const commands = [
    "/api/v1/nodes/n/proxy/run/default/a/main?cmd=id", "/api/v1/nodes/n/proxy/exec/default/a/main?command=id", "/api/v1/nodes/n:10250/proxy/attach/default/a/main", "/api/v1/nodes/n/proxy/portForward/default/a",
    "/api/v1/nodes/https:n:10250/proxy/cri/exec/token", "/api/v1/nodes/n/proxy/%72un/default/a/main?cmd=id", "/api/v1/proxy/nodes/n/run/default/a/main", "/api/v1/watch/nodes/n/proxy/exec/a", "/api/v1/namespaces/web/nodes/n/proxy/run/a",
  ];

  it.each(["strict", "best_effort"] as const)("runs no command and carries no stream that would not be recorded (%s)", async (mode) => {
    await open(mode, undefined, undefined, { nodeProxy: true });
    for (const path of commands) {
      const answer = await world.send("ana", path, { method: "POST" });
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.body).toMatch(/would not be recorded; use kubectl exec/);
    }
    const upgrade = await ask("websocket", "/api/v1/nodes/n/proxy/some/stream");
    await once(upgrade.socket, "close");
    expect(upgrade.text()).toMatch(/^HTTP\/1\.1 403 /);
    expect(world.arrived).toEqual([]);
    expect(named("kube.denied")).toHaveLength(commands.length + 1);
    for (const path of ["/api/v1/nodes/n/proxy/runningpods/", "/api/v1/nodes/n/proxy/containerLogs/default/a/main", "/api/v1/nodes/n/proxy/logs/run", "/api/v1/nodes/n/proxy"]) expect((await world.send("ana", path)).status).toBe(200);
  });

  it("is what a role lets pass where nothing is recorded", async () => {
    await open("off", undefined, undefined, { nodeProxy: true });
    for (const path of commands) expect((await world.send("ana", path, { method: "POST" })).status).toBe(200);
  });
});

describe("what a killed session's person reads", () => {
  const evil = "by ana: \u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b2J\u202e";

  it("has no characters that act on their terminal, whoever wrote it", async () => {
    await open("off");
    const server = accepting();
    const stream = await ask();
    (await server).write(frame("\x01hello"));
    await vi.waitFor(() => expect(stream.text()).toContain("hello"));
    world.sessions.kill(world.sessions.list()[0]!.sid, evil);
    await once(stream.socket, "close");
    const message = /"message":("(?:[^"\\]|\\.)*")/.exec(stream.text())?.[1] ?? "";
    expect(JSON.parse(message)).toBe(escapeLine(evil));
    // Nor does an administrator's client get so far.
    expect(killRequest.safeParse({ message: "the incident is over, see you" }).success).toBe(true);
    for (const message of [evil, "\u001b[2J", "a\u0000", "two\nlines", "a\rb", "\u202e"]) expect(killRequest.safeParse({ message }).success).toBe(false);
  });
});

describe("a disk that stalls", () => {
  async function flood(): Promise<{ readonly stream: Awaited<ReturnType<typeof ask>>; readonly upstream: Socket }> {
    const server = accepting();
    const stream = await ask();
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
    await open("strict", memoryDisk(() => gate.wait));
    gate.wait = Promise.resolve();
    const opened = flood();
    await vi.waitFor(() => expect(named("session.start")).toHaveLength(1));
    gate.wait = new Promise((resolve) => (gate.go = resolve));
    const { stream } = await opened;
    let before = -1;
    await vi.waitFor(
      () => {
        const same = before === stream.got.bytes && before > 0;
        before = stream.got.bytes;
        expect(same).toBe(true);
      },
      { timeout: 10_000, interval: 300 },
    );
    gate.wait = Promise.resolve();
    gate.go();
    await vi.waitFor(() => expect(stream.got.bytes).toBeGreaterThan(before + 4 * 1024 * 1024), { timeout: 10_000 });
    stream.socket.destroy();
    await vi.waitFor(() => expect(named("session.end")).toHaveLength(1), { timeout: 10_000 });
  });

  it("for too long, or that fails, ends a strict session with the reason", async () => {
    let failing = false;
    await open("strict", memoryDisk(() => (failing ? Promise.reject(new Error("EIO: i/o error")) : Promise.resolve())), { deadline: 200 });
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    upstream.write(frame("\x01hello"));
    await vi.waitFor(() => expect(stream.text()).toContain("hello"));
    failing = true;
    upstream.write(frame("\x01lost"));
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/can no longer be recorded: EIO/);
    await vi.waitFor(() => expect(named("session.end")).toMatchObject([{ reason: expect.stringContaining("EIO") as string, recording: { complete: false } }]));
  });
});

describe("a recording that fails", () => {
  it("before it runs ends a strict session before a byte passes", async () => {
    const audit = { emit: () => Promise.resolve(), close: () => Promise.resolve() };
    const real = openRecordings({ directory: folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit });
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
    world = await createTestWorld({ recordings, recording: "strict", serverId: "gw" });
    const server = accepting();
    const stream = await ask();
    disk.problem = "EIO: i/o error";
    (await server).write(frame("\x01secret"));
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 503 [\s\S]*can no longer be recorded: EIO/);
    expect(stream.text()).not.toContain("secret");
    await vi.waitFor(() => expect(named("session.end")).toMatchObject([{ reason: expect.stringContaining("EIO") as string }]));
    expect(world.sessions.list()).toEqual([]);
  });

  it("in the middle of a frame lets no more pass than its rest, and the reason", async () => {
    const gate: { wait: Promise<void>; go: () => void } = { wait: Promise.resolve(), go: () => undefined };
    await open("strict", memoryDisk(() => gate.wait), { waiting: 100, flush: 20, stall: 300, deadline: 200 });
    const server = accepting();
    const stream = await ask();
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

describe("two attempts at one stream", () => {
  it("of which neither can be recorded are one denial, with the command", async () => {
    // As Node says it: with the path, which has the session's id in it.
    const path = (): string => `/data/${String(Math.random())}.live`;
    await open("strict", { create: () => Promise.reject(new Error(`EROFS: read-only file system, open '${path()}'`)) });
    const first = await ask("websocket");
    await once(first.socket, "close");
    const second = await ask("SPDY/3.1");
    await once(second.socket, "close");
    const id = /refusal (\w+)/.exec(first.text())?.[1];
    expect(named("kube.denied")).toMatchObject([{ id, kubernetes_pod: "a", kubernetes_container: "main", command: "sh -c" }]);
    expect(second.text()).toContain(`refusal ${id!}`);
    expect(first.text()).toMatch(/cannot be recorded: EROFS: read-only file system, and must be/);
  });

  it("of which both are one session too many are one denial, with the command", async () => {
    await open("off", undefined, undefined, { maxSessions: 1 });
    const server = accepting();
    const running = await ask();
    await server;
    await vi.waitFor(() => expect(running.text()).toContain(" 101 "));
    const first = await ask("websocket");
    await once(first.socket, "close");
    const second = await ask("SPDY/3.1");
    await once(second.socket, "close");
    const id = /refusal (\w+)/.exec(first.text())?.[1];
    expect(named("kube.denied")).toMatchObject([{ id, command: "sh -c", reason: expect.stringContaining("max_sessions") as string }]);
    expect(second.text()).toContain(`refusal ${id!}`);
    running.socket.destroy();
  });

  it("of which the second runs leave no denial for another to be told", async () => {
    let full = true;
    await open("strict", memoryDisk(() => (full ? Promise.reject(new Error("ENOSPC: no space left on device")) : Promise.resolve())));
    const refused = async (upgrade: string): Promise<void> => {
      const stream = await ask(upgrade);
      await once(stream.socket, "close");
    };
    await refused("websocket");
    full = false;
    await refused("SPDY/3.1");
    full = true;
    await refused("SPDY/3.1");
    expect(named("kube.denied")).toHaveLength(2);
  });

  it("at a very long command are told apart: it is not remembered", async () => {
    await open("off");
    world.groups.set("ana", []);
    for (const upgrade of ["websocket", "SPDY/3.1"]) {
      const stream = await ask(upgrade, `${exec}&command=${"x".repeat(16 * 1024)}`);
      await once(stream.socket, "close");
    }
    expect(named("kube.denied")).toHaveLength(2);
  });

  it("are one denial under one id", async () => {
    await open("off");
    world.groups.set("ana", []);
    const first = await ask("websocket");
    await once(first.socket, "close");
    const second = await ask("SPDY/3.1");
    await once(second.socket, "close");
    const id = /refusal (\w+)/.exec(first.text())?.[1];
    expect(named("kube.denied")).toMatchObject([{ id }]);
    expect(second.text()).toContain(`refusal ${id!}`);
    const third = await ask("SPDY/3.1");
    await once(third.socket, "close");
    expect(named("kube.denied")).toHaveLength(2);
  });
});

/** Bytes of heap in use, once what is not is collected. */
function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
const descriptors = async (): Promise<number> => (await readdir("/proc/self/fd")).length;

it("a thousand sessions leave nothing behind", async () => {
  await open("strict");
  world.upgrade = (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n");
    socket.end(Buffer.concat([frame("\x01hello"), frame(success)]));
  };
  const one = async (): Promise<void> => {
    const stream = await ask();
    await once(stream.socket, "close");
  };
  await one();
  await vi.waitFor(() => expect(named("session.end")).toHaveLength(1));
  const before = await descriptors();
  const memory = heap();
  for (let round = 0; round < 50; round++) await Promise.all(Array.from({ length: 20 }, one));
  await vi.waitFor(() => expect(named("session.end")).toHaveLength(1001), { timeout: 10_000 });
  expect(world.sessions.list()).toEqual([]);
  expect(world.proxy.streams.count).toBe(0);
  expect((await files()).filter((name) => name.endsWith(".rec"))).toHaveLength(1001);
  expect(await descriptors()).toBeLessThanOrEqual(before + 3);
  // What a test keeps of each is its events.
  world.events.length = 0;
  world.arrived.length = 0;
  expect(heap() - memory).toBeLessThan(48 * 1024 * 1024);
}, 60_000);

it("ten thousand forwarded connections are told of in bounded number, and leave nothing behind", async () => {
  await open("off");
  const uint32 = (...values: number[]): Buffer => Buffer.concat(values.map((value) => Buffer.from([value >>> 24, (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff])));
  const control = (type: number, payload: Buffer): Buffer => Buffer.concat([Buffer.from([0x80, 3, 0, type, 0, 0, payload.length >> 8, payload.length & 0xff]), payload]);
  const last = (id: number, text: string): Buffer => Buffer.concat([uint32(id), Buffer.from([1, 0, 0, text.length]), Buffer.from(text)]);
  let first = true;
  const opened = (id: number, headers: Readonly<Record<string, string>>): Buffer => {
    const texts = Object.entries(headers).flat();
    const plain = Buffer.concat([uint32(texts.length / 2), ...texts.flatMap((text) => [uint32(text.length), Buffer.from(text)])]);
    const stored = Buffer.concat([Buffer.from([0, plain.length, 0, 0xff - plain.length, 0xff]), plain, Buffer.from([0, 0, 0, 0xff, 0xff])]);
    const block = first ? Buffer.concat([Buffer.from("7820e3c6a7c2", "hex"), stored]) : stored;
    if (first) block[1]! += 31 - (block.readUInt16BE(0) % 31);
    first = false;
    return control(1, Buffer.concat([uint32(id, 0), Buffer.alloc(2), block]));
  };
  let upstream: Socket | undefined;
  let arrived = 0;
  world.upgrade = (_request, socket) => {
    upstream = socket;
    socket.on("data", (bytes: Buffer) => (arrived += bytes.length));
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n");
  };
  const stream = await ask("SPDY/3.1", "/api/v1/namespaces/web/pods/a/portforward");
  await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
  const before = await descriptors();
  const memory = heap();
  let sent = 0;
  for (let round = 0; round < 100; round++) {
    const client: Buffer[] = [];
    const server: Buffer[] = [];
    for (let index = 100 * round; index < 100 * (round + 1); index++) {
      const id = 4 * index + 1;
      const headers = { port: "8080", requestid: String(index) };
      client.push(opened(id, { streamtype: "error", ...headers }), opened(id + 2, { streamtype: "data", ...headers }), last(id, ""), last(id + 2, "ask"));
      server.push(last(id + 2, "answer"), last(id, ""));
    }
    const bytes = Buffer.concat(client);
    sent += bytes.length;
    stream.socket.write(bytes);
    await vi.waitFor(() => expect(arrived).toBe(sent), { timeout: 10_000, interval: 5 });
    upstream?.write(Buffer.concat(server));
  }
  expect(await descriptors()).toBeLessThanOrEqual(before);
  expect(heap() - memory).toBeLessThan(48 * 1024 * 1024);
  stream.socket.end();
  await once(stream.socket, "close");
  await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
  const told = named("port").filter((event) => event["action"] === "connection");
  expect(told.length).toBeLessThanOrEqual(1001);
  const sum = (field: string): number => told.reduce((all, event) => all + Number(event[field]), 0);
  expect([sum("connections"), sum("bytes_sent"), sum("bytes_received")]).toEqual([10_000, 30_000, 60_000]);
  expect(world.sessions.list()).toEqual([]);
}, 60_000);
