import { constants, createDeflate } from "node:zlib";
import type { Deflate } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spdyDataFrame, spdyFin, spdyType, spdyUnidirectional } from "./spdy-frames.ts";
import { createSpdyHeaderReader, createSpdyHeaderWriter, spdyDictionary } from "./spdy-headers.ts";
import { createSpdyTap } from "./spdy.ts";
import type { StreamTap } from "./stream-tap.ts";

const why = { code: 403, reason: "Forbidden", message: "session ended" };

/** The compressing side of one direction: one zlib stream, flushed after each block. */
class Compressor {
  readonly #deflate: Deflate;
  constructor(dictionary = spdyDictionary) {
    this.#deflate = createDeflate({ dictionary });
  }
  async block(pairs: readonly (readonly [string, string])[]): Promise<Buffer> {
    const parts: Buffer[] = [];
    const number = (value: number): void => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      parts.push(bytes);
    };
    number(pairs.length);
    for (const text of pairs.flat()) {
      number(text.length);
      parts.push(Buffer.from(text, "latin1"));
    }
    return this.raw(Buffer.concat(parts));
  }
  async raw(plain: Buffer): Promise<Buffer> {
    const out: Buffer[] = [];
    const collect = (chunk: Buffer): void => void out.push(chunk);
    this.#deflate.on("data", collect);
    await new Promise<void>((resolve, reject) => this.#deflate.write(plain, (error) => (error ? reject(error) : resolve())));
    await new Promise<void>((resolve) => this.#deflate.flush(constants.Z_SYNC_FLUSH, resolve));
    await new Promise((resolve) => setImmediate(resolve));
    this.#deflate.off("data", collect);
    return Buffer.concat(out);
  }
}

function control(type: number, payload: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(0x8003, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt8(flags, 4);
  header.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([header, payload]);
}

function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

const synStream = (id: number, block: Buffer, flags = 0): Buffer => control(spdyType.synStream, Buffer.concat([uint32(id, 0), Buffer.alloc(2), block]), flags);
/** A stored deflate block needs no compressor. */
function stored(bytes: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt16LE(bytes.length, 1);
  header.writeUInt16LE(~bytes.length & 0xffff, 3);
  return Buffer.concat([header, bytes]);
}
const flush = stored(Buffer.alloc(0));
/** A header block of no pairs. */
const none = Buffer.concat([stored(uint32(0)), flush]);

/** A whole header block and, behind it, the beginning of a dynamic deflate block: five bytes `01 00 00 ff ff` would end that, and tell nothing more. */
function withBeginning(): Buffer {
  const bits: number[] = [];
  const number = (value: number, length: number): void => {
    for (let index = 0; index < length; index++) bits.push((value >> index) & 1);
  };
  // Last block, dynamic; 257 literals, 26 distances, 18 lengths of code lengths: `0` stands for 0, `10` for 1, `11` for 2.
  for (const [value, length] of [[1, 1], [2, 2], [0, 5], [25, 5], [14, 4]] as const) number(value, length);
  for (const symbol of [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1]) number(symbol === 0 ? 1 : symbol <= 2 ? 2 : 0, 3);
  // The first literal has a code of one bit, and 255 have none.
  bits.push(1, 0, ...Array<number>(255).fill(0));
  const beginning = Buffer.alloc(bits.length / 8);
  bits.forEach((bit, index) => beginning.writeUInt8(beginning.readUInt8(index >> 3) | (bit << (index & 7)), index >> 3));
  const pairs = Buffer.concat([uint32(1, 10), Buffer.from("streamtype"), uint32(6), Buffer.from("stdout")]);
  return Buffer.concat([Buffer.from("78bbe3c6a7c2", "hex"), stored(pairs), flush, beginning]);
}
const synReply = (id: number): Buffer => control(spdyType.synReply, Buffer.concat([uint32(id), Buffer.from("opaque")]));

/** What client and server of `kubectl exec -i` send: streams error 1, stdin 3, stdout 5. */
async function execConversation(): Promise<{ client: Buffer; server: Buffer }> {
  const compressor = new Compressor();
  const opened: Buffer[] = [];
  for (const [id, name] of [[1, "error"], [3, "stdin"], [5, "stdout"]] as const) opened.push(synStream(id, await compressor.block([["streamtype", name]])));
  return {
    client: Buffer.concat([control(spdyType.settings, uint32(0)), ...opened, control(spdyType.ping, uint32(1)), spdyDataFrame(3, Buffer.from("ls\n"), true)]),
    server: Buffer.concat([synReply(1), synReply(3), synReply(5), spdyDataFrame(5, Buffer.from("a file\n"), false), control(spdyType.ping, uint32(1))]),
  };
}

function feed(tap: StreamTap, direction: "client" | "server", bytes: Buffer, cuts: readonly number[] = []): void {
  let start = 0;
  for (const end of [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b).concat(bytes.length)) {
    if (direction === "client") tap.fromClient(bytes.subarray(start, end));
    else tap.fromServer(bytes.subarray(start, end));
    start = end;
  }
}

/** Stream id, FIN and text of each frame in `bytes`, which must be data frames alone. */
function dataFrames(bytes: Buffer): [number, boolean, string][] {
  const frames: [number, boolean, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUIntBE(at + 5, 3);
    frames.push([bytes.readUInt32BE(at), bytes.readUInt8(at + 4) === 1, bytes.toString("utf8", at + 8, at + 8 + length)]);
    at += 8 + length;
  }
  return frames;
}

describe("header blocks", () => {
  it("come out as they went in, over the blocks of one connection", async () => {
    const header = fc.tuple(fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/), fc.string({ unit: "binary-ascii", maxLength: 300 }));
    const blocks = fc.array(fc.uniqueArray(header, { selector: ([name]) => name, maxLength: 8 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(blocks, async (all) => {
        const compressor = new Compressor();
        const reader = createSpdyHeaderReader();
        for (const pairs of all) expect([...reader.read(await compressor.block(pairs))]).toEqual(pairs);
      }),
      { numRuns: 40 },
    );
  });

  it("refer back further than one window", async () => {
    const compressor = new Compressor();
    const reader = createSpdyHeaderReader();
    for (let index = 0; index < 30; index++) {
      const value = Buffer.from(fc.sample(fc.uint8Array({ minLength: 4000, maxLength: 4000 }), { numRuns: 1, seed: index })[0]!).toString("latin1");
      expect(reader.read(await compressor.block([["x", value]])).get("x")).toBe(value);
      expect(reader.read(await compressor.block([["again", value]])).get("again")).toBe(value);
    }
  });

  it("are refused with another dictionary, cut off, over the limit, or ended early", async () => {
    const good = await new Compressor().block([["streamtype", "error"]]);
    const code = async (block: Promise<Buffer> | Buffer): Promise<string> => {
      try {
        createSpdyHeaderReader().read(await block);
        return "accepted";
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(await code(good)).toBe("accepted");
    expect(await code(new Compressor(Buffer.from("another")).block([["a", "b"]]))).toBe("bad_parameter");
    expect(await code(good.subarray(0, -1))).toBe("bad_parameter");
    expect(await code(good.subarray(0, 3))).toBe("bad_parameter");
    expect(await code(Buffer.concat([good, Buffer.from([1, 0, 0, 0xff, 0xff]), good]))).toBe("bad_parameter");
    expect(await code(new Compressor().block([["a", "0".repeat(9000)]]))).toBe("limit_exceeded");
    expect(await code(new Compressor().block([["a", "0".repeat(8000)]]))).toBe("accepted");
    expect(await code(new Compressor().raw(uint32(1_000_000)))).toBe("limit_exceeded");
    expect(await code(new Compressor().raw(uint32(1, 0xffff_ffff)))).toBe("bad_parameter");
    expect(await code(new Compressor().raw(uint32(0, 7)))).toBe("bad_parameter");
    expect(await code(new Compressor().block([["a", "1"], ["A", "2"]]))).toBe("bad_parameter");
  });
});

describe("SPDY tap", () => {
  it("ends the error stream with the reason, wherever the bytes were split", async () => {
    const { client, server } = await execConversation();
    const cuts = fc.array(fc.nat(2000), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, cuts, (clientCuts, serverCuts) => {
        const tap = createSpdyTap({ protocol: "v4.channel.k8s.io" });
        feed(tap, "client", client, clientCuts);
        feed(tap, "server", server, serverCuts);
        expect([tap.problem, tap.atBoundary]).toEqual([undefined, true]);
        const [first, ...rest] = dataFrames(tap.endFrames(why)!);
        expect(first?.slice(0, 2)).toEqual([1, true]);
        expect(JSON.parse(first![2])).toMatchObject({ kind: "Status", status: "Failure", message: why.message, reason: "Forbidden", code: 403 });
        expect(rest).toEqual([[3, true, ""], [5, true, ""]]);
      }),
    );
  });

  it("says where frames of our own may stand", async () => {
    const { client, server } = await execConversation();
    const ends = new Set([0]);
    for (let at = 0; at < server.length; ends.add(at)) at += 8 + server.readUIntBE(at + 5, 3);
    for (let cut = 0; cut <= server.length; cut++) {
      const tap = createSpdyTap({ protocol: "" });
      tap.fromClient(client);
      const last = (until: number): number => Math.max(...[...ends].filter((end) => end <= until));
      expect(tap.fromServer(server.subarray(0, cut))).toBe(last(cut));
      expect(tap.atBoundary).toBe(ends.has(cut));
      const rest = tap.fromServer(server.subarray(cut));
      expect(rest).toBe(last(server.length) - cut);
      expect(tap.fromServer(spdyDataFrame(5, Buffer.from("x"), false).subarray(0, 5))).toBe(0);
      expect(tap.fromServer(Buffer.from([0, 0]))).toBe(-1);
    }
  });

  it("counts what data frames carry, and neither pings nor window updates", () => {
    const tap = createSpdyTap({ protocol: "v4.channel.k8s.io" });
    for (const type of [spdyType.ping, spdyType.windowUpdate]) {
      tap.fromClient(control(type, uint32(1, 1)));
      tap.fromServer(control(type, uint32(1, 1)));
    }
    tap.fromClient(spdyDataFrame(5, Buffer.alloc(0), true));
    expect(tap.carried).toBe(0);
    tap.fromClient(spdyDataFrame(5, Buffer.from("in"), false));
    tap.fromServer(spdyDataFrame(3, Buffer.from("out"), false).subarray(0, 9));
    expect(tap.carried).toBe(3);
  });

  it("has nothing to say before the server has taken the error stream, after it ended it, or without one", async () => {
    const { client, server } = await execConversation();
    const tap = createSpdyTap({ protocol: "v4.channel.k8s.io" });
    expect(tap.endFrames(why)).toBeUndefined();
    tap.fromClient(client);
    expect(tap.endFrames(why)).toBeUndefined();
    tap.fromServer(server);
    expect(tap.endFrames(why)).toBeDefined();
    tap.fromServer(spdyDataFrame(1, Buffer.from("{}"), true));
    expect(tap.endFrames(why)).toBeUndefined();
  });

  it("says it in plain text to every connection of a port-forward, and forgets those that ended", async () => {
    const compressor = new Compressor();
    const tap = createSpdyTap({ protocol: "portforward.k8s.io" });
    for (const id of [1, 5, 9, 13]) {
      tap.fromClient(synStream(id, await compressor.block([["streamtype", "error"], ["port", "80"], ["requestid", String(id)]]), 1));
      tap.fromClient(synStream(id + 2, await compressor.block([["streamtype", "data"], ["port", "80"], ["requestid", String(id)]])));
      tap.fromServer(Buffer.concat([synReply(id), synReply(id + 2)]));
    }
    tap.fromServer(control(spdyType.rstStream, uint32(1, 5)));
    tap.fromServer(spdyDataFrame(5, Buffer.alloc(0), true));
    tap.fromClient(control(spdyType.rstStream, uint32(11, 5)));
    expect(dataFrames(tap.endFrames(why)!)).toEqual([
      [9, true, why.message],
      [13, true, why.message],
      [3, true, ""],
      [7, true, ""],
      [15, true, ""],
    ]);
  });

  it("keeps no more than a bounded number of streams", async () => {
    const tap = createSpdyTap({ protocol: "" });
    const reader = await new Compressor().block([["streamtype", "data"]]);
    tap.fromClient(synStream(1, reader));
    const many: Buffer[] = [];
    for (let id = 3; id < 3 + 2 * 8191; id += 2) many.push(synStream(id, none));
    tap.fromClient(Buffer.concat(many));
    expect(tap.problem).toBeUndefined();
    tap.fromClient(synStream(99_999, none));
    expect(tap.problem).toMatch(/more than 8192/);
    expect([tap.atBoundary, tap.fromServer(synReply(1))]).toEqual([false, -1]);
  });

  it.each<[string, (block: Buffer) => Buffer]>([
    ["an unknown type", () => control(5, Buffer.alloc(4))],
    ["another version", () => Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1])],
    ["HTTP", () => Buffer.from("\x80GET / HTTP/1.1\r\n", "latin1")],
    ["a control frame of 16 MB", () => Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    ["a SYN_STREAM without a block", () => control(spdyType.synStream, uint32(1))],
    ["a stream opened twice", (block) => Buffer.concat([synStream(1, block), synStream(1, none)])],
    ["stream 0", (block) => synStream(0, block)],
    ["a block that is no deflate data", () => synStream(1, Buffer.from("not compressed"))],
    // What the next block means would depend on whether its reader is still in the one under way.
    ["a block whose compression ends within a deflate block", () => synStream(1, withBeginning())],
    ["a block whose compression ends within a byte", () => synStream(1, Buffer.concat([Buffer.from("78bbe3c6a7c2", "hex"), stored(uint32(0)), Buffer.from([0x02, 0x00])]))],
    ["a block that is not flushed", () => synStream(1, Buffer.concat([Buffer.from("78bbe3c6a7c2", "hex"), stored(uint32(0))]))],
  ])("stops at %s from the client", async (_, bytes) => {
    const tap = createSpdyTap({ protocol: "v4.channel.k8s.io" });
    tap.fromClient(bytes(await new Compressor().block([["streamtype", "error"]])));
    expect(tap.problem).toBeDefined();
    expect(tap.fromServer(synReply(1))).toBe(-1);
    expect(tap.endFrames(why)).toBeUndefined();
  });

  it.each<[string, (block: Buffer) => Buffer]>([
    ["that was reset", (block) => Buffer.concat([synStream(5, block), control(spdyType.rstStream, uint32(5, 5)), synStream(5, none)])],
    ["that both sides were done with", (block) => Buffer.concat([synStream(5, block, spdyFin | spdyUnidirectional), synStream(5, none)])],
    ["below the last one", (block) => Buffer.concat([synStream(5, block), synStream(3, none)])],
    ["of a server", (block) => synStream(2, block)],
    ["with the reserved bit set", (block) => synStream(0x8000_0005, block)],
  ])("stops at a stream id %s, with and without a sink", async (_, bytes) => {
    const client = bytes(await new Compressor().block([["streamtype", "stdout"]]));
    const nobody = { opened: () => undefined, closed: () => undefined };
    for (const sinks of [{}, { command: {} }, { ports: nobody }]) {
      const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", ...sinks });
      tap.fromClient(client);
      expect(tap.problem).toMatch(/opened twice, or out of order|reserved bit/);
    }
  });

  it.each([["SYN_REPLY", spdyType.synReply], ["HEADERS", spdyType.headers]])("stops at %s of a client where somebody listens: Kubernetes has no use for it", async (_, type) => {
    const compressor = new Compressor();
    const client = Buffer.concat([synStream(1, await compressor.block([["streamtype", "error"]])), control(type, Buffer.concat([uint32(1), await compressor.block([["a", "b"]])]))]);
    for (const [sinks, problem] of [[{}, undefined], [{ command: {} }, "a SPDY client sends headers of a stream that it has not just opened"]] as const) {
      const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", ...sinks });
      tap.fromClient(client);
      expect(tap.problem).toBe(problem);
    }
  });

  it("tells its sink every byte of output that passes, whatever a client does with stream ids", () => {
    const step = fc.record({ id: fc.integer({ min: 0, max: 9 }), kind: fc.constantFrom("stdin", "stdout", "stderr", "rst", "fin"), flags: fc.constantFrom(0, spdyFin, spdyUnidirectional, spdyFin | spdyUnidirectional) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let told = 0;
        const take = (bytes: Uint8Array): void => void (told += bytes.length);
        const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", command: { stdout: take, stderr: take } });
        const writer = createSpdyHeaderWriter();
        const output = new Set<number>();
        for (const { id, kind, flags } of steps) {
          if (kind === "rst") tap.fromClient(control(spdyType.rstStream, uint32(id, 5)));
          else if (kind === "fin") tap.fromClient(spdyDataFrame(id, Buffer.alloc(0), true));
          else tap.fromClient(synStream(id, writer.write([["streamtype", kind]]), flags));
          if (tap.problem !== undefined) return;
          if (kind === "stdout" || kind === "stderr") output.add(id);
          for (const one of output) {
            const before = told;
            tap.fromServer(spdyDataFrame(one, Buffer.from("secret"), false));
            expect(told).toBe(before + 6);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("never throws, whatever passes", () => {
    const bytes = fc.uint8Array({ maxLength: 400 });
    const frame = fc.tuple(fc.integer({ min: 0, max: 10 }), bytes, fc.nat(255)).map(([type, payload, flags]) => control(type, Buffer.from(payload), flags));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), fc.oneof(bytes, frame)), { maxLength: 20 }), (chunks) => {
        const tap = createSpdyTap({ protocol: "v4.channel.k8s.io" });
        for (const [client, chunk] of chunks) {
          if (client) tap.fromClient(chunk);
          else expect(tap.fromServer(chunk)).toBeLessThanOrEqual(chunk.length);
          tap.endFrames(why);
        }
      }),
    );
  });
});
