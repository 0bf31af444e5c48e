import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandOutcome } from "./command-outcome.ts";
import { spdyDataFrame, spdyFin, spdyType } from "./spdy-frames.ts";
import { spdyDictionary } from "./spdy-headers.ts";
import { createSpdyTap } from "./spdy.ts";
import type { CommandSink, PortConnection, StreamSinks } from "./stream-sink.ts";
import type { StreamTap } from "./stream-tap.ts";
import { webSocketClose, webSocketFrame } from "./websocket-frames.ts";
import { createWebSocketTap } from "./websocket.ts";

const binary = 2;

/** What a sink was told: neighbouring bytes of one stream as one text, as where they are cut says nothing. */
class Told {
  readonly lines: string[] = [];
  readonly connections: PortConnection[] = [];
  #open = "";
  readonly #add = (stream: string) => (bytes: Uint8Array): void => {
    const text = Buffer.from(bytes).toString("latin1");
    if (this.#open === stream) this.lines.push(`${this.lines.pop() ?? ""}${text}`);
    else this.lines.push(`${stream}:${text}`);
    this.#open = stream;
  };
  readonly #say = (line: string): void => {
    this.#open = "";
    this.lines.push(line);
  };
  readonly command: CommandSink = {
    stdin: this.#add("in"),
    stdout: this.#add("out"),
    stderr: this.#add("err"),
    error: this.#add("error"),
    resized: (columns, rows) => this.#say(`size ${columns}x${rows}`),
    ended: (stream) => this.#say(`end of ${stream}`),
  };
  readonly sinks: StreamSinks = {
    command: this.command,
    ports: {
      opened: (connection) => {
        this.connections.push(connection);
        this.#say(`open ${connection.port} ${connection.requestId}`);
      },
      closed: (connection) => this.#say(`closed ${connection.requestId} ${connection.sent}/${connection.received} ${connection.error}`),
    },
  };
}

function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index));
  return bytes;
}

function control(type: number, payload: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(0x8003, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt8(flags, 4);
  header.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([header, payload]);
}

/** The compressing side of a connection's header blocks: each block by itself, uncompressed but for the framing. */
class Opener {
  #first = true;
  open(id: number, headers: Readonly<Record<string, string>>, flags = 0): Buffer {
    const texts = Object.entries(headers).flat();
    const plain = Buffer.concat([uint32(texts.length / 2), ...texts.flatMap((text) => [uint32(text.length), Buffer.from(text, "latin1")])]);
    const stored = Buffer.concat([Buffer.from([0, plain.length & 0xff, plain.length >> 8, ~plain.length & 0xff, (~plain.length >> 8) & 0xff]), plain, Buffer.from([0, 0, 0, 0xff, 0xff])]);
    const head = Buffer.from("78bbe3c6a7c2", "hex");
    head[1] = 0x20;
    head[1] += 31 - (head.readUInt16BE(0) % 31);
    const block = this.#first ? Buffer.concat([head, stored]) : stored;
    this.#first = false;
    return control(spdyType.synStream, Buffer.concat([uint32(id, 0), Buffer.alloc(2), block]), flags);
  }
}
const reply = (id: number): Buffer => control(spdyType.synReply, uint32(id));
const data = (id: number, text: string, fin = false): Buffer => spdyDataFrame(id, Buffer.from(text, "latin1"), fin);
const reset = (id: number): Buffer => control(spdyType.rstStream, uint32(id, 5));

function masked(payload: Buffer, mask: Uint8Array, opcode = binary): Buffer {
  const frame = webSocketFrame(opcode, payload);
  const header = frame.subarray(0, frame.length - payload.length);
  header[1]! |= 0x80;
  return Buffer.concat([header, mask, payload.map((byte, index) => byte ^ mask[index & 3]!)]);
}
const channel = (number: number, text: string): Buffer => Buffer.concat([Buffer.from([number]), Buffer.from(text, "latin1")]);

type Turn = readonly ["client" | "server", Buffer];

/** Passes a conversation, each turn split at these places (as shares of its length). */
function pass(tap: StreamTap, turns: readonly Turn[], cuts: readonly number[] = []): void {
  for (const [from, bytes] of turns) {
    const ends = [...new Set(cuts.map((cut) => Math.floor(cut * bytes.length)))].sort((a, b) => a - b).concat(bytes.length);
    let start = 0;
    for (const end of ends) {
      if (from === "client") tap.fromClient(bytes.subarray(start, end));
      else tap.fromServer(bytes.subarray(start, end));
      start = end;
    }
  }
}

const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
const text = fc.string({ unit: "binary-ascii", maxLength: 400 });
const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });
const status = '{"metadata":{},"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"7"}]}}';

