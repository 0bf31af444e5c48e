import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { spdyDataFrame } from "./spdy-frames.ts";
import { webSocketClose, webSocketFrame } from "./websocket-frames.ts";
import { createWebSocketTap } from "./websocket.ts";

const why = { code: 403, reason: "Forbidden", message: "session ended" };
const text = 1;
const binary = 2;

/** A frame as a client sends it. */
function masked(opcode: number, payload: Buffer, mask = Buffer.from([0x12, 0x34, 0x56, 0x78])): Buffer {
  const frame = webSocketFrame(opcode, payload);
  const header = frame.subarray(0, frame.length - payload.length);
  header[1]! |= 0x80;
  return Buffer.concat([header, mask, payload.map((byte, index) => byte ^ mask[index & 3]!)]);
}

/** Opcode and payload of each server frame in `bytes`. */
function frames(bytes: Buffer): [number, Buffer][] {
  const found: [number, Buffer][] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes.readUInt8(at + 1);
    const header = short === 126 ? 4 : short === 127 ? 10 : 2;
    const length = short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short;
    found.push([bytes.readUInt8(at) & 0x0f, bytes.subarray(at + header, at + header + length)]);
    at += header + length;
  }
  return found;
}

const message = (channel: number, payload: string | Buffer): Buffer => webSocketFrame(binary, Buffer.concat([Buffer.from([channel]), Buffer.from(payload)]));
const notLast = (frame: Buffer): Buffer => {
  frame[0]! &= 0x7f;
  return frame;
};

