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
  /** Why what somebody takes cannot be told, once it cannot. */
  readonly problem: string | undefined;
  readonly reset: () => void;
}

/** Reads the first byte of each message, and gives the others to whoever takes that channel; `takerOf` is asked once a message. */
export function createChannelReader(base64: boolean, takerOf?: (channel: number) => Taker | undefined): ChannelReader {
  let number = -1;
  let length = 0;
  let taker: Taker | undefined;
  let decoder: Base64Decoder | undefined;
  let problem: string | undefined;
  const check = (fits: boolean | undefined): void => {
    if (fits === false) problem ??= "a WebSocket message is not base64";
  };
  return {
    get channel() {
      return number;
    },
    get length() {
      return length;
    },
    get problem() {
      return problem;
    },
    data(chunk, start, end, mask, maskIndex) {
      if (end === start) return;
      const first = length === 0;
      length += end - start;
      if (first) {
        const byte = (chunk[start] ?? 0) ^ (mask === 0 ? 0 : maskByte(mask, maskIndex));
        number = byte - (base64 ? 0x30 : 0);
        const taken = takerOf?.(number);
        decoder = taken && base64 ? new Base64Decoder(taken) : undefined;
        taker = decoder ? (bytes) => check(decoder?.add(bytes)) : taken;
      }
      const skip = first ? 1 : 0;
      if (taker !== undefined) passUnmasked(chunk, start + skip, end, mask, maskIndex + skip, taker);
    },
    reset() {
      check(decoder?.whole);
      number = -1;
      length = 0;
      taker = undefined;
      decoder = undefined;
    },
  };
}

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Decodes the base64 of one message, cut anywhere. Takes the one way to write bytes and no other: API servers pass over line breaks and drop messages
 * that are wrong anywhere, `Buffer` passes over whatever it does not know, and what one of them drops the other would take.
 */
class Base64Decoder {
  readonly #take: Taker;
  #rest = "";
  #over = false;

  constructor(take: Taker) {
    this.#take = take;
  }

  /** Nothing is missing at its end. */
  get whole(): boolean {
    return this.#rest === "";
  }

  /** False for what is not base64. */
  add(bytes: Uint8Array): boolean {
    const text = this.#rest + Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    if (text !== "" && (this.#over || !base64Text.test(text))) return false;
    const whole = text.slice(0, text.length - (text.length % 4));
    this.#rest = text.slice(whole.length);
    this.#over = whole.endsWith("=");
    if (whole !== "") this.#take(Buffer.from(whole, "base64"));
    return true;
  }
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
