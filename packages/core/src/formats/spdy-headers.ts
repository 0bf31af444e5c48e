import { randomBytes } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { GatehouseError } from "../base/index.ts";

const names =
  "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control " +
  "connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag " +
  "expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma " +
  "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning " +
  "www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin";

const tail =
  "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content" +
  "301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service " +
  "UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png," +
  "image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch" +
  "charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

/** The dictionary that every SPDY/3 header block is compressed with (SPDY protocol draft 3, §2.6.10.1): 1,423 bytes. */
export const spdyDictionary: Buffer = Buffer.concat([
  ...names.split(" ").flatMap((name) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(name.length);
    return [length, Buffer.from(name.replace("_", " "))];
  }),
  Buffer.from(tail),
]);

/** zlib header with a preset dictionary, and that dictionary's Adler-32. */
const dictionaryId = 0xe3c6a7c2;
const zlibHeaderLength = 6;

/** How a flush ends: length and complement of an empty stored block, on a byte. Go hands out what it has when it sees them. */
const flushed = Buffer.from([0x00, 0x00, 0xff, 0xff]);

/** Bytes that show where header blocks end; no client can foresee them. */
const probeLength = 16;

/** How far back deflate can refer. */
const windowSize = 32 * 1024;
/** Kubernetes has three short headers. Deflate makes a thousand bytes of one: what a block may cost is bounded by this. */
const maxInflated = 8 * 1024;
const maxPairs = 128;

/** Reads the header blocks of one direction of one SPDY connection, in order. */
export interface SpdyHeaderReader {
  /** Names (lower case) and values of the next block. Throws `bad_parameter` for a malformed block, `limit_exceeded` for one of over 8 KiB or 128 pairs. */
  read(block: Uint8Array): ReadonlyMap<string, string>;
}

/**
 * A reader of header blocks (SPDY draft 3.1 §2.6.10). The blocks of a connection share one zlib stream, and each ends in a flush on a byte
 * boundary; so the state between two blocks is nothing but the window of past output, and each block can be inflated by itself with that
 * window as its dictionary. That keeps this synchronous and holds no zlib object for the life of the connection.
 */
export function createSpdyHeaderReader(): SpdyHeaderReader {
  const probe = randomBytes(probeLength);
  let window: Buffer | undefined;
  return {
    read(block) {
      const deflated = window === undefined ? withoutZlibHeader(block) : block;
      const past = window ?? spdyDictionary;
      const plain = inflate(deflated, past, probe);
      window = Buffer.concat([past, plain]).subarray(-windowSize);
      return parsePairs(plain);
    },
  };
}

/** Writes header blocks of one direction of one SPDY connection, in order. */
export interface SpdyHeaderWriter {
  /** The next block; names are lower case. Throws `limit_exceeded` for one of over 64 KiB. */
  write(pairs: readonly (readonly [name: string, value: string])[]): Buffer;
}

/** `0x78`: deflate with a 32 KiB window; `0xbb`: a dictionary, and the checksum of both (RFC 1950 §2.2). */
const zlibHeader = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2]);

/** An empty stored block, as a flush leaves it: readers hand out what they have when they see it, and Go's not before. */
const flush = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);

/**
 * A writer of header blocks, uncompressed: each is a stored block of the shared zlib stream (RFC 1951 §3.2.4), which ends on a byte, and a flush.
 * So there is no state but that the stream has begun.
 */