describe("WebSocket tap", () => {
  it.each(["v4.channel.k8s.io", "v5.channel.k8s.io"])("ends %s with a Status on the error channel and a normal close", (subprotocol) => {
    const tap = createWebSocketTap({ subprotocol, purpose: "command" });
    tap.fromServer(Buffer.concat([message(1, ""), message(1, "out")]));
    const [status, close] = frames(tap.endFrames(why)!);
    expect([status![0], status![1][0]]).toEqual([binary, 3]);
    expect(JSON.parse(status![1].toString("utf8", 1))).toMatchObject({ kind: "Status", status: "Failure", message: why.message, code: 403 });
    expect([close![0], close![1].readUInt16BE(0)]).toEqual([8, 1000]);
  });

  it("speaks the older channel protocols", () => {
    const base64 = createWebSocketTap({ subprotocol: "v4.base64.channel.k8s.io", purpose: "command" });
    const [status] = frames(base64.endFrames(why)!);
    expect([status![0], status![1].toString("latin1", 0, 1)]).toEqual([text, "3"]);
    expect(JSON.parse(Buffer.from(status![1].toString("latin1", 1), "base64").toString())).toMatchObject({ message: why.message });
    for (const subprotocol of ["", "channel.k8s.io"]) {
      const [plain] = frames(createWebSocketTap({ subprotocol, purpose: "command" }).endFrames(why)!);
      expect(plain![1].toString("latin1", 1)).toBe(why.message);
    }
  });

  it("does not add to a result that the server gave, nor speak after its close", () => {
    const tap = createWebSocketTap({ subprotocol: "v5.channel.k8s.io", purpose: "command" });
    // An empty message on the error channel only announces it.
    tap.fromServer(message(3, ""));
    expect(frames(tap.endFrames(why)!)).toHaveLength(2);
    tap.fromServer(message(3, '{"status":"Success"}'));
    expect(frames(tap.endFrames(why)!).map(([opcode]) => opcode)).toEqual([8]);
    tap.fromServer(webSocketClose(1000, ""));
    expect(tap.endFrames(why)).toBeUndefined();
    tap.fromServer(message(1, "more"));
    expect(tap.problem).toMatch(/follows the close/);
  });

  it("tells each port of a port-forward by channels", () => {
    const tap = createWebSocketTap({ subprotocol: "v4.channel.k8s.io", purpose: "portforward" });
    const port = Buffer.from([0x50, 0]);
    tap.fromServer(Buffer.concat([0, 1, 2, 3].map((channel) => message(channel, port))));
    const [first, second, close] = frames(tap.endFrames(why)!);
    expect([first![1].toString("latin1"), second![1].toString("latin1")]).toEqual([`\x01${why.message}`, `\x03${why.message}`]);
    expect(close![1].readUInt16BE(0)).toBe(1008);
  });

  it("closes a pod's own WebSocket with the reason, cut to what fits", () => {
    const tap = createWebSocketTap({ subprotocol: "chat", purpose: "other" });
    const [close] = frames(tap.endFrames({ ...why, message: "ж".repeat(200) })!);
    expect([close![0], close![1].readUInt16BE(0), close![1].length <= 125]).toEqual([8, 1008, true]);
    expect(close![1].toString("utf8", 2)).toBe("ж".repeat(61));
  });

  it("lets a pod's own WebSocket compress", () => {
    const tap = createWebSocketTap({ subprotocol: "", purpose: "other" });
    expect(tap.fromServer(Buffer.from([0xc1, 1, 0x78]))).toBe(3);
    tap.fromClient(Buffer.from([0xc1, 0x81, 0, 0, 0, 0, 0x78]));
    expect(tap.problem).toBeUndefined();
  });

  it("counts what messages carry, and no pings, those of a tunnelled SPDY connection included", () => {
    const tap = createWebSocketTap({ subprotocol: "v5.channel.k8s.io", purpose: "command" });
    tap.fromClient(masked(9, Buffer.from("ping")));
    tap.fromServer(webSocketFrame(10, Buffer.from("pong")));
    expect(tap.carried).toBe(0);
    tap.fromClient(masked(binary, Buffer.from("\0in")));
    tap.fromServer(message(1, "out"));
    expect(tap.carried).toBe(7);
    const tunnel = createWebSocketTap({ subprotocol: "SPDY/3.1+portforward.k8s.io", purpose: "portforward" });
    const ping = Buffer.from([0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]);
    tunnel.fromClient(masked(binary, ping));
    tunnel.fromServer(webSocketFrame(binary, ping));
    expect(tunnel.carried).toBe(0);
    tunnel.fromClient(masked(binary, spdyDataFrame(3, Buffer.from("in"), false)));
    expect(tunnel.carried).toBe(2);
  });

  it("finds the same boundaries however the bytes are split", () => {
    const part = fc.oneof(
      fc.nat(70_000).map((size) => message(1, Buffer.alloc(size))),
      fc.nat(300).map((size) => Buffer.concat([notLast(message(1, Buffer.alloc(size))), webSocketFrame(9, Buffer.from("ping")), webSocketFrame(0, Buffer.alloc(size))])),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(), { maxLength: 8 }), (parts, cuts) => {
        const bytes = Buffer.concat(parts);
        const ends = new Set([0]);
        parts.reduce((sum, piece) => (ends.add(sum + piece.length), sum + piece.length), 0);
        const tap = createWebSocketTap({ subprotocol: "v5.channel.k8s.io", purpose: "command" });
        let start = 0;
        for (const end of [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b).concat(bytes.length)) {
          const boundary = tap.fromServer(bytes.subarray(start, end));
          const last = Math.max(...[...ends].filter((at) => at <= end));
          expect(boundary).toBe(last >= start ? last - start : -1);
          expect(tap.atBoundary).toBe(ends.has(end));
          start = end;
        }
        expect(tap.problem).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  it("reads SPDY in a tunnel, masked and cut anywhere", () => {
    // streamtype=error, stored: no compressor needed.
    const plain = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 10]), Buffer.from("streamtype"), Buffer.from([0, 0, 0, 5]), Buffer.from("error")]);
    const stored = Buffer.from([0, plain.length, 0, 0xff - plain.length, 0xff]);
    const block = Buffer.concat([Buffer.from("7820e3c6a7c2", "hex"), stored, plain, Buffer.from([0, 0, 0, 0xff, 0xff])]);
    block[1]! += 31 - (block.readUInt16BE(0) % 31);
    const open = Buffer.concat([Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 10 + block.length, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]), block]);
    const reply = Buffer.from([0x80, 3, 0, 2, 0, 0, 0, 4, 0, 0, 0, 1]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: open.length - 1 }), fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.nat(reply.length), fc.nat(100), (cut, mask, replyCut, tcpCut) => {
        const tap = createWebSocketTap({ subprotocol: "SPDY/3.1+portforward.k8s.io", purpose: "portforward" });
        const client = Buffer.concat([masked(binary, open.subarray(0, cut), Buffer.from(mask)), masked(9, Buffer.from("hi")), masked(binary, open.subarray(cut), Buffer.from(mask))]);
        tap.fromClient(client.subarray(0, tcpCut));
        tap.fromClient(client.subarray(tcpCut));
        tap.fromServer(webSocketFrame(binary, reply.subarray(0, replyCut)));
        expect(tap.atBoundary).toBe(replyCut === 0 || replyCut === reply.length);
        tap.fromServer(webSocketFrame(binary, reply.subarray(replyCut)));
        expect([tap.problem, tap.atBoundary]).toEqual([undefined, true]);
        expect(frames(tap.endFrames(why)!)).toEqual([[binary, spdyDataFrame(1, Buffer.from(why.message), true)]]);
      }),
    );
  });

  it.each<[string, "client" | "server", Buffer]>([
    ["an unmasked frame", "client", message(0, "x")],
    ["a masked frame", "server", masked(binary, Buffer.from("x"))],
    ["a compressed frame", "server", Buffer.from([0xc2, 0])],
    ["an unknown opcode", "server", Buffer.from([0x83, 0])],
    ["an unknown control opcode", "server", Buffer.from([0x8b, 0])],
    ["a fragmented ping", "server", Buffer.from([0x09, 0])],
    ["a long ping", "server", Buffer.from([0x89, 126, 0, 126])],
    ["a continuation of nothing", "server", webSocketFrame(0, Buffer.from("x"))],
    ["a message inside another", "server", Buffer.concat([notLast(message(1, "x")), message(1, "y")])],
    ["a length beyond 2^53", "server", Buffer.from([0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0])],
  ])("stops at %s from the %s", (_, direction, bytes) => {
    const tap = createWebSocketTap({ subprotocol: "v5.channel.k8s.io", purpose: "command" });
    if (direction === "client") tap.fromClient(bytes);
    else expect(tap.fromServer(bytes)).toBe(-1);
    expect(tap.problem).toBeDefined();
    expect([tap.atBoundary, tap.endFrames(why)]).toEqual([false, undefined]);
  });

  it("never throws, whatever passes", () => {
    const subprotocol = fc.constantFrom("v5.channel.k8s.io", "v4.base64.channel.k8s.io", "SPDY/3.1+portforward.k8s.io", "x");
    const purpose = fc.constantFrom("command" as const, "portforward" as const, "other" as const);
    const bytes = fc.uint8Array({ maxLength: 200 });
    const frame = fc.tuple(fc.nat(15), bytes, fc.boolean()).map(([opcode, payload, client]) => (client ? masked(opcode, Buffer.from(payload)) : webSocketFrame(opcode, Buffer.from(payload))));
    fc.assert(
      fc.property(subprotocol, purpose, fc.array(fc.tuple(fc.boolean(), fc.oneof(bytes, frame)), { maxLength: 20 }), (protocol, kind, chunks) => {
        const tap = createWebSocketTap({ subprotocol: protocol, purpose: kind });
        for (const [client, chunk] of chunks) {
          if (client) tap.fromClient(chunk);
          else expect(tap.fromServer(chunk)).toBeLessThanOrEqual(chunk.length);
          tap.endFrames(why);
        }
      }),
    );
  });
});
