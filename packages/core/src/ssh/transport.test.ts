import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { sshPublicKey, sshSign, SshWriter } from "../formats/index.ts";
import { certifySshKey, newSshKey } from "../testing/index.ts";
import { connectTransport, disconnectReason, serveTransport, type AuthAttempt, type ConnectOptions, type ServeOptions, type Transport, type TransportEnd } from "./index.ts";
import { Connection } from "./transport.ts";

const authority = newSshKey();
const hostKey = newSshKey();
const hostKeys = [{ privateKey: hostKey, certificate: certifySshKey(authority, hostKey, "host", ["web-1"]) }];

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: false });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[accepted]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [[Socket], unknown];
  server.close();
  client.on("error", () => undefined);
  onTestFinished(() => {
    client.destroy();
    accepted.destroy();
  });
  return [client, accepted];
}

/** A socket whose bytes go out as `change` makes them, in pieces. */
function through(outgoing: Socket, change: (chunk: Buffer) => readonly Buffer[]): Duplex {
  const socket = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      const pieces = change(chunk);
      const next = (at: number): void => {
        const piece = pieces[at];
        if (piece) outgoing.write(piece, () => setImmediate(next, at + 1));
        else done();
      };
      next(0);
    },
    final: (done) => outgoing.end(done),
  });
  outgoing.on("data", (chunk: Buffer) => socket.push(chunk));
  outgoing.on("end", () => socket.push(null));
  return socket;
}

const accept: ServeOptions["authenticate"] = () => ({ accept: true });

async function pair(client: Partial<ConnectOptions> = {}, server: Partial<ServeOptions> = {}): Promise<[Transport, Transport]> {
  const [outgoing, incoming] = await socketPair();
  return Promise.all([
    connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }], ...client }),
    serveTransport({ socket: incoming, hostKeys, authenticate: accept, ...server }),
  ]);
}

/** A client that says what it likes: key exchange by the room's own connection, then the given messages. */
async function rawClient(server: Partial<ServeOptions>, talk: (connection: Connection, messages: (count: number) => Promise<Buffer[]>) => Promise<void>): Promise<void> {
  const [outgoing, incoming] = await socketPair();
  const served = serveTransport({ socket: incoming, hostKeys, authenticate: accept, ...server });
  served.catch(() => undefined);
  const got: Buffer[] = [];
  let more: () => void = () => undefined;
  const messages = async (count: number): Promise<Buffer[]> => {
    while (got.length < count) await new Promise<void>((resolve) => (more = resolve));
    return got;
  };
  await new Promise<void>((resolve, reject) => {
    const connection: Connection = new Connection({ accept: "any", verify: (_, accepted) => accepted() }, { socket: outgoing }, {
      onKeys: () => {
        talk(connection, messages).then(resolve, reject);
      },
      onMessage: (payload) => {
        got.push(payload);
        more();
      },
      onFailed: (error) => {
        got.push(Buffer.from(error.message));
        more();
      },
    });
  });
}

const newMessage = (number: number): SshWriter => new SshWriter().raw(Buffer.of(number));
const service = newMessage(5).string("ssh-userauth").toBuffer();
const request = (method: string): SshWriter => newMessage(50).string("ana").string("ssh-connection").string(method);

describe("two transports", () => {
  it("carry messages both ways, of every size", async () => {
    const [client, server] = await pair();
    const got: Buffer[] = [];
    server.start({ onPayload: (payload) => server.send(payload), onEnd: () => undefined });
    client.start({ onPayload: (payload) => got.push(payload), onEnd: () => undefined });
    const sizes = [0, 1, 2, 11, 12, 13, 1000, 32 * 1024 + 9, 200 * 1024];
    const messages = sizes.map((size) => Buffer.concat([Buffer.of(94), randomBytes(size)]));
    for (const each of messages) client.send(each);
    await expect.poll(() => got.length).toBe(sizes.length);
    expect(got).toEqual(messages);
    expect(server.user).toBe("ana");
    expect(server.algorithms).toMatchObject({ kex: "mlkem768x25519-sha256", strictKex: true, hostKey: "ssh-ed25519-cert-v01@openssh.com" });
  });

  it("put messages together from whatever pieces they come in", async () => {
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.array(fc.oneof(fc.nat(50), fc.nat(70_000)), { minLength: 1, maxLength: 8 }), async (sizes, lengths) => {
        const [outgoing, incoming] = await socketPair();
        outgoing.setNoDelay(true);
        let turn = 0;
        const socket = through(outgoing, (chunk) => {
          const pieces: Buffer[] = [];
          for (let at = 0; at < chunk.length; ) {
            const size = sizes[turn++ % sizes.length]! + Math.floor(chunk.length / 200);
            pieces.push(chunk.subarray(at, at + size));
            at += size;
          }
          return pieces;
        });
        const [client, server] = await pair({ socket }, { socket: incoming });
        const got: Buffer[] = [];
        const done = new Promise<void>((resolve) => {
          server.start({ onPayload: (payload) => got.push(payload) === lengths.length && resolve(), onEnd: () => undefined });
        });
        client.start({ onPayload: () => undefined, onEnd: () => undefined });
        const messages = lengths.map((length) => Buffer.concat([Buffer.of(94), randomBytes(length)]));
        for (const each of messages) client.send(each);
        await done;
        expect(got).toEqual(messages);
        client.destroy();
        server.destroy();
      }),
      { numRuns: 25 },
    );
  });
});

