import { Duplex } from "node:stream";
import { encodeExitStatus, encodeSshMessage } from "../../formats/index.ts";
import type { Transport } from "../../ssh/index.ts";

/** What a channel needs of its connection. */
export interface ChannelLink {
  readonly transport: Pick<Transport, "send">;
  /** Calls back once the connection takes more. */
  whenDrained(resume: () => void): void;
  /** Both sides have closed it: its number is free. */
  closed(channel: Channel): void;
}

/** How a channel begins. */
export interface ChannelStart {
  /** Its number here. */
  readonly id: number;
  /** Its number at the peer, what the peer takes before it adjusts, and how much in one message. */
  readonly peerId: number;
  readonly peerWindow: number;
  readonly peerPacket: number;
  /** What the peer may send before it is adjusted. */
  readonly window: number;
}

const maxPacket = 32 * 1024;
/** How long what came before a close may wait to be read, ms. */
const lingerTime = 5000;
const maxPeerWindow = 0xffffffff;

/** A channel of an SSH connection (RFC 4254 §5) as a stream of its bytes; `end` is its EOF, `destroy` closes it. */
export class Channel extends Duplex {
  readonly id: number;
  readonly peerId: number;
  /** Told to the peer before the close, where something ran: 0 for well. */
  exitStatus: number | undefined;
  readonly #link: ChannelLink;
  readonly #windowSize: number;
  readonly #peerPacket: number;
  #peerWindow: number;
  /** What the peer may still send. */
  #window: number;
  /** What was taken and the peer not told of yet. */
  #taken = 0;
  /** What came while nobody read. */
  #held = 0;
  #waiting: (() => void) | undefined;
  #eofSent = false;
  #eofSeen = false;
  #closeSent = false;
  #closeSeen = false;

  constructor(link: ChannelLink, start: ChannelStart) {
    super({ allowHalfOpen: true, readableHighWaterMark: maxPacket * 4, writableHighWaterMark: maxPacket * 4, emitClose: true });
    this.#link = link;
    this.id = start.id;
    this.peerId = start.peerId;
    this.#peerWindow = start.peerWindow;
    this.#peerPacket = Math.min(start.peerPacket, maxPacket);
    this.#windowSize = start.window;
    this.#window = start.window;
    // A connection that breaks destroys its channels: whoever reads them hears of it by their close.
    this.on("error", () => undefined);
  }

  /** Data from the peer. Returns false where it sent more than it may. */
  receive(data: Buffer): boolean {
    if (data.length > this.#window) return false;
    this.#window -= data.length;
    if (this.destroyed || this.#eofSeen || data.length === 0) return true;
    if (this.push(data)) this.#take(data.length);
    else this.#held += data.length;
    return true;
  }

  /** Bytes of another kind, that nobody reads. Returns false where the peer sent more than it may. */
  discard(bytes: number): boolean {
    if (bytes > this.#window) return false;
    this.#window -= bytes;
    this.#take(bytes);
    return true;
  }

  /** EOF from the peer. */
  receiveEof(): void {
    if (this.destroyed || this.#eofSeen) return;
    this.#eofSeen = true;
    this.push(null);
  }

  /** CLOSE from the peer. */
  receiveClose(): void {
    this.#closeSeen = true;
    this.#sendClose();
    this.#link.closed(this);
    if (this.destroyed) return;
    this.receiveEof();
    this.#goOn();
    // What came before is still read, if somebody does soon.
    if (this.readableLength === 0) this.destroy();
    else {
      this.once("end", () => this.destroy());
      setTimeout(() => this.destroy(), lingerTime).unref();
    }
  }

  /** The peer takes more. Returns false for more than a window may be. */
  adjust(bytes: number): boolean {
    if (this.#peerWindow + bytes > maxPeerWindow) return false;
    this.#peerWindow += bytes;
    this.#goOn();
    return true;
  }

  /** Bytes of stderr: best effort, as much as the peer takes now. */
  sendStderr(text: string): void {
    if (this.#eofSent || this.#closeSent) return;
    const data = Buffer.from(text).subarray(0, Math.min(this.#peerWindow, this.#peerPacket));
    if (data.length === 0) return;
    this.#peerWindow -= data.length;
    this.#send({ type: "channel_extended_data", channel: this.peerId, code: 1, data });
  }

  sendRequest(name: string, data: Buffer): void {
    if (!this.#closeSent) this.#send({ type: "channel_request", channel: this.peerId, name, wantReply: false, data });
  }

  reply(success: boolean): void {
    if (!this.#closeSent) this.#send({ type: success ? "channel_success" : "channel_failure", channel: this.peerId });
  }

  override _read(): void {
    const held = this.#held;
    this.#held = 0;
    if (held > 0) this.#take(held);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    let at = 0;
    const go = (): void => {
      while (at < chunk.length) {
        if (this.#closeSent) {
          done();
          return;
        }
        const length = Math.min(chunk.length - at, this.#peerPacket, this.#peerWindow);
        if (length === 0) {
          this.#waiting = go;
          return;
        }
        this.#peerWindow -= length;
        const more = this.#send({ type: "channel_data", channel: this.peerId, data: chunk.subarray(at, at + length) });
        at += length;
        if (!more && at < chunk.length) {
          this.#link.whenDrained(go);
          return;
        }
        if (!more) {
          this.#link.whenDrained(() => done());
          return;
        }
      }
      done();
    };
    go();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#eofSent && !this.#closeSent) {
      this.#eofSent = true;
      this.#send({ type: "channel_eof", channel: this.peerId });
    }
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#sendClose();
    this.#goOn();
    done(error);
  }

  #goOn(): void {
    const go = this.#waiting;
    this.#waiting = undefined;
    go?.();
  }

  #take(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < this.#windowSize / 2 || this.#closeSent || this.#closeSeen) return;
    this.#window += this.#taken;
    this.#send({ type: "channel_window_adjust", channel: this.peerId, bytes: this.#taken });
    this.#taken = 0;
  }

  #sendClose(): void {
    if (this.#closeSent) return;
    if (this.exitStatus !== undefined && !this.#closeSeen) this.sendRequest("exit-status", encodeExitStatus(this.exitStatus));
    this.#closeSent = true;
    this.#send({ type: "channel_close", channel: this.peerId });
  }

  #send(message: Parameters<typeof encodeSshMessage>[0]): boolean {
    return this.#link.transport.send(encodeSshMessage(message));
  }
}
