import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SpdyServerPeer, clientFrame, received, serverFrames } from "../testing/stream-peers.ts";
import { createCommandTranslation } from "./command-translation.ts";
import type { CommandTranslationOptions } from "./command-translation.ts";
import { createSpdyHeaderReader, createSpdyHeaderWriter, spdyDictionary } from "./spdy-headers.ts";
import { spdyControlFrame, spdyType } from "./spdy-frames.ts";
import type { Translation, Turn } from "./translation.ts";
import { createTunnelTranslation } from "./tunnel-translation.ts";

const asked: CommandTranslationOptions = { subprotocol: "v5.channel.k8s.io", protocol: "v4.channel.k8s.io", stdin: true, stdout: true, stderr: true, tty: false };
const success = '{"metadata":{},"status":"Success"}';
const binary = 2;

/** A translation between a server and what its client got so far. */
class World {
  readonly server: SpdyServerPeer;
  readonly translation: Translation;
  got = Buffer.alloc(0);
  pongs: Buffer[] = [];
  #pending: Buffer[] = [];

  constructor(options: Partial<CommandTranslationOptions> = {}, server: { readonly silent?: boolean } = {}) {
    this.translation = createCommandTranslation({ ...asked, ...options });
    this.server = new SpdyServerPeer((bytes) => this.#pending.push(bytes), server);
    this.#take(this.translation.open());
  }
  /** What the server said, cut at the given lengths. */
  flush(cuts: readonly number[] = []): void {
    for (const piece of cut(Buffer.concat(this.#pending.splice(0)), cuts)) this.#take(this.translation.fromServer(piece));
  }
  client(bytes: Buffer, cuts: readonly number[] = []): void {
    for (const piece of cut(bytes, cuts)) this.#take(this.translation.fromClient(piece));
  }
  ended(broken: boolean): void {
    this.#take(this.translation.serverEnded(broken));
  }
  alive(): void {
    this.#take(this.translation.keepAlive());
  }
  get client$(): ReturnType<typeof received> {
    return received(this.got);
  }
  get status(): unknown {
    return JSON.parse(this.client$.channels[3]?.toString() ?? "null") as unknown;
  }
  #take({ toClient, toServer, pong }: Turn): void {
    this.got = Buffer.concat([this.got, toClient]);
    if (pong !== undefined) this.pongs.push(pong);
    this.server.feed(toServer);
  }
}

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const length of cuts) {
    if (at + length >= bytes.length) break;
    if (length > 0) pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  pieces.push(bytes.subarray(at));
  return pieces.filter((piece) => piece.length > 0);
}

const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 400 });
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

function open(options: Partial<CommandTranslationOptions> = {}): World {
  const world = new World(options);
  world.flush();
  expect(world.translation.ready).toBe(true);
  return world;
}

