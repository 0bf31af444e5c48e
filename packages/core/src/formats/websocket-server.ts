import { WebSocketFrames, webSocketClose, webSocketFrame, webSocketOpcode } from "./websocket-frames.ts";
import type { WebSocketSink } from "./websocket-frames.ts";

/** Largest message that is taken; API servers have the same (golang.org/x/net/websocket). */
const maxMessage = 32 * 1024 * 1024;

/** Close codes of RFC 6455 §7.4.1. */
export const closeCode = { normal: 1000, goingAway: 1001, protocol: 1002, policy: 1008, tooBig: 1009 } as const;

/**
 * The server's end of a WebSocket: unmasks, joins fragments, answers pings and the close. Messages pass in pieces, as they come. Pure.
 */
export class WebSocketServer {
  /** The client has closed, or must not be listened to any longer; {@link WebSocketServer.feed} returned what closes it. */
  closed = false;
  readonly #frames: WebSocketFrames;
  #length = 0;
  #pong: Buffer | undefined;
  #close: Buffer | undefined;

  constructor(sink: Pick<WebSocketSink, "data" | "messageEnd">) {
    this.#frames = new WebSocketFrames(
      "from client",
      {
        data: (chunk, start, end, mask, maskIndex) => {
          this.#length += end - start;
          if (this.#length > maxMessage) this.#end(closeCode.tooBig, "the message is too large");
          if (!this.closed) sink.data(chunk, start, end, mask, maskIndex);
        },
        messageEnd: () => {
          this.#length = 0;
          if (!this.closed) sink.messageEnd();
        },
        control: (opcode, payload) => {
          if (opcode === webSocketOpcode.ping) this.#pong = webSocketFrame(webSocketOpcode.pong, payload);
          if (opcode === webSocketOpcode.close) this.#end(answerTo(payload), "");
        },
        closed: () => undefined,
      },
      { extensions: false },
    );
  }

  /** Reads a chunk. Returns the answer to the last ping in it, and what closes the connection. */
  feed(chunk: Uint8Array): { readonly pong: Buffer | undefined; readonly close: Buffer | undefined } {
    this.#pong = undefined;
    this.#close = undefined;
    this.#frames.feed(chunk);
    if (this.#frames.problem !== undefined) this.#end(closeCode.protocol, this.#frames.problem);
    return { pong: this.#pong, close: this.#close };
  }

  #end(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#close = webSocketClose(code, reason);
  }
}

/** The code that answers a close frame: the same where it is one that may be sent (RFC 6455 §7.4). */
function answerTo(payload: Buffer): number {
  if (payload.length === 0) return closeCode.normal;
  if (payload.length === 1) return closeCode.protocol;
  const code = payload.readUInt16BE(0);
  const sendable = (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);
  return sendable ? code : closeCode.protocol;
}

/** A ping without payload. */
export const webSocketPing: Buffer = webSocketFrame(webSocketOpcode.ping, Buffer.alloc(0));
