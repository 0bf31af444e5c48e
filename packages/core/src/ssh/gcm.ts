import { createCipheriv, createDecipheriv, randomBytes, type CipherGCMTypes } from "node:crypto";
import { GatehouseError } from "../base/index.ts";

/** What ssh2 keeps in its own AES-GCM objects; both read as they are after a key exchange, before anything was encrypted with them. */
export interface Ssh2GcmCipher {
  readonly _encSSLName: CipherGCMTypes;
  readonly _encKey: Buffer;
  readonly _encIV: Buffer;
  readonly _onWrite: (bytes: Uint8Array) => void;
  readonly outSeqno: number;
}
export interface Ssh2GcmDecipher {
  readonly _decipherSSLName: CipherGCMTypes;
  readonly _decipherKey: Buffer;
  readonly _decipherIV: Buffer;
  readonly _maxPacketSize: number;
  readonly inSeqno: number;
  _onPayload: (payload: Buffer) => unknown;
}

const block = 16;
const tagLength = 16;
const minPadding = 4;
/** From this size on, a payload is encrypted where it lies. */
const wholeFrom = 2048;
// The cipher hides it and the tag covers it: it need not be fresh (RFC 4253 §6 asks for any bytes, random at best).
const padding = randomBytes(minPadding + block);

function paddingOf(payloadLength: number): number {
  const rest = block - ((1 + payloadLength) % block);
  return rest < minPadding ? rest + block : rest;
}

/** Counts the last eight bytes of a nonce up by one (RFC 5647 §7.1). */
function countUp(nonce: Buffer): void {
  for (let at = 11; at >= 4; at--) {
    const next = ((nonce[at] ?? 0) + 1) & 0xff;
    nonce[at] = next;
    if (next !== 0) return;
  }
}

/** AES-GCM for packets going out (RFC 5647): as ssh2's, but a large payload is neither copied nor allocated for twice. */
export class GcmCipher {
  outSeqno: number;
  readonly #name: CipherGCMTypes;
  readonly #key: Buffer;
  readonly #nonce: Buffer;
  readonly #write: (bytes: Uint8Array) => void;
  #dead = false;

  constructor(cipher: Ssh2GcmCipher) {
    this.outSeqno = cipher.outSeqno;
    this.#name = cipher._encSSLName;
    this.#key = cipher._encKey;
    this.#nonce = cipher._encIV;
    this.#write = cipher._onWrite;
  }

  free(): void {
    this.#dead = true;
  }

  /** A packet whose payload is to be written at byte 5. */
  allocPacket(payloadLength: number): Buffer {
    const padded = paddingOf(payloadLength);
    const packet = Buffer.allocUnsafe(5 + payloadLength + padded);
    packet.writeUInt32BE(1 + payloadLength + padded);
    packet[4] = padded;
    padding.copy(packet, 5 + payloadLength, 0, padded);
    return packet;
  }

