import { asBuffer } from "./bytes.ts";

/** Types of SFTP packets, version 3 (draft-ietf-secsh-filexfer-02 §3). */
export const sftpType = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  readlink: 19,
  symlink: 20,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

/** Longest packet, bytes; OpenSSH takes 256 KiB. */
const maxPacket = 1024 * 1024;
/** Longest packet that is read whole. */
const maxWhole = 64 * 1024;
/** Longest handle (the draft's §6.2). */
const maxHandle = 256;
const lengthAndType = 5;

/** How much of a packet is wanted. */
export type SftpInterest =
  /** All of it, at once. */
  | "whole"
  /** Its first bytes, so many at most. */
  | number
  /** Its id (and what stands before its content), and then the content as it comes. */
  | "content";

/** Whom packets are told. `body` is what stands behind the type; a view that is good during the call alone. */
export interface SftpPacketSink {
  /** Throws `bad_parameter` for a type that may not come. */
  interest(type: number): SftpInterest;
  packet(type: number, body: Buffer): void;
  /** Content of the packet that was told last. */
  content(bytes: Buffer): void;
}

/** Cuts one direction of SFTP into packets, from pieces that are cut anywhere; keeps 64 KiB of one at most. */
export class SftpPackets {
  readonly #sink: SftpPacketSink;
  /** Beginning of the packet under way. */
  #kept: Buffer[] = [];
  #keptLength = 0;
  #type = 0;
  /** Bytes of the packet behind its type; -1 where its length is not known yet. */
  #length = -1;
  /** Bytes to be gathered before something can be done. */
  #need = lengthAndType;
  /** How the packet goes on once that is done: -1 before, else bytes of it that are left. */
  #left = -1;
  #tell = false;
  #problem: string | undefined;

  constructor(sink: SftpPacketSink) {
    this.#sink = sink;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  feed(bytes: Uint8Array): void {
    const chunk = asBuffer(bytes);
    for (let at = 0; at < chunk.length && this.#problem === undefined; ) {
      if (this.#left >= 0) {
        const end = Math.min(chunk.length, at + this.#left);
        this.#left -= end - at;
        if (this.#tell) this.#sink.content(chunk.subarray(at, end));
        at = end;
        if (this.#left === 0) this.#next();
        continue;
      }
      const end = Math.min(chunk.length, at + this.#need - this.#keptLength);
      const piece = chunk.subarray(at, end);
      at = end;
      if (this.#keptLength + piece.length < this.#need) {
        this.#keptLength += piece.length;
        this.#kept.push(Buffer.from(piece));
      } else {
        this.#gathered(this.#kept.length === 0 ? piece : Buffer.concat([...this.#kept, piece]));
      }
    }
  }

  #fail(problem: string): void {
    this.#problem = problem;
    this.#kept = [];
  }

  #next(): void {
    this.#length = -1;
    this.#left = -1;
    this.#wait(lengthAndType);
  }

  #wait(need: number): void {
    this.#kept = [];
    this.#keptLength = 0;
    this.#need = need;
  }

  /** Everything that was needed is there. */
  #gathered(bytes: Buffer): void {
    if (this.#length >= 0) {
      this.#begun(bytes);
      return;
    }
    const length = bytes.readUInt32BE(0) - 1;
    this.#type = bytes.readUInt8(4);
    if (length < 0 || length >= maxPacket) {
      this.#fail(`a packet of ${String(length + 1)} bytes`);
      return;
    }
    this.#length = length;
    const interest = this.#sink.interest(this.#type);
    if (interest === "whole" && length > maxWhole) {
      this.#fail(`a packet of type ${String(this.#type)} with ${String(length + 1)} bytes`);
      return;
    }
    this.#tell = interest === "content";
    const need = interest === "whole" ? length : Math.min(length, interest === "content" ? 8 : interest);
    if (this.#tell && need < 8) this.#fail("a packet ends before its content");
    else if (need === 0) this.#begun(Buffer.alloc(0));
    else this.#wait(need);
  }

  /** The first part of a packet is there. */
  #begun(bytes: Buffer): void {
    if (this.#tell && this.#type === sftpType.write) {
      // Before the content stands the handle, then the offset and the content's length.
      const handle = bytes.readUInt32BE(4);
      const head = 8 + handle + 12;
      if (handle > maxHandle || head > this.#length) {
        this.#fail("a write with a handle that does not fit");
        return;
      }
      if (bytes.length < head) {
        this.#kept = [Buffer.from(bytes)];
        this.#keptLength = bytes.length;
        this.#need = head;
        return;
      }
    }
    this.#left = this.#length - bytes.length;
    if (this.#tell && bytes.readUInt32BE(bytes.length - 4) !== this.#left) {
      this.#fail("content of another length than its packet has");
      return;
    }
    this.#sink.packet(this.#type, bytes);
    if (this.#left === 0) this.#next();
    else this.#wait(0);
  }
}
