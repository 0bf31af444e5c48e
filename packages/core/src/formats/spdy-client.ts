import { GatehouseError } from "../base/index.ts";
import { SpdyFrames, spdyControlFrame, spdyDataFrame, spdyFin, spdyType } from "./spdy-frames.ts";
import type { SpdyFrame } from "./spdy-frames.ts";
import { createSpdyHeaderWriter } from "./spdy-headers.ts";

/** What a SPDY client is told of the streams it opened. */
export interface SpdyClientSink {
  /** Bytes of a stream as they come: `chunk[start…end)`, valid during the call. */
  data(streamId: number, chunk: Uint8Array, start: number, end: number): void;
  /** The server is done with a stream: it sent its end, or has reset it. Called once a stream. */
  ended(streamId: number): void;
}

interface Stream {
  replied: boolean;
  clientDone: boolean;
  serverDone: boolean;
}

const maxStreams = 1024;
const empty = Buffer.alloc(0);

/**
 * The client's end of a SPDY/3.1 connection as Kubernetes speaks it: like moby/spdystream, on which every API server and kubelet builds, it knows
 * no flow control (WINDOW_UPDATE and SETTINGS mean nothing, and none are sent), and answers pings. Pure: bytes in, bytes out.
 */
export class SpdyClient {
  /** The server announced that it opens nothing more and will hang up. */
  goneAway = false;
  /** The server has reset a stream instead of taking it. */
  refused = false;
  readonly #sink: SpdyClientSink;
  readonly #streams = new Map<number, Stream>();
  readonly #headers = createSpdyHeaderWriter();
  readonly #frames: SpdyFrames;
  #nextStream = 1;
  #nextPing = 1;
  #answers: Buffer[] = [];

  constructor(sink: SpdyClientSink) {
    this.#sink = sink;
    const wanted = [spdyType.synReply, spdyType.headers, spdyType.rstStream, spdyType.ping];
    this.#frames = new SpdyFrames(wanted, (frame) => this.#take(frame), (id, chunk, start, end) => {
      if (this.#streams.get(id)?.serverDone === false) this.#sink.data(id, chunk, start, end);
    });
  }

  /** What the server sent that is not SPDY, or not for a client, once it did; nothing is read afterwards. */
  get problem(): string | undefined {
    return this.#frames.problem;
  }

  /** The server has said of every stream whether it takes it. Servers drop what is sent on a stream before. */
  get settled(): boolean {
    for (const stream of this.#streams.values()) if (!stream.replied) return false;
    return true;
  }

  /** Opens a stream; names are lower case. Throws `limit_exceeded` for the 1025th. */
  open(headers: readonly (readonly [name: string, value: string])[]): { readonly id: number; readonly bytes: Buffer } {
    if (this.#nextStream >= 2 * maxStreams) throw new GatehouseError("limit_exceeded", `more than ${maxStreams} SPDY streams are opened`);
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.#streams.set(id, { replied: false, clientDone: false, serverDone: false });
    // Associated stream, priority and slot are 0.
    const start = Buffer.alloc(10);
    start.writeUInt32BE(id);
    return { id, bytes: spdyControlFrame(spdyType.synStream, 0, Buffer.concat([start, this.#headers.write(headers)])) };
  }

  /** Whether bytes may still be sent on a stream. */
  sends(id: number): boolean {
    return this.#streams.get(id)?.clientDone === false;
  }

  /** Ends this side of a stream. */
  finish(id: number): Buffer {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.clientDone) return empty;
    stream.clientDone = true;
    return spdyDataFrame(id, empty, true);
  }

  /** A ping of our own; its answer is not waited for. */
  ping(): Buffer {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(this.#nextPing);
    this.#nextPing = this.#nextPing >= 0x7fff_fffd ? 1 : this.#nextPing + 2;
    return spdyControlFrame(spdyType.ping, 0, payload);
  }

  /** Reads a chunk from the server. Returns what must be sent back: answers to its pings. */
  feed(chunk: Uint8Array): Buffer {
    this.#answers = [];
    this.#frames.feed(chunk, 0, chunk.length);
    return this.#answers.length === 0 ? empty : Buffer.concat(this.#answers);
  }

  #take(frame: SpdyFrame): void {
    switch (frame.type) {
      case spdyType.data:
        if ((frame.flags & spdyFin) !== 0) this.#end(frame.streamId);
        return;
      case spdyType.synReply:
      case spdyType.headers: {
        const id = numberAt(frame.payload);
        const stream = this.#streams.get(id);
        if (stream !== undefined && frame.type === spdyType.synReply) stream.replied = true;
        if ((frame.flags & spdyFin) !== 0) this.#end(id);
        return;
      }
      case spdyType.rstStream: {
        const id = numberAt(frame.payload);
        const stream = this.#streams.get(id);
        if (stream === undefined) return;
        if (!stream.replied) this.refused = true;
        stream.replied = true;
        stream.clientDone = true;
        this.#end(id);
        return;
      }
      case spdyType.ping:
        // Servers count theirs in even numbers; odd ones answer ours.
        if (numberAt(frame.payload) % 2 === 0) this.#answers.push(spdyControlFrame(spdyType.ping, 0, frame.payload.subarray(0, 4)));
        return;
      case spdyType.goaway:
        this.goneAway = true;
        return;
      case spdyType.synStream:
        throw new GatehouseError("bad_parameter", "a SPDY server opens a stream to its client");
      default:
    }
  }

  #end(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined || stream.serverDone) return;
    stream.serverDone = true;
    this.#sink.ended(id);
  }
}

function numberAt(payload: Buffer): number {
  if (payload.length < 4) throw new GatehouseError("bad_parameter", "a SPDY control frame is too short");
  return payload.readUInt32BE(0) & 0x7fff_ffff;
}
