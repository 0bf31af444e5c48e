import { createHash } from "node:crypto";
import { GatehouseError } from "../base/index.ts";
import { isRecordingStream, recordingFormat } from "./recording.ts";
import type { RecordingChain, RecordingRecord, RecordingType } from "./recording.ts";

const { chunkHeader, recordHeader, maxPayload, maxTime } = recordingFormat;
const none: number = -1;

/** The chain before the first chunk. */
export const emptyRecordingChain: RecordingChain = { hash: Buffer.alloc(32), index: 0 };

/**
 * Builds the chunks of a recording in buffers of the caller: each byte is copied once, and nothing is allocated per record.
 *
 * Use: {@link RecordingBuilder.use} a buffer, `append` until it takes no more or enough time has passed, `seal`, write what it returned, and
 * `use` the same buffer again once it is written (or another one at once). Between `seal` and `use` the builder holds no memory.
 */
export class RecordingBuilder {
  #buffer: Buffer | undefined;
  /** End of what is in the buffer. */
  #fill: number = chunkHeader;
  /** End of what may be in the buffer. */
  #limit = 0;
  /** Offset of the record that more bytes of the same stream and moment can join. */
  #open = none;
  #hash: Buffer;
  #index: number;
  #at = 0;

  /** `chain`: where to go on, for a file that exists already. */
  constructor(chain: RecordingChain = emptyRecordingChain) {
    this.#hash = chain.hash;
    this.#index = chain.index;
  }

  /** Where the chain stands after the last sealed chunk. `chain.hash` is then the recording's digest. */
  get chain(): RecordingChain {
    return { hash: this.#hash, index: this.#index };
  }

  /** Bytes of payload that wait to be sealed. */
  get pending(): number {
    return this.#fill - chunkHeader;
  }

  /** Whether there is a buffer to append to. */
  get ready(): boolean {
    return this.#buffer !== undefined;
  }

  /** Gives the memory of the next chunk: more than 100 bytes; what is over 1 MiB is not used. The caller leaves it alone until `seal`. */
  use(buffer: Buffer): void {
    if (this.#buffer !== undefined) throw new GatehouseError("internal", "the chunk under way is not sealed");
    this.#buffer = buffer;
    this.#limit = Math.min(buffer.length, chunkHeader + maxPayload);
    this.#fill = chunkHeader;
    this.#open = none;
  }

  /** Takes back the memory of a chunk that nothing was appended to. Throws `internal` where something was, or where there is none. */
  unuse(): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined || this.pending > 0) throw new GatehouseError("internal", "the chunk under way is not empty");
    this.#buffer = undefined;
    return buffer;
  }

  /**
   * Appends `data[start…end)`, and returns the offset behind what was taken: `end`, or less when the chunk is full (or there is no
   * buffer). Of a stream (`o`, `e`, `i`) as much is taken as fits; of another record all or nothing.
   *
   * `at`: ms since the start; a time that runs backwards stands still. `mask`, `maskIndex`: XOR the data with these four bytes from this
   * one on, as a WebSocket client sends it.
   */
  append(type: RecordingType, at: number, data: Uint8Array, start = 0, end = data.length, mask = 0, maskIndex = 0): number {
    const buffer = this.#buffer;
    const stream = isRecordingStream(type);
    if (buffer === undefined || (stream && start === end)) return start;
    this.#at = Math.max(this.#at, Math.min(maxTime, Math.floor(at)));
    const joins = stream && this.#open !== none && buffer[this.#open] === type.charCodeAt(0) && buffer.readUInt32BE(this.#open + 1) === this.#at;
    const room = this.#limit - this.#fill - (joins ? 0 : recordHeader);
    const length = Math.min(end - start, room);
    if (length < (stream ? 1 : end - start) || room < 0) return start;
    if (!joins) {
      this.#open = stream ? this.#fill : none;
      buffer[this.#fill] = type.charCodeAt(0);
      buffer.writeUInt32BE(this.#at, this.#fill + 1);
      buffer.writeUInt32BE(length, this.#fill + 5);
      this.#fill += recordHeader;
    } else {
      buffer.writeUInt32BE(buffer.readUInt32BE(this.#open + 5) + length, this.#open + 5);
    }
    buffer.set(start === 0 && length === data.length ? data : data.subarray(start, start + length), this.#fill);
    if (mask !== 0) unmask(buffer, this.#fill, this.#fill + length, mask, maskIndex);
    this.#fill += length;
    return start + length;
  }

  /** Completes the chunk and returns it, a view of the buffer. Throws `internal` when nothing was appended. */
  seal(): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined || this.#fill === chunkHeader) throw new GatehouseError("internal", "a chunk of a recording is empty");
    buffer.writeUInt32BE(recordingFormat.magic, 0);
    buffer.writeUInt32BE(this.#fill - chunkHeader, 4);
    buffer.writeUInt32BE(this.#index, 8);
    this.#hash = chunkHash(this.#hash, buffer, 0, this.#fill);
    buffer.set(this.#hash, 12);
    this.#index++;
    this.#buffer = undefined;
    const chunk = buffer.subarray(0, this.#fill);
    this.#fill = chunkHeader;
    return chunk;
  }
}

/** One chunk of these records. Throws `limit_exceeded` where they are larger than a chunk may be. */
export function encodeChunk(chain: RecordingChain, records: readonly RecordingRecord[]): Buffer {
  const builder = new RecordingBuilder(chain);
  builder.use(Buffer.alloc(chunkHeader + records.reduce((sum, record) => sum + recordHeader + record.data.length, 0)));
  for (const { type, at, data } of records) {
    if (builder.append(type, at, data) < data.length) throw new GatehouseError("limit_exceeded", `a chunk of a recording is larger than ${maxPayload} bytes`);
  }
  return builder.seal();
}

/** Hash of the chunk that stands in `bytes[start…end)`, after the chunk with hash `previous`. */
export function chunkHash(previous: Uint8Array, bytes: Uint8Array, start: number, end: number): Buffer {
  const hash = createHash("sha256").update(previous);
  return hash.update(bytes.subarray(start + 8, start + 12)).update(bytes.subarray(start + chunkHeader, end)).digest();
}

function unmask(buffer: Buffer, start: number, end: number, mask: number, maskIndex: number): void {
  for (let at = start, index = maskIndex; at < end; at++, index++) buffer[at] = (buffer[at] ?? 0) ^ ((mask >>> (24 - 8 * (index & 3))) & 0xff);
}