const spdyExec = (input: string, output: string, errors: string): Turn[] => {
  const opener = new Opener();
  return [
    ["client", Buffer.concat([opener.open(1, { streamtype: "error" }), opener.open(3, { streamtype: "stdin" }), opener.open(5, { streamtype: "stdout" }), opener.open(7, { streamtype: "stderr\0stdout" }), opener.open(9, { streamtype: "resize" })])],
    ["server", Buffer.concat([1, 3, 5, 7, 9].map(reply))],
    ["client", Buffer.concat([data(9, '{"Width":80,"Hei'), data(9, 'ght":24}\n{"Width":100,"Height":30}\n'), control(spdyType.ping, uint32(1)), data(3, `>${input}`), data(3, "", true)])],
    ["server", Buffer.concat([data(5, `>${output}`), data(7, `>${errors}`), data(5, "", true), data(7, "", true), data(1, status, true)])],
  ];
};
const told = (input: string, output: string, errors: string): string[] => [
  "size 80x24", "size 100x30", `in:>${input}`, "end of stdin", `out:>${output}`, `err:>${errors}`, "end of stdout", "end of stderr", `error:${status}`,
];

describe("a sink of a command", () => {
  it("hears the same however SPDY is split", () => {
    fc.assert(
      fc.property(text, text, text, cuts, (input, output, errors, at) => {
        const sink = new Told();
        const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", ...sink.sinks });
        pass(tap, spdyExec(input, output, errors), at);
        expect(tap.problem).toBeUndefined();
        expect(sink.lines).toEqual(told(input, output, errors));
      }),
    );
  });

  it.each([["v5.channel.k8s.io", false], ["v4.base64.channel.k8s.io", true]] as const)("hears the same however %s is split and masked", (subprotocol, base64) => {
    fc.assert(
      fc.property(text, text, text, mask, cuts, (input, output, errors, key, at) => {
        const write = (number: number, words: string): Buffer => (base64 ? Buffer.from(`${number}${Buffer.from(words, "latin1").toString("base64")}`) : channel(number, words));
        const fromClient = (number: number, words: string): Buffer => masked(write(number, words), key, base64 ? 1 : 2);
        const fromServer = (number: number, words: string): Buffer => webSocketFrame(base64 ? 1 : 2, write(number, words));
        const sink = new Told();
        const tap = createWebSocketTap({ subprotocol, purpose: "command", ...sink.sinks });
        pass(
          tap,
          [
            ["server", Buffer.concat([fromServer(0, ""), fromServer(1, ""), fromServer(2, ""), fromServer(3, "")])],
            ["client", Buffer.concat([fromClient(4, '{"Width":80,"Height":24}'), masked(Buffer.from("hi"), key, 9), fromClient(4, '{"Height":30,"Width":100}\n'), fromClient(0, `>${input}`), ...(base64 ? [] : [fromClient(255, "\0")])])],
            ["server", Buffer.concat([fromServer(1, `>${output}`), fromServer(2, `>${errors}`), webSocketFrame(9, Buffer.from("?")), fromServer(3, status), webSocketClose(1000, "")])],
          ],
          at,
        );
        expect(tap.problem).toBeUndefined();
        expect(sink.lines).toEqual(told(input, output, errors).filter((line) => !line.startsWith("end of std") || (line === "end of stdin" && !base64)));
      }),
    );
  });

  it.each<[string, readonly string[]]>([
    ["line breaks, which API servers pass over", ["b\n\n\nH\n\n\nM\n\n\n=\n\n\n"]],
    ["something after its end", ["bHM=", "bHM="]],
    ["characters of another base64", ["bH-_"]],
    ["too little padding", ["bHM"]],
    ["too much padding", ["bH==", "="]],
  ])("takes no base64 with %s: the command and the recording could get different bytes", (_, pieces) => {
    for (const [number, from] of [[0, "client"], [1, "server"]] as const) {
      const sink = new Told();
      const tap = createWebSocketTap({ subprotocol: "v4.base64.channel.k8s.io", purpose: "command", ...sink.sinks });
      const words = channel(0x30 + number, pieces.join(""));
      const key = Buffer.from("mask");
      pass(tap, [[from, from === "client" ? masked(words, key, 1) : webSocketFrame(1, words)]], [0.3, 0.6]);
      expect(tap.problem).toMatch(/is not base64/);
    }
    const unheard = createWebSocketTap({ subprotocol: "v4.base64.channel.k8s.io", purpose: "command", command: {} });
    unheard.fromClient(masked(channel(0x30, pieces.join("")), Buffer.from("mask"), 1));
    expect(unheard.problem).toBeUndefined();
  });

  it("hears the server's fragments as one message, and no message of a client in fragments", () => {
    const open = (frame: Buffer): Buffer => {
      frame[0]! &= 0x7f;
      return frame;
    };
    const sink = new Told();
    const tap = createWebSocketTap({ subprotocol: "v4.channel.k8s.io", purpose: "command", ...sink.sinks });
    tap.fromServer(Buffer.concat([open(webSocketFrame(2, channel(1, "a"))), webSocketFrame(0, Buffer.from("b"))]));
    expect(sink.lines).toEqual(["out:ab"]);
    // API servers take the second fragment for a message on channel 0.
    tap.fromClient(Buffer.concat([open(masked(channel(4, "x"), Buffer.from("mask"))), masked(Buffer.from("\0rm -rf"), Buffer.from("mask"), 0)]));
    expect(tap.problem).toMatch(/in fragments/);
  });

  it("hears what arrives after the client has reset a stream, and of no stream that no command has", () => {
    const sink = new Told();
    const opener = new Opener();
    const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", ...sink.sinks });
    pass(tap, [["client", Buffer.concat([opener.open(1, { streamtype: "error" }), opener.open(3, { streamtype: "stdout" }), reset(3)])], ["server", data(3, "late")]]);
    expect(sink.lines).toEqual(["out:late"]);
    tap.fromClient(opener.open(5, { streamtype: "secret" }));
    expect(tap.problem).toMatch(/no command has/);
    const many = createSpdyTap({ protocol: "v4.channel.k8s.io", ...new Told().sinks });
    const again = new Opener();
    for (let id = 1; id < 40; id += 2) many.fromClient(again.open(id, { streamtype: "stdin" }, spdyFin));
    expect(many.problem).toMatch(/a second SPDY stream for stdin/);
  });

  it("is told nothing that the command does not get: of a second stdin, or on one that the server has not taken", () => {
    const opened = (): { readonly tap: StreamTap; readonly sink: Told; readonly opener: Opener } => {
      const sink = new Told();
      const opener = new Opener();
      const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", ...sink.sinks });
      tap.fromClient(Buffer.concat([opener.open(1, { streamtype: "error" }), opener.open(3, { streamtype: "stdin" })]));
      return { tap, sink, opener };
    };
    const early = opened();
    early.tap.fromClient(data(3, "# only a comment: "));
    expect([early.tap.problem, early.sink.lines]).toEqual(["a client writes to a SPDY stream of a command before the server has taken it", []]);
    const twice = opened();
    twice.tap.fromServer(Buffer.concat([reply(1), reply(3)]));
    twice.tap.fromClient(Buffer.concat([data(3, "rm"), reset(3), twice.opener.open(5, { streamtype: "stdin\0x" })]));
    expect([twice.tap.problem, twice.sink.lines]).toEqual(["a command opens a second SPDY stream for stdin", ["in:rm"]]);
  });

  it("passes over sizes that are none", () => {
    const sink = new Told();
    const tap = createWebSocketTap({ subprotocol: "v4.channel.k8s.io", purpose: "command", ...sink.sinks });
    for (const size of ['{"Width":99999,"Height":1}', "}}}", "x".repeat(10_000), '{"Width":"a","Height":2}', '{"Width":1,"Height":2}', '{"Width":3,"Height":4}']) {
      tap.fromClient(masked(channel(4, size), Buffer.from("mask")));
    }
    expect(sink.lines).toEqual(["size 1x2", "size 3x4"]);
  });
});

