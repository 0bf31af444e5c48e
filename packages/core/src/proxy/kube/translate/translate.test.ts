import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SpdyServerPeer, clientFrame, received, serverFrames } from "../../../testing/stream-peers.ts";
import { createTestWorld } from "../test-world.ts";
import type { TestWorld } from "../test-world.ts";

let world: TestWorld;
afterEach(() => world.close());

const exec = "/api/v1/namespaces/web/pods/a/exec?command=sh&stdin=true&stdout=true&stderr=true&container=main";
const forward = "/api/v1/namespaces/web/pods/a/portforward";
const old = { major: "1", minor: "20+", gitVersion: "v1.20.15-gke.1" };
const success = '{"metadata":{},"status":"Success"}';
const v5 = "v5.channel.k8s.io";
const tunnel = "SPDY/3.1+portforward.k8s.io";
const key = "dGhlIHNhbXBsZSBub25jZQ==";
const named = (event: string) => world.events.filter((one) => one.event === event);

interface Client {
  readonly socket: TLSSocket;
  head(): string;
  body(): Buffer;
}

async function ask(path = exec, subprotocol = v5, more = "", replace: (head: string) => string = (head) => head): Promise<Client> {
  const socket = await world.raw("ana");
  let parts: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => parts.push(chunk));
  const all = (): Buffer => {
    parts = [Buffer.concat(parts)];
    return parts[0]!;
  };
  const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n${more}\r\n`;
  socket.write(replace(head));
  const end = (): number => all().indexOf("\r\n\r\n") + 4;
  return { socket, head: () => all().toString("latin1", 0, end()), body: () => all().subarray(end()) };
}

/** An API server of the time of SPDY: it refuses WebSockets of this time as theirs do, with no body. */
function spdyOnly(protocol = "v4.channel.k8s.io"): { readonly peer: Promise<{ readonly server: SpdyServerPeer; readonly socket: Socket }> } {
  return {
    peer: new Promise((resolve) => {
      world.upgrade = (request: IncomingMessage, socket: Socket, head: Buffer) => {
        if (request.headers.upgrade?.toLowerCase() !== "spdy/3.1") {
          socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
          return;
        }
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`);
        const server = new SpdyServerPeer((bytes) => void socket.write(bytes));
        if (protocol !== "portforward.k8s.io") {
          if (head.length > 0) server.feed(head);
          socket.on("data", (chunk: Buffer) => server.feed(chunk));
        }
        resolve({ server, socket });
      };
    }),
  };
}

async function oldWorld(options: Parameters<typeof createTestWorld>[0] = {}): Promise<void> {
  world = await createTestWorld(options);
  world.version = old;
  world.answer = (_request, response) => response.end(JSON.stringify({ status: { allowed: true } }));
  await world.proxy.check("real");
  world.arrived.length = 0;
}

