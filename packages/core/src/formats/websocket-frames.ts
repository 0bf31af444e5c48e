import { passUnmasked } from "./stream-sink.ts";

/** Opcodes of RFC 6455 §5.2. */
export const webSocketOpcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const fin = 0x80;
const reserved = 0x70;
const masked = 0x80;
const maxControlPayload = 125;
const maxHeader = 14;

/** Called for parts of a message as they pass. */
export interface WebSocketSink {
  /** Payload bytes `chunk[start…end)` of a text or binary message; masked with `mask` from its byte `maskIndex` on. */
  data(chunk: Uint8Array, start: number, end: number, mask: number, maskIndex: number): void;
  /** A text or binary message is complete. */
  messageEnd(): void;
  /** A close frame is complete. */
  closed(): void;
  /** A control frame is complete: a close (before {@link WebSocketSink.closed}), ping or pong, with its payload unmasked. */
  control?(opcode: number, payload: Buffer): void;
}

/** Finds the frames of one direction of a WebSocket in chunks split anywhere (RFC 6455 §5). Only headers are read. */
export class WebSocketFrames {
  /** What was malformed, once something was; nothing is read afterwards. */
  problem: string | undefined;
  /** Bytes of text and binary messages so far. */
  carried = 0;
  readonly #sink: WebSocketSink;
  readonly #fromClient: boolean;
  readonly #extensions: boolean;
  readonly #whole: boolean;
  readonly #header = Buffer.alloc(maxHeader);
  #headerFill = 0;
  /** Length of the header under way; 2 until its first bytes tell. */
  #headerLength = 2;
  #left = 0;
  #length = 0;
  #mask = 0;
  /** Inside a message of several frames. */
  #fragmented = false;
  #closed = false;
  /** Payload of the control frame under way, where somebody wants it. */
  readonly #control: Buffer | undefined;

  /**
   * `extensions`: frames may use the reserved bits, as those of a compressed message do. `whole`: no message may come in fragments; API servers
   * take each fragment of a channel's message for a message of its own, so that what it means depends on who reads it.
   */
  constructor(direction: "from client" | "from server", sink: WebSocketSink, options: { readonly extensions: boolean; readonly whole?: boolean }) {
    this.#fromClient = direction === "from client";
    this.#sink = sink;
    if (sink.control !== undefined) this.#control = Buffer.alloc(maxControlPayload);
    this.#extensions = options.extensions;
    this.#whole = options.whole ?? false;
  }

  /** Stands between two messages. */
  get atBoundary(): boolean {
    return this.problem === undefined && this.#headerFill === 0 && !this.#fragmented;
  }