describe("a sink of a port-forward", () => {
  const conversation = (sent: string, received: string): Turn[] => {
    const opener = new Opener();
    return [
      ["client", Buffer.concat([opener.open(1, { streamtype: "error", port: "8080", requestid: "0" }), opener.open(3, { streamtype: "data", port: "8080", requestid: "0" }), data(1, "", true)])],
      ["server", Buffer.concat([reply(1), reply(3)])],
      ["client", Buffer.concat([data(3, sent), data(3, "", true)])],
      ["server", Buffer.concat([data(3, received), data(3, "", true), data(1, "", true)])],
      ["client", Buffer.concat([opener.open(5, { streamtype: "error", port: "9", requestid: "1" }), opener.open(7, { streamtype: "data", port: "9", requestid: "1" }), data(5, "", true)])],
      ["server", Buffer.concat([data(5, "connection refused"), data(5, "", true)])],
      ["client", Buffer.concat([reset(7), opener.open(9, { streamtype: "data", port: "8080", requestid: "2" })])],
    ];
  };
  const lines = (sent: string, received: string): string[] => [
    "open 8080 0", `closed 0 ${sent.length}/${received.length} `, "open 9 1", "closed 1 0/0 connection refused", "open 8080 2",
  ];

  it("hears each connection, over SPDY and over its tunnel, however it is split", () => {
    fc.assert(
      fc.property(text, text, cuts, mask, (sent, received, at, key) => {
        const plain = new Told();
        const tap = createSpdyTap({ protocol: "portforward.k8s.io", ports: plain.sinks.ports });
        const turns = conversation(sent, received);
        pass(tap, turns, at);
        expect([tap.problem, plain.lines]).toEqual([undefined, lines(sent, received)]);
        const tunnelled = new Told();
        const tunnel = createWebSocketTap({ subprotocol: "SPDY/3.1+portforward.k8s.io", purpose: "portforward", ports: tunnelled.sinks.ports });
        pass(tunnel, turns.map(([from, bytes]): Turn => [from, from === "client" ? masked(bytes, key) : webSocketFrame(2, bytes)]), at);
        expect([tunnel.problem, tunnelled.lines]).toEqual([undefined, lines(sent, received)]);
      }),
    );
  });

  it.each<[string, Readonly<Record<string, string>>]>([
    ["request id", { streamtype: "error", port: "80", requestid: "0".repeat(65) }],
    ["hidden request id", { streamtype: "error", port: "80", requestid: `0\0${"0".repeat(63)}` }],
    ["port", { streamtype: "data", port: "8".repeat(17), requestid: "0" }],
    ["type", { streamtype: "d".repeat(17), port: "80", requestid: "0" }],
  ])("takes no long %s", (_, headers) => {
    const tap = createSpdyTap({ protocol: "portforward.k8s.io", ports: new Told().sinks.ports });
    tap.fromClient(new Opener().open(1, headers));
    expect(tap.problem).toMatch(/more than \d+ characters/);
  });

  it("takes a bounded number of streams whose other one is not there", () => {
    const tap = createSpdyTap({ protocol: "portforward.k8s.io", ports: new Told().sinks.ports });
    const opener = new Opener();
    // Pairs do not count, however many.
    for (let id = 1; id < 4000; id += 4) for (const [at, streamtype] of [[id, "error"], [id + 2, "data"]] as const) tap.fromClient(opener.open(at, { streamtype, port: "80", requestid: String(id) }));
    for (let index = 0; index < 256; index++) tap.fromClient(opener.open(5001 + 2 * index, { streamtype: "error", port: "80", requestid: `${"0".repeat(60)}${index}` }));
    expect(tap.problem).toBeUndefined();
    tap.fromClient(opener.open(9001, { streamtype: "error", port: "80", requestid: "one more" }));
    expect(tap.problem).toMatch(/lack their other one/);
  });

  it("hears each port of channels", () => {
    const sink = new Told();
    const tap = createWebSocketTap({ subprotocol: "v4.channel.k8s.io", purpose: "portforward", ports: sink.sinks.ports });
    const port = "\x90\x1f";
    const server = Buffer.concat([channel(0, port), channel(1, port), channel(0, "answer"), channel(1, "broken")].map((message) => webSocketFrame(2, message)));
    for (const byte of server) tap.fromServer(Buffer.from([byte]));
    tap.fromClient(masked(channel(0, "ask"), Buffer.from("mask")));
    expect(sink.connections).toEqual([{ port: 8080, requestId: "0", sent: 3, received: 6, error: "broken" }]);
  });
});

