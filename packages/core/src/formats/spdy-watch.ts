import { GatehouseError } from "../base/index.ts";
import { createResizeReader, noteError, passUnmasked } from "./stream-sink.ts";
import type { CommandSink, CommandStream, PortConnection, PortSink, StreamSinks } from "./stream-sink.ts";

type Side = "client" | "server";

/** Turns what happens to the streams of one SPDY connection into the terms of what they carry. May throw: the connection is then not what it should be. */
export interface SpdyWatch {
  opened(id: number, headers: ReadonlyMap<string, string>): void;
  /** The server has taken this stream. */
  replied(id: number): void;
  data(from: Side, id: number, chunk: Uint8Array, start: number, end: number, mask: number, maskIndex: number): void;
  /** One side is done sending on this stream. */
  finished(id: number, by: Side): void;
  /** Both sides are done with this stream, or one has `reset` it. */
  closed(id: number, reset: boolean): void;
}

/** Undefined where nobody is told anything. */
export function createSpdyWatch({ command, ports }: StreamSinks): SpdyWatch | undefined {
  if (command !== undefined) return watchCommand(command);
  return ports === undefined ? undefined : watchPorts(ports);
}

/** Go joins repeated values with NUL, and its servers look at the first. */
function first(headers: ReadonlyMap<string, string>, name: string): string {
  return headers.get(name)?.split("\0", 1)[0] ?? "";
}

type Taker = (bytes: Uint8Array) => void;

/** Where the bytes of one stream of a command go, and who sends them; never forgotten, as what a client has reset may still arrive. */
interface CommandEntry {
  readonly from: Side;
  readonly take: Taker | undefined;
  readonly stream: CommandStream | undefined;
  replied: boolean;
  ended: boolean;
}

function watchCommand(sink: CommandSink): SpdyWatch {
  const entries = new Map<number, CommandEntry>();
  const types = new Set<string>();
  const entryOf = (type: string): CommandEntry => {
    switch (type) {
      case "stdin":
        return { from: "client", take: sink.stdin, stream: type, replied: false, ended: false };
      case "stdout":
      case "stderr":
        return { from: "server", take: sink[type], stream: type, replied: false, ended: false };
      case "error":
        return { from: "server", take: sink.error, stream: undefined, replied: false, ended: false };
      case "resize":
        return { from: "client", take: sink.resized && createResizeReader(sink.resized), stream: undefined, replied: false, ended: false };
      default:
        throw new GatehouseError("bad_parameter", "a SPDY stream is of a type that no command has");
    }
  };
  return {
    opened(id, headers) {
      const type = first(headers, "streamtype");
      const entry = entryOf(type);
      // Of two the kubelet reads one; what is written to the other would be told as if the command got it.
      if (types.has(type)) throw new GatehouseError("bad_parameter", `a command opens a second SPDY stream for ${type}`);
      types.add(type);
      entries.set(id, entry);
    },
    replied(id) {
      const entry = entries.get(id);
      if (entry !== undefined) entry.replied = true;
    },
    data(from, id, chunk, start, end, mask, maskIndex) {
      const entry = entries.get(id);
      if (entry?.take === undefined || entry.from !== from) return;
      // Servers drop it; told, it would stand before what the command gets. Clients wait.
      if (from === "client" && !entry.replied) throw new GatehouseError("bad_parameter", "a client writes to a SPDY stream of a command before the server has taken it");
      passUnmasked(chunk, start, end, mask, maskIndex, entry.take);
    },
    finished(id, by) {
      const entry = entries.get(id);
      if (entry?.stream === undefined || entry.ended || entry.from !== by) return;
      entry.ended = true;
      sink.ended?.(entry.stream);
    },
    closed: () => undefined,
  };
}

/** Characters of a request id, and of a port or type of stream; streams of a port-forward whose other one has not been opened. */
const maxRequestId = 64;
const maxWord = 16;
const maxUnpaired = 256;

/** A forwarded connection: a pair of streams that share a request id. */
interface Pair {
  readonly connection: PortConnection;
  data: number | undefined;
  error: number | undefined;
}

function watchPorts(sink: PortSink): SpdyWatch {
  const byStream = new Map<number, Pair>();
  const waiting = new Map<string, Pair>();
  return {
    opened(id, headers) {
      for (const [name, most] of [["requestid", maxRequestId], ["port", maxWord], ["streamtype", maxWord]] as const) {
        if ((headers.get(name)?.length ?? 0) > most) throw new GatehouseError("limit_exceeded", `the ${name} of a SPDY stream has more than ${most} characters`);
      }
      const type = first(headers, "streamtype");
      if (type !== "data" && type !== "error") return;
      // Old clients give none: their error stream comes right before the data stream.
      const requestId = first(headers, "requestid") || String(type === "error" ? id : id - 2);
      const pair: Pair = waiting.get(requestId) ?? { connection: { port: Number(first(headers, "port")) || 0, requestId, sent: 0, received: 0, error: "" }, data: undefined, error: undefined };
      if (pair[type] !== undefined) throw new GatehouseError("bad_parameter", "two SPDY streams of a port-forward claim one connection");
      pair[type] = id;
      byStream.set(id, pair);
      if (pair.data !== undefined && pair.error !== undefined) waiting.delete(requestId);
      else if (waiting.size < maxUnpaired) waiting.set(requestId, pair);
      else throw new GatehouseError("limit_exceeded", `more than ${maxUnpaired} SPDY streams of a port-forward lack their other one`);
      if (type === "data") sink.opened(pair.connection);
    },
    replied: () => undefined,
    data(from, id, chunk, start, end, mask, maskIndex) {
      const pair = byStream.get(id);
      if (pair === undefined) return;
      const { connection } = pair;
      if (id === pair.data) {
        if (from === "client") connection.sent += end - start;
        else connection.received += end - start;
      } else if (from === "server") {
        passUnmasked(chunk, start, end, mask, maskIndex, (bytes) => noteError(connection, bytes));
      }
    },
    finished: () => undefined,
    closed(id, reset) {
      const pair = byStream.get(id);
      if (pair === undefined) return;
      byStream.delete(id);
      const { data, error, connection } = pair;
      const isData = id === data;
      // What is wrong may be told after the data has ended; not after it was reset.
      if (isData && (reset || error === undefined || !byStream.has(error))) {
        if (error !== undefined) byStream.delete(error);
        end(connection);
      } else if (!isData && data !== undefined && !byStream.has(data)) {
        end(connection);
      } else if (!isData && data === undefined) {
        waiting.delete(connection.requestId);
      }
    },
  };

  function end(connection: PortConnection): void {
    if (waiting.get(connection.requestId)?.connection === connection) waiting.delete(connection.requestId);
    sink.closed(connection);
  }
}
