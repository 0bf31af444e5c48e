import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createTestWorld } from "./test-world.ts";
import type { TestWorld } from "./test-world.ts";

let world: TestWorld;
afterEach(() => world.close());

const exec = "/api/v1/namespaces/web/pods/a/exec?command=sh&command=-c&stdin=true&container=main";
const containing = (text: string): unknown => expect.stringContaining(text);
const named = (event: string) => world.events.filter((one) => one.event === event);
const webSocketHead = (protocol: string): string => `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`;
const frame = (text: string): Buffer => Buffer.concat([Buffer.from([0x82, Buffer.byteLength(text)]), Buffer.from(text)]);

/** Asks for a WebSocket; `sent` is what comes right after the headers. */
async function ask(path = exec, headers = "", sent: Buffer = Buffer.alloc(0), user = "ana"): Promise<{ readonly socket: TLSSocket; text(): string }> {
  const socket = await world.raw(user);
  let got = "";
  socket.on("data", (chunk: Buffer) => (got += chunk.toString("latin1")));
  const head = headers === "" ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n" : headers;
  socket.write(Buffer.concat([Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n${head}\r\n`), sent]));
  return { socket, text: () => got };
}

/** An API server that accepts, and hands its side of the stream over. */
function accepting(): Promise<Socket> {
  return new Promise((resolve) => {
    world.upgrade = (_request, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      socket.write(webSocketHead("v5.channel.k8s.io"));
      resolve(socket);
    };
  });
}

describe("an upgrade", () => {
  it("passes bytes both ways from the very first, and says in the audit log what ran", async () => {
    world = await createTestWorld();
    let heard = Buffer.alloc(0);
    world.upgrade = (_request, socket, head) => {
      socket.write(Buffer.concat([Buffer.from(webSocketHead("v5.channel.k8s.io")), frame("\x01early")]));
      socket.unshift(head);
      socket.on("data", (chunk: Buffer) => {
        heard = Buffer.concat([heard, chunk]);
        if (heard.length === masked.length) socket.write(frame("\x01heard"));
      });
    };
    const masked = Buffer.from([0x82, 0x85, 0, 0, 0, 0, 0, 0x68, 0x65, 0x6c, 0x6f]);
    const stream = await ask(exec, "", masked);
    await vi.waitFor(() => expect(stream.text()).toMatch(/^HTTP\/1\.1 101 [\s\S]*early[\s\S]*heard$/));
    expect(heard.equals(masked)).toBe(true);
    expect(world.arrived[0]!.headersDistinct["impersonate-user"]).toEqual(["ana"]);
    expect(named("exec")[0]).toMatchObject({ code: "T3002I", user: "ana", command: "sh -c", kubernetes_namespace: "web", kubernetes_pod: "a", kubernetes_container: "main", stdin: true, tty: false });
    expect(world.proxy.streams.count).toBe(1);
    stream.socket.destroy();
    await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
  });

  it("that the API server refuses is relayed with status, headers and body", async () => {
    world = await createTestWorld();
    const body = JSON.stringify({ kind: "Status", message: "x".repeat(100_000) });
    world.upgrade = (_request, socket) => socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${String(body.length)}\r\nX-Own: 1\r\n\r\n${body}`);
    const stream = await ask();
    await once(stream.socket, "end");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(stream.text().toLowerCase()).toContain("x-own: 1");
    expect(stream.text().endsWith(body)).toBe(true);
    // kubectl would ask once more, by SPDY: only when nobody does is it a failure.
    expect(named("kube.upgrade")[0]).toMatchObject({ code: "G2001E", response_code: 403, attempt: "first", kubernetes_pod: "a", command: "sh -c" });
    expect(named("exec")).toEqual([]);
    await vi.waitFor(() => expect(named("exec")[0]).toMatchObject({ code: "T3002E", response_code: 403 }));
    expect(world.proxy.streams.count).toBe(0);
  });

  it.each([
    ["to something else than was asked for", "HTTP/1.1 101 X\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n"],
    ["to nothing known", "HTTP/1.1 101 X\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n"],
  ])("that the API server grants %s is cut before a byte passes", async (_, head) => {
    world = await createTestWorld();
    world.upgrade = (_request, socket) => socket.write(`${head}unseen`);
    const stream = await ask();
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 502 /);
    expect(stream.text()).not.toContain("unseen");
  });

  it.each([
    ["on a path that streams nothing", "/api/v1/namespaces/web/pods/a", "", 403],
    ["to a protocol that nobody watches", exec, "Upgrade: h2c\r\nConnection: Upgrade\r\n", 400],
    ["with a body", exec, "Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 5\r\n", 400],
  ])("%s is refused and audited", async (_, path, headers, code) => {
    world = await createTestWorld();
    const stream = await ask(path, headers);
    await once(stream.socket, "end");
    expect(stream.text()).toMatch(new RegExp(`^HTTP/1\\.1 ${String(code)} [\\s\\S]*"kind":"Status"`));
    expect(world.arrived).toHaveLength(0);
    expect(named("kube.denied")).toHaveLength(1);
  });

  it("that cannot be audited does not run", async () => {
    world = await createTestWorld();
    const server = accepting();
    world.audit = () => Promise.reject(new Error("disk full"));
    const stream = await ask();
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 500 /);
    await vi.waitFor(async () => expect((await server).destroyed).toBe(true));
  });

  it("whose stream the API server ends at once brings what it said", async () => {
    world = await createTestWorld();
    world.upgrade = (_request, socket) => socket.end(Buffer.concat([Buffer.from(webSocketHead("v5.channel.k8s.io")), frame("\x01all")]));
    world.audit = () => new Promise((resolve) => setTimeout(resolve, 100));
    const stream = await ask();
    await once(stream.socket, "end");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 101 [\s\S]*\x01all$/);
    stream.socket.destroy();
    await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
  });

  it("whose stream the API server closes at once, while it is being written down, is told so", async () => {
    world = await createTestWorld();
    world.upgrade = (_request, socket) => {
      socket.write(webSocketHead("v5.channel.k8s.io"));
      // The TCP socket under the TLS one.
      setTimeout(() => (Reflect.get(socket, "_parent") as Socket).resetAndDestroy(), 20);
    };
    world.audit = () => new Promise((resolve) => setTimeout(resolve, 300));
    const stream = await ask();
    await once(stream.socket, "close");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 502 [\s\S]*closed the stream at once/);
    expect(world.proxy.streams.count).toBe(0);
  });

  it("waits for nobody: no answer ends in 504, a client that goes cancels it", async () => {
    world = await createTestWorld({ limits: { upgradeTimeout: 1000 } });
    const cancelled: boolean[] = [];
    world.upgrade = (_request, socket) => void socket.on("close", () => cancelled.push(true));
    const gone = await ask();
    await vi.waitFor(() => expect(world.arrived).toHaveLength(1));
    gone.socket.destroy();
    await vi.waitFor(() => expect(cancelled).toHaveLength(1));
    const stream = await ask();
    await vi.waitFor(() => expect(world.arrived).toHaveLength(2));
    world.clock.advance(1001);
    await once(stream.socket, "end");
    expect(stream.text()).toMatch(/^HTTP\/1\.1 504 /);
  });
});

