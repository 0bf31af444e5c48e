/** Types of SPDY/3.1 control frames (draft 3.1 §2.6); 0 stands for a data frame. */
export const spdyType = {
  data: 0,
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** Frame flag: the sender is done with this stream. */
export const spdyFin = 0x01;
/** SYN_STREAM flag: the other end may not send. */
export const spdyUnidirectional = 0x02;

const headerLength = 8;
const version = 3;
const maxControlPayload = 64 * 1024;
const known: ReadonlySet<number> = new Set(Object.values(spdyType));

/** One whole frame as it passed. */
export interface SpdyFrame {
  /** One of {@link spdyType}. */
  readonly type: number;
  readonly flags: number;
  /** Of a data frame; 0 for a control frame, whose payload names it. */
  readonly streamId: number;
  /** Of control frames that were asked for; empty for all others. */
  readonly payload: Buffer;
}

const empty = Buffer.alloc(0);

/** Called with parts of data frames as they pass: `chunk[start…end)`, masked with `mask` from its byte `maskIndex` on. */
export type SpdyDataSink = (streamId: number, chunk: Uint8Array, start: number, end: number, mask: number, maskIndex: number) => void;

/** Finds the frames of one direction of a SPDY connection in chunks split anywhere. Only headers, and the payloads asked for, are read. */
export class SpdyFrames {
  /** What was malformed, once something was; nothing is read afterwards. */
  problem: string | undefined;
  /** Bytes of data frames so far. */
  carried = 0;
  readonly #wanted: ReadonlySet<number>;
  readonly #onFrame: (frame: SpdyFrame) => void;
  readonly #onData: SpdyDataSink | undefined;
  readonly #header = Buffer.alloc(headerLength);
  #headerFill = 0;
  /** Payload bytes still to come of the frame under way. */
  #left = 0;
  #payload: Buffer = empty;

  /** `onFrame` is called at the end of each frame; it and `onData` may throw: the message becomes the problem. */
  constructor(wanted: readonly number[], onFrame: (frame: SpdyFrame) => void, onData?: SpdyDataSink) {
    this.#wanted = new Set(wanted);
    this.#onFrame = onFrame;
    this.#onData = onData;
  }

  /** Stands between two frames. */
  get atBoundary(): boolean {
    return this.problem === undefined && this.#headerFill === 0;
  }

  /**
   * Reads `chunk[start…end)`, masked with `mask` from its byte `maskIndex` on (RFC 6455 §5.3; 0 for none).
   * Returns the last offset at which a frame ended, or -1.
   */
  feed(chunk: Uint8Array, start: number, end: number, mask = 0, maskIndex = 0): number {
    let boundary = -1;
    let at = start;
    while (at < end && this.problem === undefined) {
      if (this.#headerFill < headerLength) {
        this.#header[this.#headerFill++] = unmask(chunk[at] ?? 0, mask, maskIndex + at - start);
        at++;
        if (this.#headerFill === headerLength) this.#begin();
      } else {
        const length = Math.min(this.#left, end - at);
        if (!isControl(this.#header)) {
          this.carried += length;
          this.#data(chunk, at, at + length, mask, maskIndex + at - start);
        }
        if (this.#payload.length > 0) this.#gather(chunk, at, length, mask, maskIndex + at - start);
        at += length;
        this.#left -= length;
      }
      if (this.#headerFill === headerLength && this.#left === 0) {
        this.#finish();
        boundary = at;
      }
    }
    return this.problem === undefined ? boundary : -1;
  }

  #begin(): void {
    const header = this.#header;
    this.#left = header.readUIntBE(5, 3);
    if (!isControl(header)) return;
    const type = header.readUInt16BE(2);
    if ((header.readUInt16BE(0) & 0x7fff) !== version || !known.has(type) || type === spdyType.data) {
      this.problem = "not a SPDY/3.1 frame";
    } else if (this.#left > maxControlPayload) {
      this.problem = "a SPDY control frame is too large";
    } else if (this.#wanted.has(type)) {
      this.#payload = Buffer.allocUnsafe(this.#left);
    }
  }

  #data(chunk: Uint8Array, start: number, end: number, mask: number, maskIndex: number): void {
    try {
      this.#onData?.(this.#header.readUInt32BE(0), chunk, start, end, mask, maskIndex);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error);
  }

  #gather(chunk: Uint8Array, at: number, length: number, mask: number, maskIndex: number): void {
    const filled = this.#payload.length - this.#left;
    for (let index = 0; index < length; index++) {
      this.#payload[filled + index] = unmask(chunk[at + index] ?? 0, mask, maskIndex + index);
    }
  }

  #finish(): void {
    if (this.problem !== undefined) return;
    const header = this.#header;
    const control = isControl(header);
    const frame: SpdyFrame = {
      type: control ? header.readUInt16BE(2) : spdyType.data,
      flags: header.readUInt8(4),
      streamId: control ? 0 : header.readUInt32BE(0),
      payload: this.#payload,
    };
    this.#headerFill = 0;
    this.#payload = empty;
    try {
      this.#onFrame(frame);
    } catch (error) {
      this.#fail(error);
    }
  }
}

/** A data frame. */
export function spdyDataFrame(streamId: number, payload: Uint8Array, fin: boolean): Buffer {
  const frame = Buffer.allocUnsafe(headerLength + payload.length);
  frame.writeUInt32BE(streamId, 0);
  frame.writeUInt8(fin ? spdyFin : 0, 4);
  frame.writeUIntBE(payload.length, 5, 3);
  frame.set(payload, headerLength);
  return frame;
}

/** A control frame (draft 3.1 §2.2.1). */
export function spdyControlFrame(type: number, flags: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(headerLength + payload.length);
  frame.writeUInt16BE(0x8000 | version, 0);
  frame.writeUInt16BE(type, 2);
  frame.writeUInt8(flags, 4);
  frame.writeUIntBE(payload.length, 5, 3);
  payload.copy(frame, headerLength);
  return frame;
}

function isControl(header: Buffer): boolean {
  return (header.readUInt8(0) & 0x80) !== 0;
}

function unmask(byte: number, mask: number, index: number): number {
  return byte ^ ((mask >>> (24 - 8 * (index & 3))) & 0xff);
}
