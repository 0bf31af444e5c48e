import { GatehouseError } from "../base/index.ts";
import { asBuffer } from "./bytes.ts";

/** What the first bytes of a connection are. `serverName` is in lower case. */
export type ClientHello =
  | { readonly state: "incomplete" }
  | { readonly state: "not-tls"; readonly reason: string }
  | { readonly state: "hello"; readonly serverName?: string; readonly alpn: readonly string[] };

/** A ClientHello has to be complete within so many bytes, record headers included. */
export const maxClientHello = 16 * 1024;

const recordHeader = 5;
const maxRecord = 16 * 1024;
const handshakeRecord = 22;
const clientHello = 1;
const extensionServerName = 0;
const extensionAlpn = 16;

const messageHeader = 4;
const tooLarge = `a ClientHello larger than ${maxClientHello} bytes`;

function malformed(reason: string): GatehouseError {
  return new GatehouseError("bad_parameter", reason);
}

/** Reads TLS's length-prefixed vectors (RFC 8446 §3.4); throws past the end. */
class Vectors {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length;
  }

  bytes(length: number): Buffer {
    this.#offset += length;
    if (this.#offset > this.#bytes.length) throw malformed("a ClientHello that is shorter than its lengths say");
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  number(size: number): number {
    return this.bytes(size).readUIntBE(0, size);
  }

  /** A vector whose length is written in `size` bytes. */
  vector(size: number): Buffer {
    return this.bytes(this.number(size));
  }

  end(): void {
    if (!this.done) throw malformed("a ClientHello with bytes after its end");
  }
}

function checkRecordHeader(header: Buffer): void {
  if (header[0] !== handshakeRecord) throw malformed("no TLS handshake record");
  if ((header[1] ?? 3) !== 3 || (header[2] ?? 0) > 4) throw malformed("a TLS record of an unknown version");
  if (header.length < recordHeader) return;
  const length = header.readUInt16BE(3);
  if (length === 0 || length > maxRecord) throw malformed("a TLS record of a forbidden length");
}

/**
 * Body of the ClientHello, gathered from its records, or undefined while some of it is on its way. The scan copies nothing until all is there:
 * it runs again for every segment, and segments may be single bytes.
 */
function gather(bytes: Buffer): Buffer | undefined {
  let total = 0;
  let length = 0;
  for (let offset = 0; offset < bytes.length; ) {
    checkRecordHeader(bytes.subarray(offset, offset + recordHeader));
    if (offset + recordHeader > bytes.length) return undefined;
    const start = offset + recordHeader;
    offset = start + bytes.readUInt16BE(start - 2);
    const end = Math.min(offset, bytes.length);
    for (let at = start; at < end && total + at - start < messageHeader; at++) {
      const octet = bytes[at] ?? 0;
      if (total + at - start > 0) length = length * 256 + octet;
      else if (octet !== clientHello) throw malformed("a TLS handshake that does not begin with a ClientHello");
    }
    total += end - start;
    if (recordHeader + messageHeader + length > maxClientHello) throw malformed(tooLarge);
    if (total >= messageHeader + length && total >= messageHeader) return copyPayloads(bytes, messageHeader + length).subarray(messageHeader);
  }
  return undefined;
}

/** The first `length` bytes of the records' payloads, all of which are there. */
function copyPayloads(bytes: Buffer, length: number): Buffer {
  const message = Buffer.alloc(length);
  let filled = 0;
  for (let offset = 0; filled < length; ) {
    const start = offset + recordHeader;
    offset = start + bytes.readUInt16BE(start - 2);
    filled += bytes.copy(message, filled, start, Math.min(offset, bytes.length));
  }
  return message;
}

function readServerName(extension: Buffer): string {
  const outer = new Vectors(extension);
  const list = new Vectors(outer.vector(2));
  outer.end();
  if (list.number(1) !== 0) throw malformed("a server name of an unknown type");
  const name = list.vector(2).toString("latin1");
  list.end();
  if (name.length > 255 || !/^[\x21-\x7e]+$/.test(name)) throw malformed("a server name that is none");
  return name.toLowerCase();
}

function readAlpn(extension: Buffer): readonly string[] {
  const outer = new Vectors(extension);
  const list = new Vectors(outer.vector(2));
  outer.end();
  const protocols: string[] = [];
  do {
    const protocol = list.vector(1);
    if (protocol.length === 0) throw malformed("an empty protocol name");
    protocols.push(protocol.toString("latin1"));
  } while (!list.done);
  return protocols;
}

function readHello(body: Buffer): ClientHello {
  const hello = new Vectors(body);
  if (hello.number(1) !== 3) throw malformed("a ClientHello of an unknown version");
  hello.bytes(1 + 32);
  if (hello.vector(1).length > 32) throw malformed("a session id that is too long");
  const suites = hello.vector(2).length;
  if (suites === 0 || suites % 2 !== 0 || hello.vector(1).length === 0) throw malformed("a ClientHello without cipher suites");
  if (hello.done) return { state: "hello", alpn: [] };
  const extensions = new Vectors(hello.vector(2));
  hello.end();
  const seen = new Set<number>();
  let serverName: string | undefined;
  let alpn: readonly string[] = [];
  while (!extensions.done) {
    const type = extensions.number(2);
    const content = extensions.vector(2);
    // Two of one type: which one the TLS server behind would believe cannot be known here.
    if (seen.has(type)) throw malformed("an extension given twice");
    seen.add(type);
    if (type === extensionServerName) serverName = readServerName(content);
    else if (type === extensionAlpn) alpn = readAlpn(content);
  }
  return { state: "hello", ...(serverName === undefined ? {} : { serverName }), alpn };
}

function read(bytes: Buffer): ClientHello {
  const body = gather(bytes.subarray(0, maxClientHello));
  if (body) return readHello(body);
  if (bytes.length >= maxClientHello) throw malformed(tooLarge);
  return { state: "incomplete" };
}

/**
 * Reads the ClientHello (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1) from all bytes of a connection so far, cut anywhere, over any number of
 * records. Never throws: what is not, or can no longer become, a sound ClientHello of at most 16 KiB is `not-tls` with the reason.
 */
export function parseClientHello(bytes: Uint8Array): ClientHello {
  try {
    return read(asBuffer(bytes));
  } catch (error) {
    if (error instanceof GatehouseError) return { state: "not-tls", reason: error.message };
    throw error;
  }
}
