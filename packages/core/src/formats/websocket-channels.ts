import { createResizeReader, maskByte, noteError, passUnmasked } from "./stream-sink.ts";
import type { CommandSink, PortConnection, StreamSinks } from "./stream-sink.ts";
import { statusText } from "./stream-tap.ts";
import type { StreamEnd } from "./stream-tap.ts";
import { webSocketClose, webSocketFrame, webSocketOpcode } from "./websocket-frames.ts";
import type { WebSocketSink } from "./websocket-frames.ts";

/** One way of carrying Kubernetes streams in a WebSocket. */
export interface Carrier {
  readonly client?: Pick<WebSocketSink, "data"> & Partial<Pick<WebSocketSink, "messageEnd">>;
  readonly server?: Pick<WebSocketSink, "data" | "messageEnd">;
  /** Stands between two frames of what is carried. */
  readonly atBoundary?: () => boolean;
  readonly problem?: () => string | undefined;
  /** Bytes of payload of what is carried, where that is not simply the messages. */
  readonly carried?: () => number;
  endFrames(end: StreamEnd): Buffer | undefined;
}

/** A subprotocol of channels: a message is one channel byte (or digit, in base64) and its bytes. */
export interface Channels {
  readonly base64: boolean;
  readonly version: number;
}

const closeNormal = 1000;
const closePolicy = 1008;
const channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
/** Ports of one forward by channels: two channels each, of one byte. */
const maxPorts = 128;

type Taker = (bytes: Uint8Array) => void;

/** exec and attach: channel 3 carries how the command ended; from version 5 on 255 says that a channel is done. */
export function commandChannels(channels: Channels, { command }: StreamSinks): Carrier {
  const { base64, version } = channels;
  const server = createChannelReader(base64, command && ((number) => serverTaker(command, number)));
  const client = command && createChannelReader(base64, clientTakers(command, version));
  let ended = false;
  return {
    ...(client && { client: { data: client.data, messageEnd: client.reset } }),
    server: {
      data: server.data,
      messageEnd: () => {
        if (server.channel === channel.error && server.length > 1) ended = true;
        server.reset();
      },
    },
    endFrames(end) {
      // Clients read the error channel to its end, and take only a normal close for that end.
      const close = webSocketClose(closeNormal, "");
      if (ended) return close;
      return Buffer.concat([channelMessage(channel.error, version >= 4 ? statusText(end) : end.message, base64), close]);
    },
  };
}

function serverTaker(command: CommandSink, number: number): Taker | undefined {
  if (number === channel.stdout) return command.stdout;
  if (number === channel.stderr) return command.stderr;
  return number === channel.error ? command.error : undefined;
}

function clientTakers(command: CommandSink, version: number): (number: number) => Taker | undefined {
  const resize = command.resized && createResizeReader(command.resized);
  const done: Taker = (bytes) => {
    if (bytes[0] === channel.stdin) command.ended?.("stdin");
  };
  return (number) => {
    if (number === channel.stdin) return command.stdin;
    if (number === channel.resize) return resize;
    return number === channel.close && version >= 5 ? done : undefined;
  };
}

/** Port-forward by channels: two for each port, data and error; the server opens each with a message that names the port. */
export function portChannels({ base64 }: Channels, { ports }: StreamSinks): Carrier {
  const errorChannels = new Set<number>();
  const connections = new Map<number, PortConnection>();
  /** Bytes of the message that opens a channel. */
  const openings = new Map<number, number[]>();
  const fromServer = (number: number): Taker | undefined => {
    const connection = connections.get(number >> 1);
    const opening = openings.get(number) ?? [];
    if (opening.length < 2 && openings.size <= 2 * maxPorts) {
      openings.set(number, opening);
      return (bytes) => {
        for (const byte of bytes) if (opening.length < 2) opening.push(byte);
        if (opening.length === 2 && number % 2 === 0 && !connections.has(number >> 1)) open(number >> 1, (opening[0] ?? 0) | ((opening[1] ?? 0) << 8));
      };
    }
    if (connection === undefined) return undefined;
    if (number % 2 === 1) return (bytes) => noteError(connection, bytes);
    return (bytes) => {
      connection.received += bytes.length;
    };
  };
  const open = (index: number, port: number): void => {
    const connection: PortConnection = { port, requestId: String(index), sent: 0, received: 0, error: "" };
    connections.set(index, connection);
    ports?.opened(connection);
  };
  const server = createChannelReader(base64, ports && fromServer);
  const client =
    ports &&
    createChannelReader(base64, (number) => {
      const connection = number % 2 === 0 ? connections.get(number >> 1) : undefined;
      return connection && ((bytes) => void (connection.sent += bytes.length));
    });
  return {
    ...(client && { client: { data: client.data, messageEnd: client.reset } }),
    server: {
      data: server.data,
      messageEnd: () => {
        if (server.channel % 2 === 1) errorChannels.add(server.channel);
        server.reset();
      },
    },
    endFrames(end) {
      return Buffer.concat([...[...errorChannels].map((number) => channelMessage(number, end.message, base64)), webSocketClose(closePolicy, end.message)]);
    },
  };
}

interface ChannelReader extends Pick<WebSocketSink, "data"> {
  /** Channel of the message under way; -1 before its first byte. */
  readonly channel: number;
  /** Bytes of the message so far, its channel included. */
  readonly length: number;
  readonly reset: () => void;
}

/** Reads the first byte of each message, and gives the others to whoever takes that channel; `takerOf` is asked once a message. */
function createChannelReader(base64: boolean, takerOf?: (channel: number) => Taker | undefined): ChannelReader {
  let number = -1;
  let length = 0;
  let taker: Taker | undefined;
  return {
    get channel() {
      return number;
    },
    get length() {
      return length;
    },
    data(chunk, start, end, mask, maskIndex) {
      if (end === start) return;
      const first = length === 0;
      length += end - start;
      if (first) {
        const byte = (chunk[start] ?? 0) ^ (mask === 0 ? 0 : maskByte(mask, maskIndex));
        number = byte - (base64 ? 0x30 : 0);
        const taken = takerOf?.(number);
        taker = taken && base64 ? fromBase64(taken) : taken;
      }
      const skip = first ? 1 : 0;
      if (taker !== undefined) passUnmasked(chunk, start + skip, end, mask, maskIndex + skip, taker);
    },
    reset() {
      number = -1;
      length = 0;
      taker = undefined;
    },
  };
}

/** Decodes base64 cut anywhere; of a text that is not whole groups of four the rest is left. */
function fromBase64(take: Taker): Taker {
  let rest = "";
  return (bytes) => {
    const text = rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const whole = text.length - (text.length % 4);
    rest = text.slice(whole);
    const decoded = Buffer.from(text.slice(0, whole), "base64");
    if (decoded.length > 0) take(decoded);
  };
}

function channelMessage(number: number, text: string, base64: boolean): Buffer {
  if (base64) return webSocketFrame(webSocketOpcode.text, Buffer.from(String.fromCharCode(0x30 + number) + Buffer.from(text).toString("base64")));
  return webSocketFrame(webSocketOpcode.binary, Buffer.concat([Buffer.from([number]), Buffer.from(text)]));
}
