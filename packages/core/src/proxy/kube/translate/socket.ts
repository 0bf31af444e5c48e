import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Translation, Turn } from "../../../formats/index.ts";
import { failure } from "../status.ts";

/** How long an API server may take to take up the streams of a command, ms; client-go waits as long. */
const openTime = 30_000;
/** How often both sides are shown that the connection is alive, ms: well below what proxies on the way call idle. */
const keepAliveTime = 20_000;
/** How long an API server may take to read what a client that is gone has left, ms. */
const flushTime = 30_000;
/** What may wait for either side, bytes. */
const highWaterMark = 64 * 1024;

/** What a joined pair needs of the API server's side. */
export type ServerSide = Duplex & { destroySoon(): void };

/**
 * An API server that speaks SPDY, as a socket that speaks WebSocket: what is written to it is understood as a WebSocket client's, what is read from
 * it is a WebSocket server's. Whole frames alone are read. Back-pressure reaches from either end to the other; no more waits than
 * {@link highWaterMark} and one chunk.
 */
export class TranslatedSocket extends Duplex implements ServerSide {
  readonly #server: Socket;
  readonly #translation: Translation;
  readonly #keepAlive: NodeJS.Timeout;
  #opening: NodeJS.Timeout | undefined;
  /** Goes on with what the client wrote, once the API server can take it. */
  #goOn: (() => void) | undefined;
  /** The client reads as fast as it is written to. */
  #flowing = true;
  /** Answer to a ping that the client has to read other things before. */
  #pong: Buffer | undefined;
  #ended = false;

  /** `head` is what came from the server right after its 101. */
  constructor(server: Socket, translation: Translation, head: Buffer) {
    super({ allowHalfOpen: true, readableHighWaterMark: highWaterMark, writableHighWaterMark: highWaterMark });
    this.#server = server;
    this.#translation = translation;
    server.allowHalfOpen = true;
    this.#opening = setTimeout(() => this.#deliver(translation.fail(failure(504, "the API server did not open the streams of the command in time"))), openTime).unref();
    this.#keepAlive = setInterval(() => {
      if (this.#flowing && !server.writableNeedDrain) this.#deliver(translation.keepAlive());
    }, keepAliveTime).unref();
    server.on("drain", () => {
      this.#resumeReading();
      this.#resumeWriting();
    });
    server.on("end", () => this.#serverEnded(false));
    server.on("error", () => this.#serverEnded(true));
    server.on("close", () => this.#serverEnded(true));
    this.#deliver(translation.open());
    if (head.length > 0) this.#fromServer(head);
    server.on("data", (chunk: Buffer) => this.#fromServer(chunk));
    // It may have ended before anybody listened.
    if (server.readableEnded) this.#serverEnded(false);
  }

  override _read(): void {
    this.#flowing = true;
    const pong = this.#pong;
    this.#pong = undefined;
    if (pong !== undefined) this.#push(pong);
    this.#resumeReading();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#ended) {
      // A client that was told the end may still be saying something.
      done();
    } else if (!this.#translation.ready) {
      this.#goOn = () => this._write(chunk, _encoding, done);
    } else {
      this.#deliver(this.#translation.fromClient(chunk));
      if (this.#server.writableNeedDrain) this.#goOn = done;
      else done();
    }
  }

  override _final(done: () => void): void {
    if (this.#server.destroyed || this.#server.writableFinished) done();
    else this.#server.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#opening);
    clearInterval(this.#keepAlive);
    this.#ended = true;
    this.#server.destroy();
    done(error);
  }

  /** As a `Socket`'s: what was written still goes out, if the API server takes it before long. */
  destroySoon(): void {
    if (!this.#translation.ready) this.destroy();
    if (this.writable) this.end();
    if (this.writableFinished) {
      this.destroy();
    } else if (!this.destroyed) {
      this.once("finish", () => this.destroy());
      setTimeout(() => this.destroy(), flushTime).unref();
    }
  }

  #fromServer(chunk: Buffer): void {
    if (!this.#ended) this.#deliver(this.#translation.fromServer(chunk));
  }

  #serverEnded(broken: boolean): void {
    if (!this.#ended) this.#deliver(this.#translation.serverEnded(broken));
    this.#resumeWriting();
  }

  /** Does what a turn says. */
  #deliver({ toClient, toServer, pong }: Turn): void {
    if (this.#ended) return;
    if (toServer.length > 0 && this.#server.writable) this.#server.write(toServer);
    if (toClient.length > 0) this.#push(toClient);
    if (pong !== undefined) {
      if (this.#flowing) this.#push(pong);
      else this.#pong = pong;
    }
    // Answers to pings, too, wait no further than that.
    if (this.#server.writableNeedDrain) this.#server.pause();
    if (this.#translation.done) {
      this.#end();
    } else if (this.#translation.ready && this.#opening !== undefined) {
      clearTimeout(this.#opening);
      this.#opening = undefined;
      this.#resumeWriting();
    }
  }

  #push(bytes: Buffer): void {
    if (this.push(bytes)) return;
    this.#flowing = false;
    this.#server.pause();
  }

  /** Both have been told all. */
  #end(): void {
    this.#ended = true;
    clearTimeout(this.#opening);
    clearInterval(this.#keepAlive);
    this.push(null);
    this.#server.destroySoon();
    this.#resumeWriting();
  }

  #resumeReading(): void {
    if (this.#flowing && !this.#server.writableNeedDrain) this.#server.resume();
  }

  #resumeWriting(): void {
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
  }
}
