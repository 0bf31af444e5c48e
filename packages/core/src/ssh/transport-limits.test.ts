import { once } from "node:events";
import { type Socket } from "node:net";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { connectTransport, disconnectReason, serveTransport, type Transport, type TransportEnd } from "./index.ts";
import { hostKeys, socketPair, through, accept, pair, newMessage } from "./test-transports.ts";

describe("a transport's limits", () => {
  it("ends a connection that says nothing, that sends junk, and that never ends its first line", async () => {
    for (const talk of [() => undefined, (socket: Socket) => socket.write("GET / HTTP/1.1\r\n\r\n"), (socket: Socket) => socket.write("SSH-2.0-".padEnd(9000, "x"))]) {
      const [outgoing, incoming] = await socketPair();
      talk(outgoing);
      outgoing.resume();
      await expect(serveTransport({ socket: incoming, hostKeys, authenticate: accept, limits: { handshakeTime: 100 } })).rejects.toMatchObject({ name: "GatehouseError" });
      await once(outgoing, "close");
    }
  });

  it("stops reading when told, between two messages", async () => {
    const [client, server] = await pair();
    const got: number[] = [];
    server.start({ onPayload: (payload) => { got.push(payload.length); if (got.length === 2) server.pause(); }, onEnd: () => undefined });
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    for (let i = 0; i < 5; i++) client.send(Buffer.alloc(100 + i, 94));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(got).toEqual([100, 101]);
    server.resume();
    await expect.poll(() => got).toEqual([100, 101, 102, 103, 104]);
  });

  it("says when enough waits, when it has drained, and ends a sender that does not listen", async () => {
    const [client, server] = await pair({ limits: { highWater: 100_000, maxWaiting: 8_000_000 } });
    let drained = 0;
    let received = 0;
    let end: TransportEnd | undefined;
    client.start({ onPayload: () => undefined, onDrain: () => drained++, onEnd: (each) => (end = each) });
    const payload = Buffer.alloc(30_000, 94);
    let sent = 0;
    while (client.send(payload)) sent++;
    expect(sent).toBeLessThan(200);
    server.start({ onPayload: (each) => (received += each.length), onEnd: () => undefined });
    await expect.poll(() => drained).toBe(1);
    await expect.poll(() => received).toBe((sent + 1) * payload.length);
    server.pause();
    for (let i = 0; i < 2000 && !end; i++) {
      client.send(payload);
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(end).toMatchObject({ by: "loss", error: { code: "limit_exceeded" } });
  });

  it("ends a peer that asks for new keys all the time", async () => {
    const [client, server] = await pair({}, { limits: { rekeysPerMinute: 3 } });
    const ended = new Promise<TransportEnd>((resolve) => server.start({ onPayload: () => undefined, onEnd: resolve }));
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    const timer = setInterval(() => client.rekey(), 5);
    expect(await ended).toMatchObject({ by: "loss", error: { code: "limit_exceeded" } });
    clearInterval(timer);
  });

  it("changes keys after a time, and keeps the order of what is sent meanwhile", async () => {
    const [client, server] = await pair({ limits: { rekeyTime: 20 } }, { limits: { rekeyTime: 30 } });
    const first = server.algorithms;
    const got: number[] = [];
    server.start({ onPayload: (payload) => got.push(payload.readUInt32BE(1)), onEnd: () => undefined });
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    for (let i = 0; i < 300; i++) {
      client.send(newMessage(94).uint32(i).toBuffer());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await expect.poll(() => got.length).toBe(300);
    expect(got).toEqual(Array.from({ length: 300 }, (_, index) => index));
    await expect.poll(() => server.algorithms !== first).toBe(true);
  });

  it("changes keys while it reads nothing, and keeps what comes meanwhile", async () => {
    const [client, server] = await pair();
    const first = server.algorithms;
    const got: number[] = [];
    server.start({ onPayload: (payload) => (got.push(payload.readUInt32BE(1)), got.length === 1 && server.pause()), onEnd: () => undefined });
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    for (let i = 0; i < 50; i++) client.send(newMessage(94).uint32(i).raw(Buffer.alloc(20_000)).toBuffer());
    await expect.poll(() => got.length).toBe(1);
    server.rekey();
    await expect.poll(() => server.algorithms !== first).toBe(true);
    expect(got).toEqual([0]);
    for (let i = 50; i < 60; i++) client.send(newMessage(94).uint32(i).toBuffer());
    server.resume();
    await expect.poll(() => got.length).toBe(60);
    expect(got).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });

  it("changes keys on both sides of a relay at once while it is busy both ways", async () => {
    const limits = { highWater: 64 * 1024 };
    const [[left, leftEnd], [rightEnd, right]] = await Promise.all([pair({}, { limits }), pair({ limits })]);
    const ends: TransportEnd[] = [];
    const relay = (from: Transport, to: Transport): void => {
      from.start({
        onPayload: (payload) => {
          if (!to.send(payload)) from.pause();
        },
        onDrain: () => to.resume(),
        onEnd: (end) => ends.push(end),
      });
    };
    const got = { left: 0, right: 0 };
    const [count, payload] = [300, Buffer.alloc(30_000, 94)];
    left.start({ onPayload: () => got.left++, onEnd: (end) => ends.push(end) });
    right.start({ onPayload: () => got.right++, onEnd: (end) => ends.push(end) });
    for (let i = 0; i < count; i++) for (const each of [left, right]) each.send(payload);
    relay(leftEnd, rightEnd);
    relay(rightEnd, leftEnd);
    await expect.poll(() => got.left > 20 && got.right > 20, { interval: 1 }).toBe(true);
    for (const each of [leftEnd, rightEnd]) each.rekey();
    await expect.poll(() => got).toEqual({ left: count, right: count });
    expect(ends).toEqual([]);
  });

  it("waits for a peer that is stopped with new keys, and not for one that goes on with the old", async () => {
    const [outgoing, incoming] = await socketPair();
    const [client, server] = await Promise.all([
      connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] }),
      serveTransport({ socket: incoming, hostKeys, authenticate: accept, limits: { unansweredBytes: 1_000_000 } }),
    ]);
    const first = server.algorithms;
    let end: TransportEnd | undefined;
    server.start({ onPayload: () => undefined, onEnd: (each) => (end = each) });
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    outgoing.pause();
    server.rekey();
    vi.advanceTimersByTime(3_000_000);
    expect(end).toBeUndefined();
    outgoing.resume();
    await expect.poll(() => server.algorithms !== first).toBe(true);
    outgoing.pause();
    server.rekey();
    for (let i = 0; i < 40; i++) client.send(Buffer.alloc(30_000, 94));
    await expect.poll(() => end).toMatchObject({ by: "loss", error: { code: "limit_exceeded", message: expect.stringContaining("does not answer") as string } });
  });

  it("lets a peer ask for new keys as often as it likes where it carries something with each", async () => {
    const [client, server] = await pair({ limits: { rekeyBytes: 300_000 } }, { limits: { rekeysPerMinute: 3 } });
    let [keys, received] = [0, 0];
    let end: TransportEnd | undefined;
    let last = server.algorithms;
    server.start({
      onPayload: (payload) => {
        received += payload.length;
        if (server.algorithms !== last) keys++;
        last = server.algorithms;
      },
      onEnd: (each) => (end = each),
    });
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    const payload = Buffer.alloc(30_000, 94);
    for (let i = 1; i <= 200; i++) {
      client.send(payload);
      await expect.poll(() => received === i * payload.length || end !== undefined, { interval: 1 }).toBe(true);
      expect(end).toBeUndefined();
    }
    expect(keys).toBeGreaterThan(10);
  });

  it("keeps the answers to its own pings apart from the others'", async () => {
    const [client, server] = await pair();
    const answers: number[] = [];
    server.start({ onPayload: (payload) => server.send(payload.includes("keepalive@openssh.com") ? Buffer.of(82) : newMessage(81).uint32(7).toBuffer()), onEnd: () => undefined });
    client.start({ onPayload: (payload) => answers.push(payload[0]!), onEnd: () => undefined });
    const asked = newMessage(80).string("tcpip-forward").raw(Buffer.of(1)).toBuffer();
    client.send(asked);
    const ping = client.ping();
    client.send(newMessage(80).string("no-more-sessions@openssh.com").raw(Buffer.of(0)).toBuffer());
    client.send(asked);
    await ping;
    await expect.poll(() => answers).toEqual([81, 81, 81]);
    server.destroy();
    await expect(client.ping()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("tells both sides how it ended, once", async () => {
    const ends: TransportEnd[] = [];
    const [client, server] = await pair();
    client.start({ onPayload: () => undefined, onEnd: (end) => ends.push(end) });
    const told = new Promise<TransportEnd>((resolve) => server.start({ onPayload: () => undefined, onEnd: resolve }));
    client.disconnect(disconnectReason.byApplication, "done");
    client.disconnect(disconnectReason.byApplication, "again");
    expect(await told).toEqual({ by: "peer", reason: 11, text: "done" });
    expect(ends).toEqual([{ by: "us", reason: 11, text: "done" }]);
    expect(client.send(Buffer.of(94))).toBe(true);
  });

  it("is given up on a signal", async () => {
    const controller = new AbortController();
    const [, incoming] = await socketPair();
    const served = serveTransport({ socket: incoming, hostKeys, authenticate: accept, signal: controller.signal });
    controller.abort();
    await expect(served).rejects.toThrow(/given up/);
    expect(incoming.destroyed).toBe(true);
  });
});

/** Runs a server on bytes alone. */
async function feed(chunks: readonly Uint8Array[]): Promise<void> {
  const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  const served = serveTransport({ socket, hostKeys, authenticate: accept, limits: { handshakeTime: 2000 } });
  for (const chunk of chunks) socket.push(chunk);
  socket.push(null);
  await expect(served).rejects.toMatchObject({ name: "GatehouseError" });
  expect(socket.destroyed || socket.writableEnded).toBe(true);
}

describe("bytes from a stranger", () => {
  const idents = fc.constantFrom(Buffer.from("SSH-2.0-x\r\n"), Buffer.from("SSH-2.0-OpenSSH_9.9\r\n"));
  const packet = (payload: Uint8Array, length = payload.length + 5, padding = 4): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(length);
    head[4] = padding;
    return Buffer.concat([head, payload, Buffer.alloc(4)]);
  };

  it("never do more than end the connection", async () => {
    await fc.assert(
      fc.asyncProperty(idents, fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), async (ident, chunks) => feed([ident, ...chunks])),
      { numRuns: 100 },
    );
    await fc.assert(
      fc.asyncProperty(idents, fc.array(fc.record({ payload: fc.uint8Array({ maxLength: 200 }), length: fc.option(fc.nat(2 ** 32 - 1)), padding: fc.nat(255) }), { maxLength: 4 }), async (ident, packets) =>
        feed([ident, ...packets.map(({ payload, length, padding }) => packet(payload, length ?? undefined, padding))]),
      ),
      { numRuns: 200 },
    );
  });

  it("after authentication neither", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 100 }), { maxLength: 20 }), async (messages) => {
        const [client, server] = await pair();
        const ended = new Promise((resolve) => server.start({ onPayload: () => undefined, onEnd: resolve }));
        client.start({ onPayload: () => undefined, onEnd: () => undefined });
        for (const each of messages) client.send(each);
        client.disconnect(11, "done");
        await ended;
      }),
      { numRuns: 50 },
    );
  });

  it.each([4, 5, 20, 75])("that are changed on their way end it (byte %i)", async (at) => {
    const [outgoing, incoming] = await socketPair();
    let armed = false;
    const socket = through(outgoing, (chunk) => {
      if (armed) chunk[at]! ^= 1;
      return [chunk];
    });
    const [client, server] = await pair({ socket }, { socket: incoming });
    const ended = new Promise<TransportEnd>((resolve) => server.start({ onPayload: () => expect.unreachable(), onEnd: resolve }));
    client.start({ onPayload: () => undefined, onEnd: () => undefined });
    armed = true;
    client.send(Buffer.alloc(60, 94));
    expect(await ended).toMatchObject({ by: "loss", error: { code: "bad_parameter" } });
  });
});
