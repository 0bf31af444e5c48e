import { createSpdySpans } from "./spdy.ts";
import type { StreamSinks } from "./stream-sink.ts";
import { endText } from "./stream-tap.ts";
import type { StreamTap } from "./stream-tap.ts";
import { commandChannels, portChannels } from "./websocket-channels.ts";
import type { Carrier, Channels } from "./websocket-channels.ts";
import { WebSocketFrames, webSocketClose, webSocketFrame, webSocketOpcode } from "./websocket-frames.ts";
import type { WebSocketSink } from "./websocket-frames.ts";

/** What a tapped WebSocket carries. */
export interface WebSocketTapOptions extends StreamSinks {
  /** `Sec-WebSocket-Protocol` of the server's 101, `""` if none: `v5.channel.k8s.io`, `SPDY/3.1+portforward.k8s.io`, … */
  readonly subprotocol: string;
  /**
   * What the upgrade is for; it tells which channels carry errors. `other` (a pod's own WebSocket) gets a close frame with the reason.
   */
  readonly purpose: "command" | "portforward" | "other";
}

const closePolicy = 1008;

/** Whether a tap can tell what this WebSocket carries; where it cannot, a sink hears nothing. */
export function isWebSocketKnown(options: WebSocketTapOptions): boolean {
  return isTunnel(options) || channelsOf(options) !== undefined;
}

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
  const whole = (options.command !== undefined || options.ports !== undefined) && channelsOf(options) !== undefined;
  const client = new WebSocketFrames("from client", sink(carrier.client, ignore), { extensions, whole });
  const server = new WebSocketFrames(
    "from server",
    sink(carrier.server, () => {
      serverClosed = true;
    }),
    { extensions },
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

function carrierOf(options: WebSocketTapOptions): Carrier {
  if (isTunnel(options)) return spdyTunnel(options);
  const channels = channelsOf(options);
  if (channels === undefined) return { endFrames: (end) => webSocketClose(closePolicy, endText(end)) };
  return options.purpose === "portforward" ? portChannels(channels, options) : commandChannels(channels, options);
}

function isTunnel({ subprotocol, purpose }: WebSocketTapOptions): boolean {
  return purpose === "portforward" && subprotocol === "SPDY/3.1+portforward.k8s.io";
}

/** How Kubernetes channels are written in this subprotocol; undefined where it has none. */
function channelsOf({ subprotocol, purpose }: WebSocketTapOptions): Channels | undefined {
  if (purpose === "other") return undefined;
  const channels = /^(?:v(\d+)\.)?(base64\.)?channel\.k8s\.io$/.exec(subprotocol === "" ? "channel.k8s.io" : subprotocol);
  return channels === null ? undefined : { base64: channels[2] !== undefined, version: Number(channels[1] ?? "1") };
}

/** Port-forward of kubectl 1.31 and later: a SPDY connection, cut into binary messages anywhere. */
function spdyTunnel({ ports }: WebSocketTapOptions): Carrier {
  const spans = createSpdySpans({ protocol: "portforward.k8s.io", ports });
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
