import { createSpdyHeaderReader } from "../formats/spdy-headers.ts";
import { SpdyFrames, spdyControlFrame, spdyDataFrame, spdyType } from "../formats/spdy-frames.ts";

/** What a SPDY server sees of one stream. */
export interface ServedStream {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  received: Buffer;
  finished: boolean;
}

/** The server's end of a SPDY connection, as a kubelet has it; `send` takes what it says. Replies to streams by itself unless `silent`. */
export class SpdyServerPeer {
  readonly streams = new Map<number, ServedStream>();
  readonly pings: number[] = [];
  readonly #send: (bytes: Buffer) => void;
  readonly #frames: SpdyFrames;

  constructor(send: (bytes: Buffer) => void, options: { readonly silent?: boolean; readonly onStream?: (stream: ServedStream) => void; readonly onData?: (stream: ServedStream) => void } = {}) {
    this.#send = send;
    const headers = createSpdyHeaderReader();
    const find = (id: number): ServedStream => {
      const stream = this.streams.get(id);
      if (stream === undefined) throw new Error(`no stream ${id}`);
      return stream;
    };
    this.#frames = new SpdyFrames(
      [spdyType.synStream, spdyType.ping],
      (frame) => {
        if (frame.type === spdyType.synStream) {
          const stream = { id: frame.payload.readUInt32BE(0), headers: headers.read(frame.payload.subarray(10)), received: Buffer.alloc(0), finished: false };
          this.streams.set(stream.id, stream);
          if (options.silent !== true) this.reply(stream.id);
          options.onStream?.(stream);
        } else if (frame.type === spdyType.ping) {
          this.pings.push(frame.payload.readUInt32BE(0));
        } else if (frame.type === spdyType.data) {
          const stream = find(frame.streamId);
          if ((frame.flags & 1) !== 0) stream.finished = true;
          options.onData?.(stream);
        }
      },
      (id, chunk, start, end) => {
        const stream = find(id);
        if (stream.finished) throw new Error(`data after the end of stream ${id}`);
        stream.received = Buffer.concat([stream.received, chunk.subarray(start, end)]);
      },
    );
  }

  feed(chunk: Uint8Array): void {
    this.#frames.feed(chunk, 0, chunk.length);
    if (this.#frames.problem !== undefined) throw new Error(this.#frames.problem);
  }

  /** The stream of a type; throws where there is none. */
  stream(type: string): ServedStream {
    const stream = [...this.streams.values()].find(({ headers }) => headers.get("streamtype") === type);
    if (stream === undefined) throw new Error(`no stream of type ${type}`);
    return stream;
  }

  reply(id: number): void {
    this.#send(spdyControlFrame(spdyType.synReply, 0, Buffer.concat([number(id), Buffer.from("opaque")])));
  }

  data(type: string, bytes: Uint8Array, fin = false): void {
    this.#send(spdyDataFrame(this.stream(type).id, bytes, fin));
  }

  reset(type: string): void {
    this.#send(spdyControlFrame(spdyType.rstStream, 0, Buffer.concat([number(this.stream(type).id), number(5)])));
  }

  ping(id: number): void {
    this.#send(spdyControlFrame(spdyType.ping, 0, number(id)));
  }

  goAway(): void {
    this.#send(spdyControlFrame(spdyType.goaway, 0, Buffer.concat([number(0), number(0)])));
  }

  /** What a kubelet does when a command is over. */
  end(status: string): void {
    if (status !== "") this.data("error", Buffer.from(status));
    for (const stream of this.streams.values()) this.reset(stream.headers.get("streamtype") ?? "");
    this.goAway();
  }
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A frame as a WebSocket client sends it. */
export function clientFrame(opcode: number, payload: Uint8Array, { mask = 0x12345678, fin = true }: { readonly mask?: number; readonly fin?: boolean } = {}): Buffer {
  const key = number(mask >>> 0);
  const length = payload.length < 126 ? Buffer.from([0x80 | payload.length]) : payload.length < 65536 ? Buffer.from([0xfe, payload.length >> 8, payload.length & 0xff]) : Buffer.concat([Buffer.from([0xff, 0, 0, 0, 0]), number(payload.length)]);
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode]), length, key, payload.map((byte, index) => byte ^ (key[index % 4] ?? 0))]);
}

/** A frame that a WebSocket server sent. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes whole, unmasked frames apart; throws for anything else, and for what is left over. */
export function serverFrames(bytes: Buffer): ServerFrame[] {
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at);
    const short = bytes.readUInt8(at + 1);
    if ((first & 0xf0) !== 0x80 || short > 127) throw new Error(`not a server's frame at ${at}`);
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    if (start + length > bytes.length) throw new Error("a frame is cut off");
    frames.push({ opcode: first & 0x0f, payload: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return frames;
}

/** What a client of channels got: bytes by channel, and the code of the close. */
export function received(bytes: Buffer): { readonly channels: Readonly<Record<number, Buffer>>; readonly closed: number | undefined; readonly order: readonly number[] } {
  const channels: Record<number, Buffer> = {};
  const order: number[] = [];
  let closed: number | undefined;
  for (const { opcode, payload } of serverFrames(bytes)) {
    if (closed !== undefined) throw new Error("a frame follows the close");
    if (opcode === 8) closed = payload.readUInt16BE(0);
    if (opcode !== 2) continue;
    const channel = payload.readUInt8(0);
    channels[channel] = Buffer.concat([channels[channel] ?? Buffer.alloc(0), payload.subarray(1)]);
    if (payload.length > 1) order.push(channel);
  }
  return { channels, closed, order };
}