describe("the post-quantum key exchange", () => {
  /** Each message's bytes before what both sides make their keys of, and how many bytes that is. */
  const messages = { client: { head: Buffer.from("1e000004c0", "hex"), length: 1216 }, server: { head: Buffer.from("00000460", "hex"), length: 1120 } };

  it("ends on both sides when a byte of either message is another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("client" as const, "server" as const), fc.oneof(fc.nat(2000), fc.constantFrom(-1, -32, -33)), fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constant(0x80)), async (side, where, bits) => {
        const { head, length } = messages[side];
        let changed = false;
        const change = (chunk: Buffer): readonly Buffer[] => {
          const start = changed ? -1 : chunk.indexOf(head);
          if (start < 0) return [chunk];
          const at = start + head.length + ((where + length) % length);
          chunk[at] = chunk[at]! ^ bits;
          changed = true;
          return [chunk];
        };
        const [outgoing, incoming] = await socketPair();
        const client = connectTransport({ socket: side === "client" ? through(outgoing, change) : outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] });
        const server = serveTransport({ socket: side === "server" ? through(incoming, change) : incoming, hostKeys, authenticate: accept });
        const ends = await Promise.allSettled([client, server]);
        expect(changed).toBe(true);
        for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { name: "GatehouseError" } });
        outgoing.destroy();
        incoming.destroy();
      }),
      { numRuns: 40, examples: [["client", -1, 0x80], ["server", -1, 0x80]] },
    );
  });

  it("tells what was wrong with the message of a stranger", async () => {
    const [outgoing, incoming] = await socketPair();
    // The highest of the key's numbers: 4095, where 3328 is the last.
    const spoil = (chunk: Buffer): readonly Buffer[] => {
      const start = chunk.indexOf(messages.client.head);
      if (start >= 0) chunk.fill(0xff, start + 5, start + 8);
      return [chunk];
    };
    const client = connectTransport({ socket: through(outgoing, spoil), user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] });
    client.catch(() => undefined);
    await expect(serveTransport({ socket: incoming, hostKeys, authenticate: accept })).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("the SSH client's key exchange has an ML-KEM key that is none") as string });
    await expect(client).rejects.toMatchObject({ name: "GatehouseError" });
  });
});

describe("the server's user authentication", () => {
  it("refuses password, keyboard-interactive, host-based and plain keys without asking", async () => {
    const asked: AuthAttempt[] = [];
    const key = newSshKey();
    const blob = sshPublicKey(key);
    await rawClient({ authenticate: (attempt) => (asked.push(attempt), { accept: true }) }, async (connection, messages) => {
      connection.sendAuth(service);
      for (const method of ["password", "keyboard-interactive", "hostbased"]) connection.sendAuth(request(method).raw(Buffer.of(0)).string("secret").toBuffer());
      const unsigned = request("publickey").raw(Buffer.of(1)).string("ssh-ed25519").string(blob).toBuffer();
      const signature = sshSign(key, new SshWriter().string(connection.sessionId).raw(unsigned).toBuffer());
      connection.sendAuth(new SshWriter().raw(unsigned).string(signature).toBuffer());
      const answers = (await messages(6)).slice(-4);
      expect(answers.map((answer) => answer[0])).toEqual([51, 51, 51, 51]);
      connection.destroy();
    });
    expect(asked).toEqual([]);
  });

  it.each([
    ["over another session's id", (): Buffer => Buffer.alloc(32), "ssh-ed25519-cert-v01@openssh.com"],
    ["by another algorithm's name", (connection: Connection): Buffer => connection.sessionId, "ecdsa-sha2-nistp256-cert-v01@openssh.com"],
  ])("takes no signature %s", async (_, id, algorithm) => {
    const asked: AuthAttempt[] = [];
    const key = newSshKey();
    const certificate = Buffer.from(certifySshKey(authority, key, "user", ["ana"]).split(" ")[1]!, "base64");
    await rawClient({ authenticate: (attempt) => (asked.push(attempt), { accept: true }) }, async (connection, messages) => {
      connection.sendAuth(service);
      const unsigned = request("publickey").raw(Buffer.of(1)).string(algorithm).string(certificate).toBuffer();
      connection.sendAuth(new SshWriter().raw(unsigned).string(sshSign(key, new SshWriter().string(id(connection)).raw(unsigned).toBuffer())).toBuffer());
      expect((await messages(3)).at(-1)?.[0]).toBe(51);
      connection.destroy();
    });
    expect(asked).toEqual([]);
  });

  it("ends after so many attempts, and after so much time", async () => {
    const [outgoing, incoming] = await socketPair();
    const client = connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => Array.from({ length: 10 }, () => ({ method: "none" as const })) });
    client.catch(() => undefined);
    await expect(serveTransport({ socket: incoming, hostKeys, authenticate: () => ({ accept: false }), limits: { authAttempts: 3 } })).rejects.toThrow(/too many attempts/);
    await expect(client).rejects.toThrow(/too many authentication failures/);
    const slow = pair({}, { authenticate: () => new Promise(() => undefined), limits: { authTime: 100 } });
    await expect(slow).rejects.toThrow();
  });

  it("lets nobody in whose connection ended while it was decided", async () => {
    const [outgoing, incoming] = await socketPair();
    let decide: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      const served = serveTransport({ socket: incoming, hostKeys, authenticate: () => new Promise((answer) => { decide = () => answer({ accept: true }); resolve(); }), limits: { authTime: 200 } });
      served.then(() => expect.unreachable(), () => undefined);
    });
    connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] }).catch(() => undefined);
    await asked;
    outgoing.destroy();
    await once(incoming, "close");
    decide();
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("takes no message of the connection protocol before it is over", async () => {
    await rawClient({}, async (connection, messages) => {
      connection.sendAuth(newMessage(90).string("session").uint32(0).uint32(1).uint32(1).toBuffer());
      expect((await messages(2)).at(-1)?.toString()).toMatch(/closed the connection/);
    });
  });
});

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