describe("a live stream", () => {
  it("ends with the reason when the person is gone, and the API server hears no more", async () => {
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    upstream.write(frame("\x01ready"));
    await vi.waitFor(() => expect(stream.text()).toContain("ready"));
    world.groups.delete("ana");
    world.changed();
    await vi.waitFor(() => expect(stream.text()).toMatch(/"status":"Failure".*does not exist any more/));
    await vi.waitFor(() => expect(stream.socket.destroyed && upstream.destroyed).toBe(true));
    expect(named("client.disconnect")[0]).toMatchObject({ code: "T3006I", user: "ana", reason: containing("does not exist any more") });
    expect(world.proxy.streams.count).toBe(0);
  });

  it("waits for the end of a frame, and is cut where none comes", async () => {
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    const whole = frame("\x01in two parts");
    upstream.write(whole.subarray(0, 6));
    await vi.waitFor(() => expect(stream.text()).toContain("in"));
    world.groups.delete("ana");
    expect(world.proxy.streams.recheck()).toEqual({ checked: 1, ended: 0 });
    world.changed();
    await vi.waitFor(() => expect(named("client.disconnect")).toHaveLength(1));
    expect(stream.text()).not.toContain("Failure");
    upstream.write(whole.subarray(6));
    await vi.waitFor(() => expect(stream.text()).toMatch(/in two parts[\s\S]*Failure/));
    await once(stream.socket, "close");

    world.groups.set("ana", ["developers"]);
    const stuck = accepting();
    const second = await ask();
    (await stuck).write(whole.subarray(0, 6));
    await vi.waitFor(() => expect(second.text()).toContain("in"));
    world.groups.delete("ana");
    world.changed();
    await once(second.socket, "close");
    expect(second.text()).not.toContain("Failure");
  });

  it("that nobody reads is not kept once both sides are done", async () => {
    const kept = vi.spyOn(Socket.prototype, "setKeepAlive");
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
    stream.socket.pause();
    const [client] = kept.mock.contexts.filter((_, index) => kept.mock.calls[index]?.[1] === 30_000) as [Socket, Socket];
    kept.mockRestore();
    // Until what is written stays with the gateway; little by little, so that the gateway reads all of it.
    for (let waits = 0; waits < 3; ) {
      const piece = frame(`\x01${"x".repeat(100)}`);
      if (client.writableLength === 0) upstream.write(Buffer.concat(Array.from({ length: 80 }, () => piece)));
      await new Promise((resolve) => setTimeout(resolve, client.writableLength === 0 ? 1 : 30));
      waits = client.writableLength === 0 ? 0 : waits + 1;
    }
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      // Both have said all they had to say.
      upstream.resume();
      stream.socket.end();
      upstream.end();
      await vi.waitFor(() => expect(world.proxy.streams.count).toBe(0));
      expect(client.destroyed).toBe(false);
      vi.advanceTimersByTime(31_000);
      expect(client.destroyed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
    stream.socket.destroy();
  });

  it("whose peer vanished is found by TCP", async () => {
    const kept = vi.spyOn(Socket.prototype, "setKeepAlive");
    try {
      world = await createTestWorld();
      const server = accepting();
      const stream = await ask();
      await server;
      await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
      const sockets = new Set(kept.mock.calls.flatMap(([on, after], index) => (on === true && after === 30_000 ? [kept.mock.contexts[index]] : [])));
      expect(sockets.size).toBe(2);
      stream.socket.destroy();
    } finally {
      kept.mockRestore();
    }
  });

  it("ends when a group it was opened with is lost, not when one is gained", async () => {
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    await server;
    world.groups.set("ana", ["developers", "more", "viewers"]);
    world.changed();
    expect(world.proxy.streams.recheck()).toEqual({ checked: 1, ended: 0 });
    world.groups.set("ana", ["viewers"]);
    world.changed();
    expect(world.proxy.streams.recheck()).toEqual({ checked: 1, ended: 1 });
    expect(world.proxy.streams.recheck()).toEqual({ checked: 1, ended: 1 });
    await vi.waitFor(() => expect(stream.text()).toMatch(/no longer has group developers/));
  });

  it("ends when its certificate does, and when nothing was sent for too long", async () => {
    world = await createTestWorld({ clientIdleTimeout: 60_000 });
    const server = accepting();
    const idle = await ask();
    const upstream = await server;
    world.clock.advance(50_000);
    upstream.write(frame("\x01x"));
    await vi.waitFor(() => expect(idle.text()).toContain("x"));
    world.clock.advance(50_000);
    expect(world.proxy.streams.recheck().ended).toBe(0);
    world.clock.advance(10_000);
    await vi.waitFor(() => expect(idle.text()).toMatch(/nothing was sent for 1 min/));
    const again = accepting();
    const late = await ask();
    await again;
    world.clock.advance(3_600_000);
    await vi.waitFor(() => expect(late.text()).toMatch(/"code":401/));
  });

  it("is idle although both ends ping each other", async () => {
    world = await createTestWorld({ clientIdleTimeout: 60_000 });
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
    let pongs = 0;
    upstream.on("data", () => (pongs += 1));
    for (let step = 1; step <= 3; step++) {
      world.clock.advance(15_000);
      stream.socket.write(Buffer.from([0x89, 0x80, 0, 0, 0, 0]));
      await vi.waitFor(() => expect(pongs).toBe(step));
      upstream.write(Buffer.from([0x8a, 0x01, 0x30 + step]));
      await vi.waitFor(() => expect(stream.text().endsWith(String(step))).toBe(true));
    }
    expect(world.proxy.streams.recheck().ended).toBe(0);
    world.clock.advance(15_000);
    await vi.waitFor(() => expect(stream.text()).toMatch(/nothing was sent for 1 min/));
  });

  it("is cut, and the event says why, when its bytes are not what was negotiated", async () => {
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    (await server).write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    await once(stream.socket, "close");
    expect(named("client.disconnect")[0]).toMatchObject({ reason: containing("not the protocol") });
  });

  it("lets what is under way arrive when the other side has ended", async () => {
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    const large = Buffer.concat(Array.from({ length: 20_000 }, () => frame(`\x01${"y".repeat(100)}`)));
    stream.socket.pause();
    upstream.end(large);
    await new Promise((resolve) => setTimeout(resolve, 200));
    stream.socket.resume();
    await once(stream.socket, "close");
    expect(stream.text().length - stream.text().indexOf("\r\n\r\n") - 4).toBe(large.length);
  });
});

describe("a client that is slow to read what an API server left that has closed", () => {
  it("gets all of it, although it pings meanwhile", async () => {
    world = await createTestWorld();
    const server = accepting();
    const stream = await ask();
    const upstream = await server;
    await vi.waitFor(() => expect(stream.text()).toContain(" 101 "));
    const ping = Buffer.from([0x89, 0x80, 0, 0, 0, 0]);
    stream.socket.pause();
    const large = Buffer.concat(Array.from({ length: 20_000 }, () => frame(`\x01${"y".repeat(100)}`)));
    upstream.write(large);
    const pinging = setInterval(() => stream.socket.write(ping), 10);
    // A kernel keeps some of it even for a gateway that is held back: what it has not taken, the API server's own closing would lose.
    await vi.waitFor(() => expect(upstream.writableLength).toBe(0));
    upstream.destroy();
    await new Promise((resolve) => setTimeout(resolve, 150));
    stream.socket.resume();
    stream.socket.on("end", () => {
      clearInterval(pinging);
      stream.socket.end();
    });
    await once(stream.socket, "close");
    expect(stream.text().length - stream.text().indexOf("\r\n\r\n") - 4).toBe(large.length);
  });
});

describe("a watch", () => {
  it("ends with an ERROR event when the right is lost", async () => {
    world = await createTestWorld();
    world.answer = (_request, response) => response.writeHead(200, { "content-type": "application/json" }).write('{"type":"ADDED"}\n');
    const request = httpsRequest(await world.options("ana", { path: "/api/v1/namespaces/web/pods?watch=true" })).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    let got = "";
    response.setEncoding("utf8").on("data", (chunk: string) => (got += chunk));
    await vi.waitFor(() => expect(got).toContain("ADDED"));
    expect(world.proxy.streams.count).toBe(1);
    world.groups.delete("ana");
    world.changed();
    await once(response, "end");
    const last: unknown = JSON.parse(got.trim().split("\n").at(-1)!);
    expect(last).toMatchObject({ type: "ERROR", object: { kind: "Status", code: 403 } });
  });

  it("has its headers before its first event", async () => {
    world = await createTestWorld();
    world.answer = (_request, response) => response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
    const request = httpsRequest(await world.options("ana", { path: "/api/v1/namespaces/web/pods?watch=true" })).on("error", () => undefined).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    request.destroy();
  });
});

it("closing ends watches at once, and streams with a word when their time is over", async () => {
  world = await createTestWorld();
  const server = accepting();
  const stream = await ask();
  await server;
  await vi.waitFor(() => expect(stream.text()).toContain("101"));
  const closed = world.proxy.close({ drainMs: 300 });
  await vi.waitFor(() => expect(stream.text()).toContain("shutting down"));
  await closed;
});