describe("exec of a modern kubectl, to an API server that speaks SPDY alone", () => {
  it("is asked for once, as client-go would, and carries bytes and the exit both ways", async () => {
    await oldWorld();
    const { peer } = spdyOnly();
    const client = await ask(exec, `${v5}, v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0`);
    const { server } = await peer;
    await vi.waitFor(() => expect(client.head()).toContain(" 101 "));
    expect(client.head()).toMatch(/sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nsec-websocket-protocol: v5\.channel\.k8s\.io/i);
    const [request] = world.arrived;
    expect([world.arrived.length, request?.method, request?.url]).toEqual([1, "POST", exec]);
    expect(request?.headersDistinct["x-stream-protocol-version"]).toEqual(["v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"]);
    expect(request?.headersDistinct["impersonate-user"]).toEqual(["ana"]);
    expect(Object.keys(request?.headers ?? {}).filter((name) => name.startsWith("sec-"))).toEqual([]);
    await vi.waitFor(() => expect(server.streams.size).toBe(4));

    client.socket.write(Buffer.concat([clientFrame(2, Buffer.from("\0hello ")), clientFrame(2, Buffer.from("\0world")), clientFrame(2, Buffer.from([255, 0]))]));
    await vi.waitFor(() => expect(server.stream("stdin")).toMatchObject({ finished: true }));
    expect(server.stream("stdin").received.toString()).toBe("hello world");
    server.data("stdout", Buffer.from("out"));
    server.data("stderr", Buffer.from("err"));
    server.end('{"status":"Failure","reason":"NonZeroExitCode"}');
    await once(client.socket, "end");
    const { channels, closed, order } = received(client.body());
    expect([channels[1]?.toString(), channels[2]?.toString(), channels[3]?.toString(), closed, order.at(-1)]).toEqual(["out", "err", '{"status":"Failure","reason":"NonZeroExitCode"}', 1000, 3]);
    client.socket.end();
    await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
    expect(named("exec")).toMatchObject([{ code: "T3002I", protocol: v5, response_code: 101 }]);
  });

  it("that the API server refuses is refused in its words", async () => {
    await oldWorld();
    const body = '{"kind":"Status","message":"pods \\"a\\" is forbidden"}';
    world.upgrade = (_request, socket) => socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${String(body.length)}\r\n\r\n${body}`);
    const client = await ask();
    await once(client.socket, "end");
    expect([client.head().slice(0, 13), client.body().toString(), world.arrived.length]).toEqual(["HTTP/1.1 403 ", body, 1]);
  });

  it.each([
    ["no key", (head: string) => head.replace(/Sec-WebSocket-Key.*\r\n/, "")],
    ["two keys", (head: string) => head.replace("\r\n\r\n", `\r\nSec-WebSocket-Key: ${key}\r\n\r\n`)],
    ["a key that is none", (head: string) => head.replace(key, "c2hvcnQ=")],
    ["another version", (head: string) => head.replace("Version: 13", "Version: 8")],
    ["another method", (head: string) => head.replace("GET ", "POST ")],
  ])("with %s is refused, and nobody is asked", async (_, replace) => {
    await oldWorld();
    const client = await ask(exec, v5, "", replace);
    await once(client.socket, "end");
    expect(client.head()).toMatch(/^HTTP\/1\.1 400 /);
    expect(world.arrived).toHaveLength(0);
    expect(named("kube.denied")).toHaveLength(1);
  });

  it("ends with the reason, in the terminal, when the person is gone", async () => {
    await oldWorld();
    const { peer } = spdyOnly();
    const client = await ask();
    const { server, socket } = await peer;
    await vi.waitFor(() => expect(server.streams.size).toBe(4));
    server.data("stdout", Buffer.from("ready"));
    await vi.waitFor(() => expect(client.body().toString("latin1")).toContain("ready"));
    world.groups.delete("ana");
    world.changed();
    await once(client.socket, "close");
    const { channels, closed } = received(client.body());
    expect([closed, JSON.parse(channels[3]?.toString() ?? "")]).toMatchObject([1000, { status: "Failure", message: expect.stringContaining("does not exist any more") as unknown }]);
    await vi.waitFor(() => expect(socket.destroyed).toBe(true));
    expect(world.proxy.streams.count).toBe(0);
  });

  it("tells of an API server that breaks off, and hangs up on it when the client does", async () => {
    await oldWorld();
    const first = spdyOnly();
    const client = await ask();
    const { server, socket } = await first.peer;
    await vi.waitFor(() => expect(server.streams.size).toBe(4));
    server.data("stdout", Buffer.from("half"));
    socket.destroySoon();
    await once(client.socket, "end");
    const { channels } = received(client.body());
    expect([channels[1]?.toString(), channels[3]?.toString()]).toEqual(["half", expect.stringContaining("before it said how the command ended")]);
    client.socket.end();

    const second = spdyOnly();
    const abrupt = await ask();
    const { server: live, socket: upstream } = await second.peer;
    await vi.waitFor(() => expect(live.streams.size).toBe(4));
    abrupt.socket.destroy();
    await vi.waitFor(() => expect(upstream.destroyed).toBe(true));

    const third = spdyOnly();
    const polite = await ask();
    const { server: open, socket: last } = await third.peer;
    await vi.waitFor(() => expect(open.streams.size).toBe(4));
    polite.socket.write(clientFrame(8, Buffer.from([0x03, 0xe9])));
    await once(polite.socket, "end");
    expect(received(polite.body()).closed).toBe(1001);
    polite.socket.end();
    await vi.waitFor(() => expect(last.destroyed).toBe(true));
    await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
  });

  it("holds either side back while the other does not read, and loses nothing", async () => {
    await oldWorld();
    const { peer } = spdyOnly();
    const client = await ask();
    const { server, socket } = await peer;
    await vi.waitFor(() => expect(server.streams.size).toBe(4));
    const part = Buffer.alloc(16_000, "y");
    const total = 64 * 1024 * 1024;
    client.socket.pause();
    let sent = 0;
    const fill = (): void => {
      while (sent < total && !socket.writableNeedDrain) {
        server.data("stdout", part);
        sent += part.length;
      }
    };
    socket.on("drain", fill);
    fill();
    await new Promise((resolve) => setTimeout(resolve, 500));
    // What the kernel and TLS take of 64 MB on loopback; the rest waits where it comes from.
    expect(sent).toBeLessThan(total);
    // And the other way is open.
    client.socket.write(clientFrame(2, Buffer.from("\0typed")));
    await vi.waitFor(() => expect(server.stream("stdin").received.toString()).toBe("typed"));
    client.socket.resume();
    await vi.waitFor(() => expect(sent).toBeGreaterThanOrEqual(total));
    server.end(success);
    await once(client.socket, "end");
    expect(serverFrames(client.body()).reduce((sum, { opcode, payload }) => sum + (opcode === 2 && payload[0] === 1 ? payload.length - 1 : 0), 0)).toBe(sent);
    client.socket.end();

    const up = spdyOnly();
    const writer = await ask();
    const { server: slow, socket: stalled } = await up.peer;
    await vi.waitFor(() => expect(slow.streams.size).toBe(4));
    stalled.pause();
    const frame = clientFrame(2, Buffer.concat([Buffer.from([0]), part]));
    let written = 0;
    for (let turn = 0; turn < 50; turn++) {
      while (written < 4000 && !writer.socket.writableNeedDrain) {
        writer.socket.write(frame);
        written += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(written).toBeLessThan(4000);
    stalled.resume();
    writer.socket.write(clientFrame(2, Buffer.from([255, 0])));
    await vi.waitFor(() => expect(slow.stream("stdin").finished).toBe(true));
    expect(slow.stream("stdin").received.length).toBe(written * part.length);
  });
});

it("two hundred of them, ended in every way, leave nothing behind", async () => {
  await oldWorld();
  world.upgrade = (_request, socket, head) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n");
    const server = new SpdyServerPeer((bytes) => void socket.write(bytes), { onData: (stream) => (stream.received.toString() === "end" ? server.end(success) : stream.received.toString() === "cut" ? socket.destroy() : undefined) });
    socket.on("data", (chunk: Buffer) => server.feed(chunk));
    if (head.length > 0) server.feed(head);
  };
  const left = (): readonly string[] => process.getActiveResourcesInfo().filter((name) => name.includes("TLS") || name.includes("TCP"));
  const round = async (index: number): Promise<void> => {
    const { socket, head } = await ask();
    await vi.waitFor(() => expect(head()).toContain(" 101 "));
    const gone = once(socket, "close");
    if (index % 4 === 0) socket.destroy();
    else socket.write(index % 4 === 1 ? clientFrame(8, Buffer.from([0x03, 0xe8])) : clientFrame(2, Buffer.from(index % 4 === 2 ? "\0end" : "\0cut")));
    socket.on("end", () => socket.end());
    await gone;
  };
  await round(2);
  await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
  // Listeners, and connections that are kept for requests.
  const before = left().length;
  for (let index = 0; index < 200; index += 10) await Promise.all(Array.from({ length: 10 }, (_, one) => round(index + one)));
  await vi.waitFor(() => expect(left().length).toBeLessThanOrEqual(before));
  await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
});

describe("a port-forward through the tunnel", () => {
  it("reaches an API server that speaks SPDY alone, bytes unchanged", async () => {
    await oldWorld();
    const { peer } = spdyOnly("portforward.k8s.io");
    const client = await ask(forward, tunnel);
    const { socket } = await peer;
    expect(world.arrived[0]?.headersDistinct["x-stream-protocol-version"]).toEqual(["portforward.k8s.io"]);
    const ping = Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);
    let heard = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])));
    client.socket.write(Buffer.concat([clientFrame(2, ping.subarray(0, 5)), clientFrame(2, ping.subarray(5))]));
    await vi.waitFor(() => expect(heard).toEqual(ping));
    socket.write(ping);
    await vi.waitFor(() => expect(serverFrames(client.body())).toEqual([{ opcode: 2, payload: ping }]));
    socket.end();
    await once(client.socket, "end");
    expect(received(client.body()).closed).toBe(1000);
    client.socket.end();
    expect(named("port")).toMatchObject([{ protocol: tunnel, response_code: 101 }]);
  });
});

describe("an API server that speaks it", () => {
  const native = (protocol: string): void => {
    world.upgrade = (_request, socket) => socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`);
  };

  it.each([
    [exec, v5],
    [forward, tunnel],
  ])("is asked as the client asks: %s", async (path, protocol) => {
    world = await createTestWorld();
    native(protocol);
    const client = await ask(path, protocol);
    await vi.waitFor(() => expect(client.head()).toContain(" 101 "));
    expect(world.arrived[0]).toMatchObject({ method: "GET", headers: { upgrade: "websocket", "sec-websocket-protocol": protocol } });
    client.socket.destroy();
  });

  it("but has it turned off is asked by SPDY next, and the next time first", async () => {
    world = await createTestWorld();
    const { peer } = spdyOnly();
    const client = await ask();
    await peer;
    await vi.waitFor(() => expect(client.head()).toContain(" 101 "));
    expect(world.arrived.map(({ method }) => method)).toEqual(["GET", "POST"]);
    client.socket.destroy();
    const again = spdyOnly();
    const next = await ask();
    await again.peer;
    await vi.waitFor(() => expect(next.head()).toContain(" 101 "));
    expect(world.arrived.map(({ method }) => method)).toEqual(["GET", "POST", "POST"]);
    next.socket.destroy();
    expect(named("exec")).toHaveLength(2);
  });

  it("decides for itself: a Status is relayed, and nothing else is tried", async () => {
    world = await createTestWorld();
    world.upgrade = (_request, socket) => socket.end("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    const client = await ask();
    await once(client.socket, "end");
    expect([client.head().slice(0, 13), world.arrived.length]).toEqual(["HTTP/1.1 403 ", 1]);
  });

  it("or a balancer before it gives up: the command may be running, and is not run once more without a word", async () => {
    world = await createTestWorld();
    world.upgrade = (_request, socket) => socket.end("HTTP/1.1 504 Gateway Timeout\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nlate");
    const client = await ask();
    await once(client.socket, "end");
    expect([client.head().slice(0, 13), client.body().toString(), world.arrived.length]).toEqual(["HTTP/1.1 504 ", "late", 1]);
    expect(world.events).toContainEqual(expect.objectContaining({ attempt: "first", response_code: 504, command: "sh" }));
  });

  it("and one that takes no v4 in WebSockets gets it by SPDY", async () => {
    world = await createTestWorld();
    const { peer } = spdyOnly();
    const client = await ask(exec, "v4.channel.k8s.io");
    const { server } = await peer;
    await vi.waitFor(() => expect(server.streams.size).toBe(4));
    server.end(success);
    await once(client.socket, "end");
    expect(client.head()).toContain("v4.channel.k8s.io");
    expect(received(client.body()).channels[3]?.toString()).toBe(success);
    client.socket.end();
  });
});