  /** Reads a chunk. `onBoundary` is called with each offset at which a frame of our own may stand. */
  feed(chunk: Uint8Array, onBoundary?: (offset: number) => void): void {
    let at = 0;
    while (at < chunk.length && this.problem === undefined) {
      if (this.#headerFill < this.#headerLength) {
        this.#header[this.#headerFill++] = chunk[at++] ?? 0;
        if (this.#headerFill === 2) this.#begin();
        if (this.#headerFill === this.#headerLength) this.#read();
      } else {
        const length = Math.min(this.#left, chunk.length - at);
        if (!isControl(this.#header)) {
          this.carried += length;
          this.#sink.data(chunk, at, at + length, this.#mask, this.#length - this.#left);
        } else if (this.#control !== undefined) {
          const filled = this.#length - this.#left;
          passUnmasked(chunk, at, at + length, this.#mask, filled, (bytes) => this.#control?.set(bytes, filled));
        }
        at += length;
        this.#left -= length;
      }
      if (this.#headerFill === this.#headerLength && this.#left === 0) {
        this.#finish();
        if (this.atBoundary) onBoundary?.(at);
      }
    }
  }

  /** The first two bytes tell how long the header is. */
  #begin(): void {
    const first = this.#header.readUInt8(0);
    const second = this.#header.readUInt8(1);
    const opcode = first & 0x0f;
    const short = second & 0x7f;
    const control = isControl(this.#header);
    if (this.#closed) this.problem = "a WebSocket frame follows the close frame";
    else if (!this.#extensions && (first & reserved) !== 0) this.problem = "a WebSocket frame uses an extension";
    else if (control ? opcode > webSocketOpcode.pong : opcode > webSocketOpcode.binary) this.problem = "a WebSocket frame has an unknown type";
    else if (((second & masked) !== 0) !== this.#fromClient) this.problem = this.#fromClient ? "a WebSocket frame of the client is not masked" : "a WebSocket frame of the server is masked";
    else if (control && ((first & fin) === 0 || short > maxControlPayload)) this.problem = "a WebSocket control frame is too large";
    else if (this.#whole && !control && (first & fin) === 0) this.problem = "a WebSocket message of the client is in fragments";
    else if (!control && (opcode === webSocketOpcode.continuation) !== this.#fragmented) this.problem = "WebSocket messages are mixed up";
    this.#headerLength = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (this.#fromClient ? 4 : 0);
  }

  #read(): void {
    const header = this.#header;
    const short = header.readUInt8(1) & 0x7f;
    this.#length = short === 126 ? header.readUInt16BE(2) : short === 127 ? header.readUInt32BE(2) * 2 ** 32 + header.readUInt32BE(6) : short;
    if (!Number.isSafeInteger(this.#length)) this.problem = "a WebSocket frame is too large";
    this.#left = this.#length;
    this.#mask = this.#fromClient ? header.readUInt32BE(this.#headerLength - 4) : 0;
  }

  #finish(): void {
    if (this.problem !== undefined) return;
    const first = this.#header.readUInt8(0);
    this.#headerFill = 0;
    this.#headerLength = 2;
    if (!isControl(this.#header)) {
      this.#fragmented = (first & fin) === 0;
      if (!this.#fragmented) this.#sink.messageEnd();
      return;
    }
    if (this.#control !== undefined) this.#sink.control?.(first & 0x0f, Buffer.from(this.#control.subarray(0, this.#length)));
    if ((first & 0x0f) !== webSocketOpcode.close) return;
    this.#closed = true;
    this.#sink.closed();
  }
}

/** Length of the header of an unmasked frame. */
export function webSocketHeaderLength(payloadLength: number): number {
  return payloadLength < 126 ? 2 : payloadLength < 65_536 ? 4 : 10;
}

/** Writes the header of a whole, unmasked frame at `target[at…]`; returns where its payload goes. */
export function writeWebSocketHeader(target: Buffer, at: number, opcode: number, payloadLength: number): number {
  target.writeUInt8(fin | opcode, at);
  if (payloadLength < 126) {
    target.writeUInt8(payloadLength, at + 1);
  } else if (payloadLength < 65_536) {
    target.writeUInt8(126, at + 1);
    target.writeUInt16BE(payloadLength, at + 2);
  } else {
    target.writeUInt8(127, at + 1);
    target.writeBigUInt64BE(BigInt(payloadLength), at + 2);
  }
  return at + webSocketHeaderLength(payloadLength);
}

/** A whole, unmasked frame: what a server sends. */
export function webSocketFrame(opcode: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(webSocketHeaderLength(payload.length) + payload.length);
  payload.copy(frame, writeWebSocketHeader(frame, 0, opcode, payload.length));
  return frame;
}

/** A close frame; the reason is cut to what a control frame holds. */
export function webSocketClose(code: number, reason: string): Buffer {
  const status = Buffer.alloc(2);
  status.writeUInt16BE(code);
  let text = Buffer.from(reason).subarray(0, maxControlPayload - 2);
  // Not in the middle of a character.
  while (text.length > 0 && !Buffer.from(text.toString()).equals(text)) text = text.subarray(0, -1);
  return webSocketFrame(webSocketOpcode.close, Buffer.concat([status, text]));
}

function isControl(header: Buffer): boolean {
  return (header.readUInt8(0) & 0x08) !== 0;
}