it("never throws, whatever passes", () => {
  const frames = fc.array(fc.tuple(fc.boolean(), fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 60 }), mask, fc.boolean()).map(([opcode, payload, key, client]) => (client ? masked(Buffer.from(payload), key, opcode) : webSocketFrame(opcode, Buffer.from(payload)))))), { maxLength: 20 });
  const protocol = fc.constantFrom("v5.channel.k8s.io", "base64.channel.k8s.io", "SPDY/3.1+portforward.k8s.io", "");
  fc.assert(
    fc.property(frames, protocol, fc.constantFrom("command" as const, "portforward" as const), (chunks, subprotocol, purpose) => {
      const { sinks } = new Told();
      const only = purpose === "command" ? { command: sinks.command } : { ports: sinks.ports };
      for (const tap of [createWebSocketTap({ subprotocol, purpose, ...only }), createSpdyTap({ protocol: subprotocol, ...only })]) {
        for (const [client, chunk] of chunks) {
          if (client) tap.fromClient(chunk);
          else tap.fromServer(chunk);
        }
      }
    }),
  );
});

it("a connection's header blocks may be compressed", () => {
  const sink = new Told();
  const plain = Buffer.concat([uint32(1, 10), Buffer.from("streamtype"), uint32(6), Buffer.from("stdout")]);
  const deflated = deflateRawSync(plain, { dictionary: spdyDictionary, finishFlush: 2 });
  const head = Buffer.from("78bbe3c6a7c2", "hex");
  head[1] = 0x20;
  head[1] += 31 - (head.readUInt16BE(0) % 31);
  const tap = createSpdyTap({ protocol: "v4.channel.k8s.io", ...sink.sinks });
  tap.fromClient(control(spdyType.synStream, Buffer.concat([uint32(1, 0), Buffer.alloc(2), head, deflated])));
  tap.fromServer(Buffer.concat([reply(1), data(1, "hello")]));
  expect([tap.problem, sink.lines]).toEqual([undefined, ["out:hello"]]);
});

describe("how a command ended", () => {
  it.each([
    ["", undefined],
    ['{"status":"Suc', undefined],
    ['{"metadata":{},"status":"Success"}', { success: true, exitCode: 0 }],
    [status, { success: false, exitCode: 7 }],
    ['{"status":"Failure","message":"container not found","reason":"NotFound"}', { success: false, message: "container not found" }],
    ["error executing in container: exit status 3", { success: false, exitCode: 3, message: "error executing in container: exit status 3" }],
    ['{"status":"Failure","details":{"causes":[null,{"reason":"ExitCode","message":"x"}]}}', { success: false }],
  ])("%j", (words, outcome) => expect(commandOutcome(words)).toEqual(outcome));
});