describe("a command", () => {
  it("opens the streams that were asked for, and is ready when the server has taken all of them", () => {
    const types = (options: Partial<CommandTranslationOptions>): unknown => [...new World(options).server.streams.values()].map(({ id, headers }) => [id, headers.get("streamtype")]);
    expect(types({})).toEqual([[1, "error"], [3, "stdin"], [5, "stdout"], [7, "stderr"]]);
    expect(types({ stdin: false, stderr: false })).toEqual([[1, "error"], [3, "stdout"]]);
    expect(types({ tty: true })).toEqual([[1, "error"], [3, "stdin"], [5, "stdout"], [7, "resize"]]);
    expect(types({ tty: true, protocol: "v2.channel.k8s.io" })).toEqual([[1, "error"], [3, "stdin"], [5, "stdout"]]);
    const slow = new World({}, { silent: true });
    for (const id of [1, 3, 5]) slow.server.reply(id);
    slow.flush();
    expect([slow.translation.ready, slow.got.length]).toEqual([false, 0]);
    slow.server.reply(7);
    slow.flush();
    expect(slow.translation.ready).toBe(true);
    // An empty message of stdout says so, as API servers do.
    expect(serverFrames(slow.got)).toEqual([{ opcode: binary, payload: Buffer.from([1]) }]);
  });

  it("brings output, however it is cut, whole and before how it ended", () => {
    const output = fc.array(fc.tuple(fc.constantFrom("stdout", "stderr"), bytes), { maxLength: 30 });
    fc.assert(
      fc.property(output, cuts, fc.boolean(), fc.nat(30), (parts, lengths, finishes, statusAt) => {
        const world = open();
        // The status may overtake the output of other streams.
        parts.forEach(([type, part], index) => {
          if (index === statusAt) world.server.data("error", Buffer.from(success), true);
          world.server.data(type, part);
        });
        if (finishes) for (const type of ["stdout", "stderr"]) world.server.data(type, Buffer.alloc(0), true);
        world.server.end(statusAt < parts.length ? "" : success);
        world.flush(lengths);
        const { channels, closed, order } = world.client$;
        for (const [type, channel] of [["stdout", 1], ["stderr", 2]] as const) {
          expect(channels[channel] ?? Buffer.alloc(0)).toEqual(Buffer.concat(parts.filter(([one]) => one === type).map(([, part]) => part)));
        }
        expect([channels[3]?.toString(), closed, order.at(-1), order.filter((one) => one === 3).length]).toEqual([success, 1000, 3, 1]);
        expect(world.translation.done).toBe(true);
      }),
    );
  });

  it("takes input, however it is masked, cut and fragmented, up to its end", () => {
    const message = fc.record({ payload: bytes, mask: fc.integer(), split: fc.nat(200), channel: fc.constantFrom(0, 0, 0, 4, 1, 7, 200) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 20 }), cuts, fc.boolean(), (messages, lengths, ends) => {
        const world = open();
        const sent = messages.map(({ payload, mask, split, channel }) => {
          const whole = Buffer.concat([Buffer.from([channel]), payload]);
          if (split === 0 || split >= whole.length) return clientFrame(binary, whole, { mask });
          return Buffer.concat([clientFrame(binary, whole.subarray(0, split), { mask, fin: false }), clientFrame(0, whole.subarray(split), { mask: ~mask })]);
        });
        if (ends) sent.push(clientFrame(binary, Buffer.from([255, 0])), clientFrame(binary, Buffer.from([0, 1, 2])), clientFrame(binary, Buffer.from([255, 0])));
        world.client(Buffer.concat(sent), lengths);
        const stdin = world.server.stream("stdin");
        expect(stdin.received).toEqual(Buffer.concat(messages.filter(({ channel }) => channel === 0).map(({ payload }) => payload)));
        expect(stdin.finished).toBe(ends);
        expect(world.translation.done).toBe(false);
      }),
    );
  });

  it("passes sizes of a terminal on, and knows the end of input only where the client's protocol does", () => {
    const size = '{"Width":80,"Height":24}\n';
    const world = open({ tty: true, subprotocol: "v4.channel.k8s.io" });
    world.client(clientFrame(binary, Buffer.from(`\x04${size}`)));
    world.client(clientFrame(binary, Buffer.from([255, 0])));
    expect([world.server.stream("resize").received.toString(), world.server.stream("stdin").finished]).toEqual([size, false]);
    const first = open({ protocol: "" });
    first.client(clientFrame(binary, Buffer.from([255, 0])));
    expect(first.server.stream("stdin").finished).toBe(false);
  });

  it.each([
    ["v4.channel.k8s.io", '{"status":"Failure","message":"exit 3"}', { status: "Failure", message: "exit 3" }],
    ["v3.channel.k8s.io", "", { status: "Success" }],
    ["v2.channel.k8s.io", "no such file", { status: "Failure", message: "error executing remote command: no such file", code: 500 }],
    ["", "no such file", { status: "Failure", reason: "InternalError" }],
  ])("in protocol %j ends with a Status", (protocol, told, status) => {
    const world = open({ protocol });
    world.server.end(told);
    world.flush();
    expect(world.status).toMatchObject(status);
    expect(world.client$.closed).toBe(1000);
  });

  it("that only hangs up has ended where it said how; elsewhere the client is told that it was cut", () => {
    const told = open();
    told.server.data("error", Buffer.from(success));
    told.flush();
    expect(told.translation.done).toBe(false);
    told.ended(false);
    expect([told.status, told.client$.closed]).toEqual([JSON.parse(success), 1000]);
    const silent = open();
    silent.server.data("stdout", Buffer.from("half"));
    silent.flush();
    silent.ended(true);
    expect(silent.client$.channels[1]?.toString()).toBe("half");
    expect(silent.status).toMatchObject({ status: "Failure", code: 502, message: expect.stringContaining("broke off") as unknown });
    const polite = open();
    polite.server.goAway();
    polite.flush();
    polite.ended(false);
    expect([polite.client$.channels[3], polite.client$.closed]).toEqual([undefined, 1000]);
  });

  it("fails in words where the server refuses a stream, opens one, says too much or talks no SPDY", () => {
    const refused = new World({}, { silent: true });
    refused.server.reset("stdout");
    refused.flush();
    expect(refused.status).toMatchObject({ message: expect.stringContaining("refused a stream") as unknown });
    const verbose = open();
    for (let part = 0; part < 5; part++) verbose.server.data("error", Buffer.alloc(64 * 1024, "x"));
    verbose.server.end("");
    verbose.flush();
    expect(verbose.status).toMatchObject({ message: expect.stringContaining("too great length") as unknown });
    for (const bad of [Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), spdyControlFrame(spdyType.synStream, 0, Buffer.alloc(10)), spdyControlFrame(spdyType.rstStream, 0, Buffer.alloc(2))]) {
      const { toClient } = open().translation.fromServer(bad);
      const { channels, closed } = received(toClient);
      // "HTT" reads as a long data frame of a stream that is not there.
      if (bad[0] === 0x48) expect([channels[3], closed]).toEqual([undefined, undefined]);
      else expect([channels[3]?.toString().includes("not the protocol"), closed]).toEqual([true, 1000]);
    }
  });

  it("answers pings of both, the client's by the last alone, and shows that it is alive", () => {
    const world = open();
    world.client(Buffer.concat([clientFrame(9, Buffer.from("one")), clientFrame(9, Buffer.from("two"))]));
    expect(world.pongs.map((pong) => serverFrames(pong))).toEqual([[{ opcode: 10, payload: Buffer.from("two") }]]);
    world.server.ping(2);
    world.server.ping(7);
    world.flush();
    expect(world.server.pings).toEqual([2]);
    world.alive();
    world.alive();
    expect(world.server.pings).toEqual([2, 1, 3]);
    expect(serverFrames(world.got).filter(({ opcode }) => opcode === 9)).toHaveLength(2);
  });

  it.each([
    ["normally", clientFrame(8, Buffer.from([0x03, 0xe8])), 1000],
    ["without a code", clientFrame(8, Buffer.alloc(0)), 1000],
    ["with a code that may not be sent", clientFrame(8, Buffer.from([0x03, 0xed])), 1002],
    ["with half a code", clientFrame(8, Buffer.from([3])), 1002],
    ["by a frame that is not masked", Buffer.from([0x82, 0x01, 0x00]), 1002],
    ["by a frame with an extension", Buffer.from([0xc2, 0x81, 0, 0, 0, 0, 0]), 1002],
    ["by a message of 33 MiB", Buffer.concat([clientFrame(binary, Buffer.from([0]), { fin: false }), clientFrame(0, Buffer.alloc(33 * 1024 * 1024))]), 1009],
  ])("that the client closes %s is closed", (_, frame, code) => {
    const world = open();
    world.client(frame, [70_000]);
    expect([world.client$.closed, world.translation.done]).toEqual([code, true]);
    expect(world.translation.fromServer(Buffer.from("late")).toClient).toHaveLength(0);
  });

  it("takes any bytes from either side without throwing, and keeps no more than a frame", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), bytes), { maxLength: 30 }), (parts) => {
        const { translation } = open();
        for (const [fromClient, part] of parts) {
          const turn = fromClient ? translation.fromClient(part) : translation.fromServer(part);
          serverFrames(turn.toClient);
        }
        translation.serverEnded(true);
        expect(translation.done).toBe(true);
      }),
    );
  });
});

