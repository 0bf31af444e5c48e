import { createSpdySpans } from "./spdy.ts";
import { statusText } from "./stream-tap.ts";
import type { StreamEnd, StreamTap } from "./stream-tap.ts";
import { WebSocketFrames, webSocketClose, webSocketFrame, webSocketOpcode } from "./websocket-frames.ts";
import type { WebSocketSink } from "./websocket-frames.ts";

/** What a tapped WebSocket carries. */
export interface WebSocketTapOptions {
  /** `Sec-WebSocket-Protocol` of the server's 101, `""` if none: `v5.channel.k8s.io`, `SPDY/3.1+portforward.k8s.io`, … */
  readonly subprotocol: string;
  /**
   * What the upgrade is for; it tells which channels carry errors. `other` (a pod's own WebSocket) gets a close frame with the reason.
   */
  readonly purpose: "command" | "portforward" | "other";
}

/** One way of carrying Kubernetes streams in a WebSocket. */
interface Carrier {
  readonly client?: Pick<WebSocketSink, "data">;
  readonly server?: Pick<WebSocketSink, "data" | "messageEnd">;
  /** Stands between two frames of what is carried. */
  readonly atBoundary?: () => boolean;
  readonly problem?: () => string | undefined;
  /** Bytes of payload of what is carried, where that is not simply the messages. */
  readonly carried?: () => number;
  endFrames(end: StreamEnd): Buffer | undefined;
}

const closeNormal = 1000;
const closePolicy = 1008;
const errorChannel = 3;

/** {@link StreamTap} of a WebSocket: Kubernetes channels, SPDY in a tunnel, or a pod's own. */
export function createWebSocketTap(options: WebSocketTapOptions): StreamTap {
  const carrier = carrierOf(options);
  let serverClosed = false;
  const sink = (part: Partial<WebSocketSink> | undefined, closed: () => void): WebSocketSink => ({
    data: part?.data ?? ignore,
    messageEnd: part?.messageEnd ?? ignore,
    closed,
  });
  // Kubernetes' own protocols know no extension; what a pod negotiates is its own affair.
  const extensions = options.purpose === "other";
  const client = new WebSocketFrames("from client", sink(carrier.client, ignore), extensions);
  const server = new WebSocketFrames(
    "from server",
    sink(carrier.server, () => {
      serverClosed = true;
    }),
    extensions,
  );
  const problem = (): string | undefined => client.problem ?? server.problem ?? carrier.problem?.();
  const atBoundary = (): boolean => problem() === undefined && server.atBoundary && (carrier.atBoundary?.() ?? true);
  let boundary = -1;
  const onBoundary = (offset: number): void => {
    if (carrier.atBoundary?.() ?? true) boundary = offset;
  };

  return {
    fromClient(chunk) {
      client.feed(chunk);
    },
    fromServer(chunk) {
      boundary = atBoundary() ? 0 : -1;
      server.feed(chunk, onBoundary);
      return problem() === undefined ? boundary : -1;
    },
    get atBoundary() {
      return atBoundary();
    },
    get carried() {
      return carrier.carried?.() ?? client.carried + server.carried;
    },
    get problem() {
      return problem();
    },
    endFrames: (end) => (serverClosed || problem() !== undefined ? undefined : carrier.endFrames(end)),
  };
}

function ignore(): void {
  return undefined;
}

function carrierOf({ subprotocol, purpose }: WebSocketTapOptions): Carrier {
  const channels = /^(?:v(\d+)\.)?(base64\.)?channel\.k8s\.io$/.exec(subprotocol === "" ? "channel.k8s.io" : subprotocol);
  if (purpose === "portforward" && subprotocol === "SPDY/3.1+portforward.k8s.io") return spdyTunnel();
  if (purpose === "other" || channels === null) return { endFrames: (end) => webSocketClose(closePolicy, end.message) };
  const base64 = channels[2] !== undefined;
  if (purpose === "portforward") return portChannels(base64);
  return commandChannels(base64, Number(channels[1] ?? "1") >= 4);
}

/** exec and attach: a message is one channel byte and its bytes; channel 3 carries how the command ended. */
function commandChannels(base64: boolean, asStatus: boolean): Carrier {
  const reader = createChannelReader(base64);
  let ended = false;
  return {
    server: {
      data: reader.data,
      messageEnd: () => {
        if (reader.channel === errorChannel && reader.length > 1) ended = true;
        reader.reset();
      },
    },
    endFrames(end) {
      // Clients read the error channel to its end, and take only a normal close for that end.
      const close = webSocketClose(closeNormal, "");
      if (ended) return close;
      return Buffer.concat([channelMessage(errorChannel, asStatus ? statusText(end) : end.message, base64), close]);
    },
  };
}

/** Port-forward by channels: two for each port, data and error; the server opens each with a message. */
function portChannels(base64: boolean): Carrier {
  const reader = createChannelReader(base64);
  const errorChannels = new Set<number>();
  return {
    server: {
      data: reader.data,
      messageEnd: () => {
        if (reader.channel % 2 === 1) errorChannels.add(reader.channel);
        reader.reset();
      },
    },
    endFrames(end) {
      return Buffer.concat([...[...errorChannels].map((channel) => channelMessage(channel, end.message, base64)), webSocketClose(closePolicy, end.message)]);
    },
  };
}

/** Port-forward of kubectl 1.31 and later: a SPDY connection, cut into binary messages anywhere. */
function spdyTunnel(): Carrier {
  const spans = createSpdySpans({ protocol: "portforward.k8s.io" });
  return {
    client: { data: (chunk, start, end, mask, maskIndex) => spans.client(chunk, start, end, mask, maskIndex) },
    server: {
      data: (chunk, start, end) => {
        spans.server(chunk, start, end);
      },
      messageEnd: ignore,
    },
    atBoundary: () => spans.atBoundary,
    problem: () => spans.problem,
    carried: () => spans.carried,
    endFrames(end) {
      const frames = spans.endFrames(end);
      return frames === undefined ? undefined : webSocketFrame(webSocketOpcode.binary, frames);
    },
  };
}

interface ChannelReader extends Pick<WebSocketSink, "data"> {
  /** Channel of the message under way; -1 before its first byte. */
  readonly channel: number;
  /** Bytes of the message so far, its channel included. */
  readonly length: number;
  reset(): void;
}

/** Reads the first byte of each message: a number, or in base64 protocols its digit. */
function createChannelReader(base64: boolean): ChannelReader {
  let channel = -1;
  let length = 0;
  return {
    get channel() {
      return channel;
    },
    get length() {
      return length;
    },
    data(chunk, start, end) {
      if (length === 0 && end > start) channel = (chunk[start] ?? 0) - (base64 ? 0x30 : 0);
      length += end - start;
    },
    reset() {
      channel = -1;
      length = 0;
    },
  };
}

function channelMessage(channel: number, text: string, base64: boolean): Buffer {
  if (base64) return webSocketFrame(webSocketOpcode.text, Buffer.from(String.fromCharCode(0x30 + channel) + Buffer.from(text).toString("base64")));
  return webSocketFrame(webSocketOpcode.binary, Buffer.concat([Buffer.from([channel]), Buffer.from(text)]));
}
