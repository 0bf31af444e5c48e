import { GatehouseError } from "../base/index.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

/** OpenSSH's PROTOCOL.krl: `SSHKRL\n\0`, as a number. */
const magic = 0x5353484b524c0a00n;
const formatVersion = 1;
const section = { certificates: 1, keys: 2 } as const;
const part = { serials: 0x20, range: 0x21, bitmap: 0x22, keyIds: 0x23 } as const;
const maxBytes = 16 * 1024 * 1024;
const maxEntries = 1_000_000;
/** Bytes of one bitmap. */
const maxBitmap = 128 * 1024;
const what = "the key revocation list";

/** Serials from `first` to `last`, both included. */
export interface SerialRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** Certificates of one authority that count no more. */
export interface RevokedCertificates {
  /** Wire form of the authority's key; empty for every authority. */
  readonly caKey: Uint8Array;
  /** In growing order, none of them 0 and none over another. */
  readonly serials: readonly SerialRange[];
  /** Exactly as the certificates have them. */
  readonly keyIds: readonly string[];
}

/** What sshd's `RevokedKeys` reads. */
export interface KeyRevocationList {
  /** Grows from one list to the next. */
  readonly version: bigint;
  /** ms since the epoch, whole seconds. */
  readonly generated: number;
  readonly comment: string;
  readonly certificates: readonly RevokedCertificates[];
  /** Wire forms of plain keys. */
  readonly keys: readonly Uint8Array[];
}

function writeSection(writer: SshWriter, type: number, content: SshWriter): void {
  writer.raw(Buffer.of(type)).string(content.toBuffer());
}

function writeCertificates({ caKey, serials, keyIds }: RevokedCertificates): SshWriter {
  const writer = new SshWriter().string(caKey).string("");
  const single = serials.filter(({ first, last }) => first === last);
  if (single.length > 0) writeSection(writer, part.serials, single.reduce((list, { first }) => list.uint64(first), new SshWriter()));
  for (const { first, last } of serials) if (first !== last) writeSection(writer, part.range, new SshWriter().uint64(first).uint64(last));
  if (keyIds.length > 0) writeSection(writer, part.keyIds, keyIds.reduce((list, id) => list.string(id), new SshWriter()));
  return writer;
}

/** Writes a list as `ssh-keygen -k` would, unsigned. Throws `bad_parameter` for serials out of order, or 0, which no certificate is told by. */
export function encodeKrl(krl: KeyRevocationList): Buffer {
  const writer = new SshWriter().uint64(magic).uint32(formatVersion).uint64(krl.version).uint64(BigInt(Math.floor(krl.generated / 1000))).uint64(0n).string("").string(krl.comment);
  for (const revoked of krl.certificates) {
    let last = 0n;
    for (const range of revoked.serials) {
      if (range.first <= last || range.last < range.first) throw new GatehouseError("bad_parameter", "revoked serials have to be over 0 and in order");
      last = range.last;
    }
    writeSection(writer, section.certificates, writeCertificates(revoked));
  }
  if (krl.keys.length > 0) writeSection(writer, section.keys, krl.keys.reduce((list, key) => list.string(key), new SshWriter()));
  return writer.toBuffer();
}

/** Sets of bits as ranges of the serials that they stand for. */
function bitmapRanges(offset: bigint, bitmap: Buffer, add: (range: SerialRange) => void): void {
  const bits = bitmap.length * 8;
  let first: bigint | undefined;
  for (let bit = 0; bit <= bits; bit++) {
    const byte = bitmap[bitmap.length - 1 - (bit >> 3)] ?? 0;
    const isSet = bit < bits && (byte & (1 << (bit & 7))) !== 0;
    if (isSet && first === undefined) first = offset + BigInt(bit);
    if (isSet || first === undefined) continue;
    add({ first, last: offset + BigInt(bit - 1) });
    first = undefined;
  }
}

function readCertificates(bytes: Buffer, count: () => void): RevokedCertificates {
  const reader = new SshReader(bytes, what);
  const caKey = reader.string();
  reader.string();
  const serials: SerialRange[] = [];
  const keyIds: string[] = [];
  const add = (range: SerialRange): void => {
    count();
    if (range.last < range.first || range.last >= 2n ** 64n) throw reader.error("a range of serials that ends before it begins");
    serials.push(range);
  };
  while (reader.remaining > 0) {
    const type = reader.bytes(1)[0];
    const content = new SshReader(reader.string(), what);
    if (type === part.bitmap) {
      const offset = content.uint64();
      const bitmap = content.mpint();
      if (bitmap.length > maxBitmap) throw reader.error(`a bitmap of more than ${maxBitmap} bytes`);
      bitmapRanges(offset, bitmap, add);
      content.end();
      continue;
    }
    if (type !== part.serials && type !== part.range && type !== part.keyIds) throw reader.error("a part of a kind that is not known");
    while (content.remaining > 0) {
      if (type === part.keyIds) {
        count();
        keyIds.push(content.text());
        continue;
      }
      const first = content.uint64();
      add({ first, last: type === part.range ? content.uint64() : first });
    }
  }
  return { caKey, serials: serials.sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0)), keyIds };
}

/**
 * Reads an unsigned list. Throws `bad_parameter` for bytes of another form, and for what it does not know (fingerprints, signatures, extensions): to pass over what is revoked
 * would be to let it in.
 */
export function parseKrl(bytes: Uint8Array): KeyRevocationList {
  if (bytes.length > maxBytes) throw new GatehouseError("bad_parameter", `${what} has more than ${maxBytes} bytes`);
  const reader = new SshReader(bytes, what);
  if (reader.uint64() !== magic || reader.uint32() !== formatVersion) throw reader.error("it does not begin as one does");
  const version = reader.uint64();
  const generated = Number(reader.uint64()) * 1000;
  reader.uint64();
  reader.string();
  const comment = reader.text();
  const certificates: RevokedCertificates[] = [];
  const keys: Buffer[] = [];
  let entries = 0;
  const count = (): void => {
    if (++entries > maxEntries) throw reader.error(`more than ${maxEntries} entries`);
  };
  while (reader.remaining > 0) {
    const type = reader.bytes(1)[0];
    const content = reader.string();
    if (type === section.certificates) certificates.push(readCertificates(content, count));
    else if (type === section.keys) {
      const list = new SshReader(content, what);
      while (list.remaining > 0) {
        count();
        keys.push(list.string());
      }
    } else throw reader.error("a section of a kind that is not known");
  }
  return { version, generated, comment, certificates, keys };
}