describe("a tunnel", () => {
  it("carries bytes both ways as they are", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, fc.integer()), { maxLength: 20 }), fc.array(bytes, { maxLength: 20 }), cuts, (sent, said, lengths) => {
        const tunnel = createTunnelTranslation();
        const up = cut(Buffer.concat(sent.map(([payload, mask]) => clientFrame(binary, payload, { mask }))), lengths).map((piece) => tunnel.fromClient(piece).toServer);
        expect(Buffer.concat(up)).toEqual(Buffer.concat(sent.map(([payload]) => payload)));
        const down = said.flatMap((piece) => serverFrames(tunnel.fromServer(piece).toClient)).map(({ payload }) => payload);
        expect(Buffer.concat(down)).toEqual(Buffer.concat(said));
        expect(received(tunnel.serverEnded(false).toClient).closed).toBe(1000);
        expect([tunnel.done, tunnel.fromServer(Buffer.from("late")).toClient.length]).toEqual([true, 0]);
      }),
    );
  });

  it("tells why it ends, answers pings, and ends with its client", () => {
    const [close] = serverFrames(createTunnelTranslation().fail({ code: 403, reason: "Forbidden", message: "gone" }).toClient);
    expect([close?.payload.readUInt16BE(0), close?.payload.toString("utf8", 2)]).toEqual([1008, "gone"]);
    expect(received(createTunnelTranslation().serverEnded(true).toClient).closed).toBe(1001);
    const tunnel = createTunnelTranslation();
    expect(serverFrames(tunnel.fromClient(clientFrame(9, Buffer.from("p"))).pong ?? Buffer.alloc(0))).toEqual([{ opcode: 10, payload: Buffer.from("p") }]);
    expect(serverFrames(tunnel.keepAlive().toClient)[0]?.opcode).toBe(9);
    expect(received(tunnel.fromClient(clientFrame(8, Buffer.from([0x03, 0xe9]))).toClient).closed).toBe(1001);
    expect(tunnel.done).toBe(true);
  });
});

it("header blocks that are written read as they were, to zlib too", () => {
  const pair = fc.tuple(fc.stringMatching(/^[a-z-]{1,20}$/), fc.string({ unit: "grapheme-ascii", maxLength: 100 }));
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(pair, { selector: ([name]) => name, maxLength: 10 }), { minLength: 1, maxLength: 5 }), (blocks) => {
      const writer = createSpdyHeaderWriter();
      const reader = createSpdyHeaderReader();
      const written = blocks.map((pairs) => writer.write(pairs));
      written.forEach((block, index) => expect([...reader.read(block)]).toEqual(blocks[index]));
      const plain = inflateSync(Buffer.concat([...written, Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff])]).subarray(0), { dictionary: spdyDictionary, finishFlush: 2 });
      expect(plain.length).toBe(blocks.flat().reduce((sum, [name, value]) => sum + 8 + name.length + value.length, 4 * blocks.length));
    }),
  );
  expect(() => createSpdyHeaderWriter().write([["a", "x".repeat(70_000)]])).toThrow(/larger/);
});
