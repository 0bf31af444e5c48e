import { GatehouseError } from "../base/index.ts";
import { asBuffer } from "./bytes.ts";
import { chunkHash, emptyRecordingChain } from "./recording-builder.ts";
import { recordingFormat } from "./recording.ts";
import type { RecordingChain, RecordingRecord, RecordingType } from "./recording.ts";

const { chunkHeader, recordHeader, maxPayload, maxJson, magic } = recordingFormat;
const types = new Map<number, RecordingType>((["h", "o", "e", "i", "r", "x", "g", "m"] as const).map((type) => [type.charCodeAt(0), type]));
const streams = new Set<RecordingType>(["o", "e", "i"]);
const emptyBuffer = Buffer.alloc(0);

/** What is wrong with a recording, and where. */
export interface RecordingDamage {
  /** Index of the chunk, from 0. */
  readonly chunk: number;
  /** Byte of the file at which the chunk begins. */
  readonly offset: number;
  /** In words. */
  readonly problem: string;
}

/** What a recording's bytes amount to. */
export interface RecordingSummary {
  /** There is an end record, and nothing was cut off. */
  readonly complete: boolean;
  /** Whole chunks. */
  readonly chunks: number;
  /** Bytes of the whole chunks. */
  readonly bytes: number;
  /** Bytes of a last chunk that is not whole; they are not played. */
  readonly torn: number;
  /** Hex SHA-256 of the last whole chunk: what `session.end` holds. */
  readonly digest: string;
}

/**
 * Reads a recording from bytes split anywhere. Each chunk is checked before its records are given out, so no more than one chunk is held.
 *
 * Use: drain `feed` for each piece, then call `end`. Damage throws `bad_parameter` naming chunk and byte, also in {@link RecordingReader.damage};
 * `chain` and `bytes` then tell how far the recording is good.
 */
export class RecordingReader {
  damage: RecordingDamage | undefined;
  #held = emptyBuffer;
  #fill = 0;
  #chain: RecordingChain = emptyRecordingChain;
  #bytes = 0;
  #started = false;
  #ended = false;
  #busy = false;

  /** After the last whole chunk: what more chunks of the same file build on. */
  get chain(): RecordingChain {
    return this.#chain;
  }