export function createSpdyHeaderWriter(): SpdyHeaderWriter {
  let begun = false;
  return {
    write(pairs) {
      const parts = [uint32(pairs.length)];
      for (const text of pairs.flat()) parts.push(uint32(text.length), Buffer.from(text, "latin1"));
      const plain = Buffer.concat(parts);
      if (plain.length > 0xffff) throw new GatehouseError("limit_exceeded", "SPDY header block is larger than 65535 bytes");
      const stored = Buffer.alloc(5);
      stored.writeUInt16LE(plain.length, 1);
      stored.writeUInt16LE(~plain.length & 0xffff, 3);
      const block = Buffer.concat([begun ? Buffer.alloc(0) : zlibHeader, stored, plain, flush]);
      begun = true;
      return block;
    },
  };
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function withoutZlibHeader(block: Uint8Array): Uint8Array {
  const header = Buffer.from(block.buffer, block.byteOffset, Math.min(block.length, zlibHeaderLength));
  const known =
    header.length === zlibHeaderLength && (header.readUInt8(0) & 0x0f) === 8 && header.readUInt16BE(0) % 31 === 0 && (header.readUInt8(1) & 0x20) !== 0;
  if (!known || header.readUInt32BE(2) !== dictionaryId) throw malformed("its compression does not use the SPDY/3 dictionary");
  return block.subarray(zlibHeaderLength);
}

/**
 * Inflates a header block. Throws where it does not end in a flush, between two deflate blocks: servers, which keep their state, would read the next one
 * from within the deflate block under way, and so as another than we do.
 *
 * What is read behind it is a stored block of the probe, and an empty last one. Only where the data before has come to its end is nothing but the probe
 * made of that; anywhere else these bits would be read as something else. All that a stored block leaves free are set, so that it does not begin a
 * bit later either, and the flush leaves no zeros over with which it could begin earlier (RFC 1951 §3.2.4).
 */
function inflate(deflated: Uint8Array, dictionary: Buffer, probe: Buffer): Buffer {
  const stored = Buffer.from([0xf8, probe.length, 0x00, ~probe.length & 0xff, 0xff]);
  const lastBlock = Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff]);
  const input = Buffer.concat([deflated, stored, probe, lastBlock]);
  let result: unknown;
  try {
    // With `info`, zlib returns its engine too; the types do not say so.
    result = inflateRawSync(input, { dictionary, maxOutputLength: maxInflated + probe.length, chunkSize: 4096, info: true });
  } catch (error) {
    if (error instanceof RangeError) throw new GatehouseError("limit_exceeded", `SPDY header block is larger than ${String(maxInflated)} bytes`, { cause: error });
    throw malformed("it cannot be inflated", error);
  }
  if (!isInflated(result)) throw new GatehouseError("internal", "zlib did not return its engine");
  if (result.engine.bytesWritten !== input.length) throw malformed("its compression ends too early");
  const length = result.buffer.length - probe.length;
  const whole = flushed.equals(deflated.subarray(-flushed.length)) && length >= 0 && probe.equals(result.buffer.subarray(length));
  if (!whole) throw malformed("its compression is not flushed at its end");
  return result.buffer.subarray(0, length);
}

function isInflated(result: unknown): result is { readonly buffer: Buffer; readonly engine: { readonly bytesWritten: number } } {
  return typeof result === "object" && result !== null && "buffer" in result && "engine" in result;
}

/** Count, then length-prefixed names and values, all 32 bit. */
function parsePairs(plain: Buffer): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  let at = 0;
  const number = (): number => {
    if (at + 4 > plain.length) throw malformed("it is cut off");
    at += 4;
    return plain.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > plain.length) throw malformed("it is cut off");
    at += length;
    return plain.toString("latin1", at - length, at);
  };
  const count = number();
  if (count > maxPairs) throw new GatehouseError("limit_exceeded", `SPDY header block has more than ${String(maxPairs)} headers`);
  for (let index = 0; index < count; index++) {
    const name = text().toLowerCase();
    if (name === "" || pairs.has(name)) throw malformed("a header name is empty or repeated");
    pairs.set(name, text());
  }
  if (at !== plain.length) throw malformed("bytes follow its last header");
  return pairs;
}

function malformed(why: string, cause?: unknown): GatehouseError {
  return new GatehouseError("bad_parameter", `SPDY header block is malformed: ${why}`, { cause });
}
