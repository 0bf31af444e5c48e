import { channelMessage, commandChannel, createChannelReader } from "./channels.ts";
import type { Taker } from "./channels.ts";
import { createResizeReader, noteError } from "./stream-sink.ts";
import type { CommandSink, PortConnection, StreamSinks } from "./stream-sink.ts";
import { endText, statusText } from "./stream-tap.ts";
import type { StreamEnd } from "./stream-tap.ts";
import { webSocketClose } from "./websocket-frames.ts";
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
/** Ports of one forward by channels: two channels each, of one byte. */
const maxPorts = 128;

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
        if (server.channel === commandChannel.error && server.length > 1) ended = true;
        server.reset();
      },
    },
    problem: () => client?.problem ?? server.problem,
    endFrames(end) {
      // Clients read the error channel to its end, and take only a normal close for that end.
      const close = webSocketClose(closeNormal, "");
      if (ended) return close;
      return Buffer.concat([channelMessage(commandChannel.error, Buffer.from(version >= 4 ? statusText(end) : endText(end)), base64), close]);
    },
  };
}

function serverTaker(command: CommandSink, number: number): Taker | undefined {
  if (number === commandChannel.stdout) return command.stdout;
  if (number === commandChannel.stderr) return command.stderr;
  return number === commandChannel.error ? command.error : undefined;
}

function clientTakers(command: CommandSink, version: number): (number: number) => Taker | undefined {
  const resize = command.resized && createResizeReader(command.resized);
  const done: Taker = (bytes) => {
    if (bytes[0] === commandChannel.stdin) command.ended?.("stdin");
  };
  return (number) => {
    if (number === commandChannel.stdin) return command.stdin;
    if (number === commandChannel.resize) return resize;
    return number === commandChannel.close && version >= 5 ? done : undefined;
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
    problem: () => client?.problem ?? server.problem,
    endFrames(end) {
      return Buffer.concat([...[...errorChannels].map((number) => channelMessage(number, Buffer.from(endText(end)), base64)), webSocketClose(closePolicy, endText(end))]);
    },
  };
}