  /** Bytes of the whole chunks so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the next bytes and gives the records that they complete. A record's data is valid until the next record is asked for. */
  *feed(input: Uint8Array): Generator<RecordingRecord, void, void> {
    if (this.damage !== undefined) throw damaged(this.damage);
    if (this.#busy) throw new GatehouseError("internal", "records of the bytes before are not read yet");
    this.#busy = true;
    const bytes = asBuffer(input);
    for (let at = 0; at < bytes.length; ) {
      const whole = this.#fill === 0 && bytes.length - at >= chunkHeader ? chunkHeader + this.#length(bytes, at) : Infinity;
      if (at + whole <= bytes.length) {
        yield* this.#chunk(bytes, at, at + whole);
        at += whole;
        continue;
      }
      at = this.#gather(bytes, at);
      if (this.#fill >= chunkHeader && this.#fill === chunkHeader + this.#held.readUInt32BE(4)) {
        yield* this.#chunk(this.#held, 0, this.#fill);
        this.#fill = 0;
      }
    }
    this.#busy = false;
  }

  /** Call once after the last byte. Throws as `feed` does where the rest cannot be the beginning of a chunk. */
  end(): RecordingSummary {
    if (this.damage !== undefined) throw damaged(this.damage);
    if (this.#busy) throw new GatehouseError("internal", "records of the bytes before are not read yet");
    if (this.#fill > 0) this.#checkTorn();
    return {
      complete: this.#ended && this.#fill === 0,
      chunks: this.#chain.index,
      bytes: this.#bytes,
      torn: this.#fill,
      digest: this.#chain.hash.toString("hex"),
    };
  }

  /** Copies into the chunk under way; returns the offset behind what was copied. */
  #gather(bytes: Buffer, at: number): number {
    const need = this.#fill < chunkHeader ? chunkHeader : chunkHeader + this.#held.readUInt32BE(4);
    if (this.#held.length < need) {
      const larger = Buffer.alloc(need);
      larger.set(this.#held.subarray(0, this.#fill));
      this.#held = larger;
    }
    const length = Math.min(need - this.#fill, bytes.length - at);
    this.#held.set(bytes.subarray(at, at + length), this.#fill);
    this.#fill += length;
    if (this.#fill === chunkHeader) this.#length(this.#held, 0);
    return at + length;
  }

  /** Checks a chunk's header; the length of its payload. */
  #length(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at + 4);
    if (bytes.readUInt32BE(at) !== magic) throw this.#fail("it does not begin like a chunk");
    if (this.#ended) throw this.#fail("it follows the end");
    if (bytes.readUInt32BE(at + 8) !== this.#chain.index) throw this.#fail(`it says that it is chunk ${bytes.readUInt32BE(at + 8)}`);
    if (length > maxPayload || length < recordHeader) throw this.#fail(`its length ${length} is out of bounds`);
    return length;
  }

  *#chunk(bytes: Buffer, start: number, end: number): Generator<RecordingRecord, void, void> {
    const hash = chunkHash(this.#chain.hash, bytes, start, end);
    if (hash.compare(bytes, start + 12, start + chunkHeader) !== 0) throw this.#fail("its bytes do not fit its checksum");
    for (let at = start + chunkHeader; at < end; ) {
      const record = this.#record(bytes, at, end);
      at += recordHeader + record.data.length;
      yield record;
    }
    this.#chain = { hash, index: this.#chain.index + 1 };
    this.#bytes += end - start;
  }

  #record(bytes: Buffer, at: number, end: number): RecordingRecord {
    const type = types.get(bytes[at] ?? 0);
    if (type === undefined) throw this.#fail("it has a record of an unknown type");
    const length = end - at < recordHeader ? Infinity : bytes.readUInt32BE(at + 5);
    if (at + recordHeader + length > end) throw this.#fail("it has a record that is cut short");
    if (!streams.has(type) && length > maxJson) throw this.#fail("it has a record that is too large");
    if ((type === "h") === this.#started) throw this.#fail(this.#started ? "it has a second header" : "the recording has no header");
    if (this.#ended) throw this.#fail("it has a record after the end");
    this.#started = true;
    this.#ended = type === "x";
    return { type, at: bytes.readUInt32BE(at + 1), data: bytes.subarray(at + recordHeader, at + recordHeader + length) };
  }

  /** What is left must be how a chunk begins; a flipped bit is not to pass for a crash. */
  #checkTorn(): void {
    const expected = Buffer.alloc(12);
    expected.writeUInt32BE(magic, 0);
    expected.writeUInt32BE(this.#chain.index, 8);
    const fits = (start: number, end: number): boolean => this.#held.subarray(start, Math.min(end, this.#fill)).equals(expected.subarray(start, Math.max(start, Math.min(end, this.#fill))));
    if (!fits(0, 4) || !fits(8, 12)) throw this.#fail("it does not begin like a chunk");
    if (this.#ended) throw this.#fail("it follows the end");
  }

  #fail(problem: string): GatehouseError {
    this.damage ??= { chunk: this.#chain.index, offset: this.#bytes, problem };
    return damaged(this.damage);
  }
}

/** {@link RecordingReader} over a stream: gives the records, returns the summary. */
export async function* readRecording(source: AsyncIterable<Uint8Array>): AsyncGenerator<RecordingRecord, RecordingSummary, void> {
  const reader = new RecordingReader();
  for await (const bytes of source) yield* reader.feed(bytes);
  return reader.end();
}

/** Reads a recording to its end and checks every byte of it. Throws `bad_parameter` naming chunk and byte where it is damaged. */
export async function recordingDigest(source: AsyncIterable<Uint8Array>): Promise<RecordingSummary> {
  const records = readRecording(source);
  let step = await records.next();
  while (step.done !== true) step = await records.next();
  return step.value;
}

function damaged(damage: RecordingDamage): GatehouseError {
  return new GatehouseError("bad_parameter", `the recording is damaged in chunk ${damage.chunk} at byte ${damage.offset}: ${damage.problem}`);
}
