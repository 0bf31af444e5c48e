import { GatehouseError } from "../base/index.ts";
import { asBuffer, decodeUtf8 } from "./bytes.ts";

/**
 * Reads the data types of RFC 4251 §5 from bytes that came from outside. Lengths are checked against what is there, so that nothing larger than
 * the input is ever made. Every method throws `bad_parameter`, naming `what`, for bytes that are not what was asked for.
 */
export class SshReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = asBuffer(bytes);
    this.#what = what;
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** The error for this input, with a cause in words. */
  error(problem: string): GatehouseError {
    return new GatehouseError("bad_parameter", `${this.#what} is malformed: ${problem}`);
  }

  /** The next `length` bytes, not copied. */
  bytes(length: number): Buffer {
    if (length > this.remaining) throw this.error(`${length} bytes announced, ${this.remaining} left`);
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  byte(): number {
    return this.bytes(1).readUInt8();
  }

  /** Zero is false, anything else true. */
  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.bytes(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.bytes(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.bytes(this.uint32());
  }

  /** A string that has to be UTF-8 without NUL. */
  text(): string {
    return decodeUtf8(this.string(), this.#what);
  }

  /** The magnitude of a non-negative `mpint`, without its sign byte; empty for zero. Only the shortest encoding is taken. */
  mpint(): Buffer {
    const bytes = this.string();
    const [first, second] = bytes;
    if (first === undefined) return bytes;
    if (first >= 0x80) throw this.error("negative number");
    if (first !== 0) return bytes;
    if (second === undefined || second < 0x80) throw this.error("number not in its shortest form");
    return bytes.subarray(1);
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining > 0) throw this.error(`${this.remaining} bytes after its end`);
  }
}

/** Writes the data types of RFC 4251 §5. */
export class SshWriter {
  readonly #parts: Buffer[] = [];

  raw(bytes: Uint8Array): this {
    this.#parts.push(asBuffer(bytes));
    return this;
  }

  byte(value: number): this {
    return this.raw(Buffer.of(value));
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.raw(bytes);
  }

  uint64(value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return this.raw(bytes);
  }

  string(value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? Buffer.from(value, "utf8") : value;
    return this.uint32(bytes.length).raw(bytes);
  }

  /** A non-negative number, given as its big-endian magnitude. */
  mpint(magnitude: Uint8Array): this {
    let start = 0;
    while (magnitude[start] === 0) start++;
    const bytes = magnitude.subarray(start);
    const [first] = bytes;
    return first !== undefined && first >= 0x80 ? this.uint32(bytes.length + 1).raw(Buffer.alloc(1)).raw(bytes) : this.string(bytes);
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }
}
