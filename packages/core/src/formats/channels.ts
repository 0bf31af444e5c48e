import { maskByte, passUnmasked } from "./stream-sink.ts";
import { webSocketFrame, webSocketHeaderLength, webSocketOpcode, writeWebSocketHeader } from "./websocket-frames.ts";
import type { WebSocketSink } from "./websocket-frames.ts";

/**
 * Channels of exec and attach in a WebSocket (k8s.io/apimachinery/pkg/util/remotecommand): the first byte of each message. After `close`, of version
 * 5 on, comes the channel that its sender is done with.
 */
export const commandChannel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;

/** Takes bytes of a channel; they are a view that is valid during the call alone. */
export type Taker = (bytes: Uint8Array) => void;

/** What {@link createChannelReader} reads, as a part of a sink of frames. */
export interface ChannelReader extends Pick<WebSocketSink, "data"> {
  /** Channel of the message under way; -1 before its first byte. */
  readonly channel: number;
  /** Bytes of the message so far, its channel included. */
  readonly length: number;
  readonly reset: () => void;
}

/** Reads the first byte of each message, and gives the others to whoever takes that channel; `takerOf` is asked once a message. */
export function createChannelReader(base64: boolean, takerOf?: (channel: number) => Taker | undefined): ChannelReader {
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

/** A whole message of a channel. */
export function channelMessage(channel: number, bytes: Buffer, base64 = false): Buffer {
  if (base64) return webSocketFrame(webSocketOpcode.text, Buffer.from(String.fromCharCode(0x30 + channel) + bytes.toString("base64")));
  const message = Buffer.allocUnsafe(channelMessageLength(bytes.length));
  writeChannelMessage(message, 0, channel, bytes);
  return message;
}

/** Bytes that {@link writeChannelMessage} takes. */
export function channelMessageLength(length: number): number {
  return webSocketHeaderLength(length + 1) + 1 + length;
}

/** Writes the message of `channel` that carries `bytes` at `target[at…]`; returns where it ends. */
export function writeChannelMessage(target: Buffer, at: number, channel: number, bytes: Uint8Array): number {
  const start = writeWebSocketHeader(target, at, webSocketOpcode.binary, bytes.length + 1);
  target[start] = channel;
  target.set(bytes, start + 1);
  return start + 1 + bytes.length;
}
