import { GatehouseError } from "../base/index.ts";
import { asBuffer, decodeUtf8 } from "./bytes.ts";

/** Tag octets of the ASN.1 types in use (X.690 §8.1.2). */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

const maxDepth = 12;

/** One element: its tag octet, its content, and all of it. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

/**
 * Reads DER (X.690 §10) strictly: definite, shortest lengths below 64 KiB, single-octet tags, canonical values.
 * Every method throws `bad_parameter`, naming `what`.
 */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  readonly #depth: number;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string, depth = 0) {
    this.#bytes = asBuffer(bytes);
    this.#what = what;
    this.#depth = depth;
    if (depth > maxDepth) throw this.error("nested too deeply");
  }

  error(problem: string): GatehouseError {
    return new GatehouseError("bad_parameter", `${this.#what} is malformed: ${problem}`);
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  /** Tag octet of the next element, or undefined at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** The next element, whatever it is. */
  element(): DerElement {
    const bytes = this.#bytes;
    const start = this.#offset;
    const tag = bytes[start];
    let length = bytes[start + 1];
    let at = start + 2;
    if (tag === undefined || length === undefined) throw this.error("it ends too early");
    if ((tag & 0x1f) === 0x1f) throw this.error("a tag of several octets");
    if (length >= 0x80) {
      const size = length - 0x80;
      if (size < 1 || size > 2) throw this.error("an indefinite or too large length");
      if (at + size > bytes.length) throw this.error("it ends too early");
      length = bytes.readUIntBE(at, size);
      at += size;
      if (length < (size === 1 ? 0x80 : 0x100)) throw this.error("a length not in its shortest form");
    }
    if (at + length > bytes.length) throw this.error("it ends too early");
    this.#offset = at + length;
    return { tag, content: bytes.subarray(at, this.#offset), raw: bytes.subarray(start, this.#offset) };
  }

  /** Content of the next element, which must have this tag. */
  read(tag: number): Buffer {
    if (this.peek() !== tag) throw this.error(`element ${hex(tag)} expected, ${hex(this.peek())} found`);
    return this.element().content;
  }

  /** A reader of what is inside the next element, which must have this tag. */
  enter(tag: number): DerReader {
    return this.inside(this.read(tag));
  }

  /** A reader of bytes that are inside this one. */
  inside(content: Buffer): DerReader {
    return new DerReader(content, this.#what, this.#depth + 1);
  }

  end(): void {
    if (!this.done) throw this.error("bytes after its end");
  }

  /** A non-negative INTEGER. */
  integer(): bigint {
    const content = this.read(derTag.integer);
    const [first, second] = content;
    if (first === undefined || first >= 0x80) throw this.error("a negative number");
    if (first === 0 && second !== undefined && second < 0x80) throw this.error("a number not in its shortest form");
    return BigInt(`0x${content.toString("hex")}`);
  }

  boolean(): boolean {
    const content = this.read(derTag.boolean);
    if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw this.error("a boolean that is neither true nor false");
    return content[0] === 0xff;
  }

  /** A BIT STRING of whole octets. */
  octetBits(): Buffer {
    const content = this.read(derTag.bitString);
    if (content[0] !== 0) throw this.error("a bit string that is not of whole octets");
    return content.subarray(1);
  }

  /** Positions of the bits that are set in a named-bit list (X.690 §11.2.2). */
  namedBits(): readonly number[] {
    const content = this.read(derTag.bitString);
    const [unused, ...octets] = content;
    const last = octets.at(-1);
    if (unused === undefined || unused > 7 || octets.length > 8 || (last === undefined ? unused !== 0 : (last >> unused) % 2 !== 1 || last % (1 << unused) !== 0)) {
      throw this.error("a bit list not in its shortest form");
    }
    return octets.flatMap((octet, index) => [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (octet & (0x80 >> bit)) !== 0).map((bit) => index * 8 + bit));
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(): string {
    const content = this.read(derTag.oid);
    if (content.length === 0 || content.length > 64 || (content.at(-1) ?? 0) >= 0x80) throw this.error("an object identifier that is none");
    const arcs: bigint[] = [];
    let arc = 0n;
    let fresh = true;
    for (const octet of content) {
      if (fresh && octet === 0x80) throw this.error("an object identifier not in its shortest form");
      arc = arc * 128n + BigInt(octet & 0x7f);
      fresh = octet < 0x80;
      if (!fresh) continue;
      arcs.push(arc);
      arc = 0n;
    }
    const [head = 0n, ...rest] = arcs;
    const first = head < 80n ? head / 40n : 2n;
    return [first, head - first * 40n, ...rest].join(".");
  }

  /** A UTF8String, PrintableString or IA5String. */
  text(): string {
    const { tag, content } = this.element();
    if (tag === derTag.utf8String) return decodeUtf8(content, this.#what);
    const text = content.toString("latin1");
    if (tag === derTag.printableString && /^[A-Za-z0-9 '()+,\-./:=?*&]*$/.test(text)) return text;
    if (tag === derTag.ia5String && /^[\x01-\x7f]*$/.test(text)) return text;
    throw this.error(`element ${hex(tag)} is not a text`);
  }

  /** UTCTime to 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5), as ms since the epoch. */
  time(): number {
    const { tag, content } = this.element();
    const text = content.toString("latin1");
    let full = text;
    if (tag === derTag.utcTime) full = (Number(text.slice(0, 2)) >= 50 ? "19" : "20") + text;
    else if (tag !== derTag.generalizedTime || text < "2050") throw this.error("a time in the wrong form");
    const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full);
    const iso = match ? `${match.slice(1, 4).join("-")}T${match.slice(4).join(":")}.000Z` : "";
    const ms = Date.parse(iso);
    if (Number.isNaN(ms) || new Date(ms).toISOString() !== iso) throw this.error("a time that does not exist");
    return ms;
  }
}

function hex(tag: number | undefined): string {
  return tag === undefined ? "nothing" : `0x${tag.toString(16).padStart(2, "0")}`;
}