  encrypt(packet: Buffer): void {
    if (this.#dead) return;
    const cipher = createCipheriv(this.#name, this.#key, this.#nonce);
    const length = packet.subarray(0, 4);
    cipher.setAAD(length);
    this.#write(length);
    this.#write(cipher.update(packet.subarray(4)));
    cipher.final();
    this.#write(cipher.getAuthTag());
    this.#next();
  }

  /** Encrypts a payload into a packet of its own. */
  seal(payload: Uint8Array): void {
    if (payload.length < wholeFrom) {
      const packet = this.allocPacket(payload.length);
      packet.set(payload, 5);
      this.encrypt(packet);
      return;
    }
    if (this.#dead) return;
    const cipher = createCipheriv(this.#name, this.#key, this.#nonce);
    const padded = paddingOf(payload.length);
    const head = Buffer.allocUnsafe(5);
    head.writeUInt32BE(1 + payload.length + padded);
    cipher.setAAD(head.subarray(0, 4));
    head[4] = padded;
    head.set(cipher.update(head.subarray(4)), 4);
    this.#write(head);
    this.#write(cipher.update(payload));
    const tail = cipher.update(padding.subarray(0, padded));
    cipher.final();
    this.#write(Buffer.concat([tail, cipher.getAuthTag()]));
    this.#next();
  }

  #next(): void {
    countUp(this.#nonce);
    this.outSeqno = (this.outSeqno + 1) >>> 0;
  }
}

const scratchSize = 36 * 1024;
const maxSpares = 4;
/** Room to gather packets in that come in pieces; it is held for as long as one is incomplete. */
const spares: Buffer[] = [];

/** AES-GCM for packets coming in: as ssh2's, but a packet that comes in two pieces is put together before it is decrypted, into room that is used again. */
export class GcmDecipher {
  inSeqno: number;
  _onPayload: (payload: Buffer) => unknown;
  _maxPacketSize: number;
  readonly #name: CipherGCMTypes;
  readonly #key: Buffer;
  readonly #nonce: Buffer;
  /** Bytes there are of a packet in pieces, and how many it has in all; the latter is known with its first four. */
  #have = 0;
  #total = 0;
  #length = 0;
  #scratch: Buffer | undefined;

  constructor(decipher: Ssh2GcmDecipher) {
    this.inSeqno = decipher.inSeqno;
    this._onPayload = decipher._onPayload;
    this._maxPacketSize = decipher._maxPacketSize;
    this.#name = decipher._decipherSSLName;
    this.#key = decipher._decipherKey;
    this.#nonce = decipher._decipherIV;
  }

  free(): void {
    this.#giveBack();
  }

  /** Handles packets from `start` on, until a handler returns something else than undefined: then where the next one begins, or (unless false) what it returned. */
  decrypt(data: Buffer, start: number, end: number): number | undefined {
    let at = start;
    while (at < end) {
      let packet: Buffer | undefined;
      if (this.#have === 0 && end - at >= 4) {
        const total = this.#totalOf(data.readUInt32BE(at));
        if (end - at >= total) {
          packet = data.subarray(at, at + total);
          at += total;
        }
      }
      if (!packet) {
        at = this.#gather(data, at, end);
        if (this.#have < 4 || this.#have < this.#total) return undefined;
        packet = this.#scratch?.subarray(0, this.#total) ?? data;
      }
      const payload = this.#open(packet);
      this.#giveBack();
      const handled = this._onPayload(payload);
      if (handled !== undefined) return handled === false ? at : (handled as number);
    }
    return undefined;
  }

  #totalOf(length: number): number {
    const total = 4 + length + tagLength;
    if (length < block || length % block !== 0 || total > this._maxPacketSize) throw new GatehouseError("bad_parameter", "bad packet length");
    return total;
  }

  #gather(data: Buffer, start: number, end: number): number {
    let at = start;
    for (; this.#have < 4 && at < end; this.#have++) this.#length = ((this.#length << 8) | (data[at++] ?? 0)) >>> 0;
    if (this.#have < 4) return at;
    if (!this.#scratch) {
      this.#total = this.#totalOf(this.#length);
      this.#scratch = this.#total <= scratchSize ? (spares.pop() ?? Buffer.allocUnsafeSlow(scratchSize)) : Buffer.allocUnsafeSlow(this.#total);
      this.#scratch.writeUInt32BE(this.#length);
    }
    const bytes = Math.min(this.#total - this.#have, end - at);
    data.copy(this.#scratch, this.#have, at, at + bytes);
    this.#have += bytes;
    return at + bytes;
  }

  #open(packet: Buffer): Buffer {
    const decipher = createDecipheriv(this.#name, this.#key, this.#nonce);
    const end = packet.length - tagLength;
    decipher.setAAD(packet.subarray(0, 4));
    const plain = decipher.update(packet.subarray(4, end));
    decipher.setAuthTag(packet.subarray(end));
    decipher.final();
    countUp(this.#nonce);
    this.inSeqno = (this.inSeqno + 1) >>> 0;
    const padded = plain[0] ?? 0;
    if (padded < minPadding || padded >= plain.length) throw new GatehouseError("bad_parameter", "bad padding");
    return plain.subarray(1, plain.length - padded);
  }

  #giveBack(): void {
    const scratch = this.#scratch;
    this.#have = this.#total = this.#length = 0;
    this.#scratch = undefined;
    if (scratch?.length === scratchSize && spares.length < maxSpares) spares.push(scratch);
  }
}
