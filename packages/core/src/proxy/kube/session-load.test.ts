import { once } from "node:events";
import { readdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createSessionPlace, frame, success } from "./test-sessions.ts";
import type { SessionPlace } from "./test-sessions.ts";

let place: SessionPlace;
beforeEach(async () => {
  place = await createSessionPlace();
});
afterEach(() => place.remove());

/** Bytes of heap in use, once what is not is collected. */
function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
const descriptors = async (): Promise<number> => (await readdir("/proc/self/fd")).length;

it("a thousand sessions leave nothing behind", async () => {
  await place.open("strict");
  place.world.upgrade = (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n");
    socket.end(Buffer.concat([frame("\x01hello"), frame(success)]));
  };
  const one = async (): Promise<void> => {
    const stream = await place.ask();
    await once(stream.socket, "close");
  };
  await one();
  await vi.waitFor(() => expect(place.named("session.end")).toHaveLength(1));
  const before = await descriptors();
  const memory = heap();
  for (let round = 0; round < 50; round++) await Promise.all(Array.from({ length: 20 }, one));
  await vi.waitFor(() => expect(place.named("session.end")).toHaveLength(1001));
  expect(place.world.sessions.list()).toEqual([]);
  expect(place.world.proxy.streams.count).toBe(0);
  expect((await place.files()).filter((name) => name.endsWith(".rec"))).toHaveLength(1001);
  await vi.waitFor(async () => expect(await descriptors()).toBeLessThanOrEqual(before + 3));
  // What a test keeps of each is its events.
  place.world.events.length = 0;
  place.world.arrived.length = 0;
  expect(heap() - memory).toBeLessThan(48 * 1024 * 1024);
});

it("ten thousand forwarded connections are told of in bounded number, and leave nothing behind", async () => {
  await place.open("off");
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
  place.world.upgrade = (_request, socket) => {
    upstream = socket;
    socket.on("data", (bytes: Buffer) => (arrived += bytes.length));
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n\r\n");
  };
  const stream = await place.ask("SPDY/3.1", "/api/v1/namespaces/web/pods/a/portforward");
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
    await vi.waitFor(() => expect(arrived).toBe(sent), { interval: 5 });
    upstream?.write(Buffer.concat(server));
  }
  await vi.waitFor(async () => expect(await descriptors()).toBeLessThanOrEqual(before));
  expect(heap() - memory).toBeLessThan(48 * 1024 * 1024);
  stream.socket.end();
  await once(stream.socket, "close");
  await vi.waitFor(() => expect(place.world.proxy.streams.count).toBe(0));
  const told = place.named("port").filter((event) => event["action"] === "connection");
  expect(told.length).toBeLessThanOrEqual(1001);
  const sum = (field: string): number => told.reduce((all, event) => all + Number(event[field]), 0);
  expect([sum("connections"), sum("bytes_sent"), sum("bytes_received")]).toEqual([10_000, 30_000, 60_000]);
  expect(place.world.sessions.list()).toEqual([]);
});
