import { GatehouseError } from "../base/index.ts";
import { createSpdyHeaderReader } from "./spdy-headers.ts";
import { SpdyFrames, spdyDataFrame, spdyFin, spdyType, spdyUnidirectional } from "./spdy-frames.ts";
import type { SpdyDataSink, SpdyFrame } from "./spdy-frames.ts";
import { createSpdyWatch } from "./spdy-watch.ts";
import type { StreamSinks } from "./stream-sink.ts";
import { endText, statusText } from "./stream-tap.ts";
import type { StreamTap } from "./stream-tap.ts";

/** What a tapped SPDY connection carries. */
export interface SpdyTapOptions extends StreamSinks {
  /**
   * `X-Stream-Protocol-Version` of the server's 101, `""` if none: `v4.channel.k8s.io`, `portforward.k8s.io`.
   * From v4 on errors are `Status` JSON; before, and in port-forward, plain text.
   */
  readonly protocol: string;
}

/** One stream that the client opened and that is still open somewhere. */
interface Stream {
  readonly error: boolean;
  replied: boolean;
  clientDone: boolean;
  serverDone: boolean;
}

const maxStreams = 8192;
const empty = Buffer.alloc(0);

/** A tap, fed with spans of chunks that may be masked: what a WebSocket tunnel needs too. */
export interface SpdySpans extends Pick<StreamTap, "endFrames" | "atBoundary" | "carried" | "problem"> {
  client(chunk: Uint8Array, start: number, end: number, mask: number, maskIndex: number): void;
  server(chunk: Uint8Array, start: number, end: number): number;
}

/** {@link StreamTap} of a Kubernetes SPDY/3.1 connection (exec, attach, port-forward). */
export function createSpdyTap(options: SpdyTapOptions): StreamTap {
  const spans = createSpdySpans(options);
  return {
    fromClient(chunk) {
      spans.client(chunk, 0, chunk.length, 0, 0);
    },
    fromServer(chunk) {
      const before = spans.atBoundary ? 0 : -1;
      const boundary = spans.server(chunk, 0, chunk.length);
      return spans.problem === undefined ? Math.max(before, boundary) : -1;
    },
    get atBoundary() {
      return spans.atBoundary;
    },
    get carried() {
      return spans.carried;
    },
    get problem() {
      return spans.problem;
    },
    endFrames: (end) => spans.endFrames(end),
  };
}

/** {@link createSpdyTap} for spans of chunks. */
export function createSpdySpans(options: SpdyTapOptions): SpdySpans {
  const asStatus = /^v(?:[4-9]|[1-9]\d)\./.test(options.protocol);
  const streams = new Map<number, Stream>();
  const headers = createSpdyHeaderReader();
  const watch = createSpdyWatch(options);

  const settle = (id: number, stream: Stream): void => {
    if (!stream.clientDone || !stream.serverDone) return;
    streams.delete(id);
    watch?.closed(id, false);
  };
  const reset = (id: number): void => {
    if (streams.delete(id)) watch?.closed(id, true);
  };
  let lastId = 0;
  const open = (frame: SpdyFrame): void => {
    const id = streamIdOf(frame.payload);
    // Stream id, associated stream id, priority and slot come before the block.
    const pairs = headers.read(need(frame.payload, 10).subarray(10));
    // An id means one stream for as long as the connection lasts: opened again, it could be another thing to us than to the server.
    if (id % 2 === 0 || id <= lastId) throw new GatehouseError("bad_parameter", `SPDY stream ${String(id)} is opened twice, or out of order`);
    lastId = id;
    if (streams.size >= maxStreams) throw new GatehouseError("limit_exceeded", `more than ${String(maxStreams)} SPDY streams are open`);
    const stream: Stream = {
      error: pairs.get("streamtype") === "error",
      replied: false,
      clientDone: (frame.flags & spdyFin) !== 0,
      serverDone: (frame.flags & spdyUnidirectional) !== 0,
    };
    streams.set(id, stream);
    watch?.opened(id, pairs);
    if (stream.clientDone) watch?.finished(id, "client");
    settle(id, stream);
  };
  const data = (from: "client" | "server"): SpdyDataSink | undefined => watch && ((id, chunk, start, end, mask, maskIndex) => watch.data(from, id, chunk, start, end, mask, maskIndex));

  const client = new SpdyFrames([spdyType.synStream, spdyType.synReply, spdyType.headers, spdyType.rstStream], (frame) => {
    if (frame.type === spdyType.synStream) {
      open(frame);
      return;
    }
    if (frame.type === spdyType.rstStream) {
      reset(streamIdOf(frame.payload));
      return;
    }
    if (frame.type === spdyType.synReply || frame.type === spdyType.headers) {
      // Servers open nothing that could be answered, and read no more headers of a stream; but each costs us more than its sender.
      if (watch !== undefined) throw new GatehouseError("bad_parameter", "a SPDY client sends headers of a stream that it has not just opened");
      // Every block counts: they share one compression.
      headers.read(need(frame.payload, 4).subarray(4));
    }
    const id = frame.type === spdyType.data ? frame.streamId : frame.payload.length > 0 ? streamIdOf(frame.payload) : 0;
    const stream = streams.get(id);
    if (stream === undefined || (frame.flags & spdyFin) === 0) return;
    stream.clientDone = true;
    watch?.finished(id, "client");
    settle(id, stream);
  }, data("client"));

  const server = new SpdyFrames([spdyType.synReply, spdyType.headers, spdyType.rstStream], (frame) => {
    const control = frame.type !== spdyType.data;
    if (control && frame.payload.length === 0) return;
    const id = control ? streamIdOf(frame.payload) : frame.streamId;
    const stream = streams.get(id);
    if (stream === undefined) return;
    if (frame.type === spdyType.rstStream) {
      reset(id);
      return;
    }
    if (frame.type === spdyType.synReply) {
      stream.replied = true;
      watch?.replied(id);
    }
    if ((frame.flags & spdyFin) === 0) return;
    stream.serverDone = true;
    watch?.finished(id, "server");
    settle(id, stream);
  }, data("server"));

  return {
    client: (chunk, start, end, mask, maskIndex) => {
      client.feed(chunk, start, end, mask, maskIndex);
    },
    server: (chunk, start, end) => server.feed(chunk, start, end),
    get atBoundary() {
      return client.problem === undefined && server.atBoundary;
    },
    get carried() {
      return client.carried + server.carried;
    },
    get problem() {
      return client.problem ?? server.problem;
    },
    endFrames(end) {
      if ((client.problem ?? server.problem) !== undefined) return undefined;
      const live = [...streams].filter(([, stream]) => stream.replied && !stream.serverDone);
      const errors = live.filter(([, stream]) => stream.error);
      if (errors.length === 0) return undefined;
      const text = Buffer.from(asStatus ? statusText(end) : endText(end));
      // The reason first; then the end of output, without which clients go on reading.
      const others = live.filter(([, stream]) => !stream.error);
      return Buffer.concat([...errors.map(([id]) => spdyDataFrame(id, text, true)), ...others.map(([id]) => spdyDataFrame(id, empty, true))]);
    },
  };
}

function need(payload: Buffer, length: number): Buffer {
  if (payload.length < length) throw new GatehouseError("bad_parameter", "a SPDY control frame is too short");
  return payload;
}

/** The reserved bit is never set: who looks at it and who does not would mean two streams. */
function streamIdOf(payload: Buffer): number {
  const id = need(payload, 4).readUInt32BE(0);
  if (id > 0x7fffffff) throw new GatehouseError("bad_parameter", "a SPDY stream id has its reserved bit set");
  return id;
}
