import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { StreamTap } from "../../formats/index.ts";
import { lingerTime } from "../../relay/index.ts";
import type { SessionStream } from "../sessions/index.ts";
import type { Grant } from "./authorize.ts";
import { disconnectEvent } from "./events.ts";
import type { Shared } from "./gateway.ts";
import type { Live } from "./registry.ts";
import type { StreamSession } from "./sessions/index.ts";
import { failure } from "./status.ts";
import type { Failure } from "./status.ts";
import type { ServerSide } from "./translate/index.ts";

/**
 * What may wait for a side to take it before the other is held back, bytes. Sockets call for that at 16 KiB, a single TLS record: each would be
 * written, and waited for, alone.
 */
const ahead = 256 * 1024;
/** How long to wait for the end of a frame before the connection is cut without a word, ms. */
const boundaryWait = 500;
/** How long one direction may stay open after the other has ended, ms; and at most, where a client that is still there reads what is left. */
const halfOpenTime = 30_000;
const longestHalfOpen = 600_000;
/** How long an API server may take to read what a client that is gone has left, ms. */
const flushTime = 30_000;

/** Two sockets joined: bytes pass unchanged both ways, a tap looks on, and the stream can be ended with a reason. */
export class StreamPair implements Live, SessionStream {
  readonly grant: Grant;
  readonly stream = true;
  lastActive: number;
  readonly #shared: Shared;
  readonly #client: TLSSocket;
  readonly #server: ServerSide;
  readonly #tap: StreamTap;
  readonly #session: StreamSession | undefined;
  #ending: Failure | undefined;
  #said = false;
  #over = false;
  #carried = 0;
  #halfOpenSince: number | undefined;
  /** When the client last sent anything, pings included; counted once the API server has ended. */
  #heard = 0;

  constructor(shared: Shared, grant: Grant, client: TLSSocket, server: ServerSide, tap: StreamTap, session?: StreamSession) {
    this.#shared = shared;
    this.grant = grant;
    this.#client = client;
    this.#server = server;
    this.#tap = tap;
    this.#session = session;
    this.lastActive = shared.clock.now();
  }

  get sid(): string | undefined {
    return this.#session?.sid;
  }

  get carried(): number {
    return this.#carried;
  }

  /** Starts to pass bytes; what came right after the headers goes first. */
  start(clientHead: Buffer, serverHead: Buffer): void {
    const client = this.#client;
    const server = this.#server;
    this.grant.upstream.streams += 1;
    this.#shared.registry.add(this);
    this.#session?.run(this);
    // Each side ends when the other does, not by itself: what is under way the other way still arrives.
    client.allowHalfOpen = true;
    server.allowHalfOpen = true;
    client.on("error", ignore);
    server.on("error", ignore);
    client.on("close", this.#closed);
    server.on("close", this.#closed);
    if (clientHead.length > 0) this.#fromClient(clientHead);
    if (serverHead.length > 0) this.#fromServer(serverHead);
    client.on("drain", this.#flow);
    server.on("drain", this.#flow);
    client.on("end", () => this.#ended(server));
    server.on("end", () => this.#ended(client));
    client.on("data", this.#fromClient);
    server.on("data", this.#fromServer);
    // It may have ended before anybody listened.
    if (server.readableEnded) this.#ended(client);
    // Its recording may have failed, or fallen behind, before it ran.
    if (this.#session !== undefined) this.changed();
  }

  end(why: Failure): void {
    if (this.#over || this.#ending !== undefined) return;
    this.#ending = why;
    this.#shared.recorder.write(disconnectEvent(this.grant, why.message, this.sid));
    if (this.#tap.problem === undefined && this.#tap.atBoundary) this.#say();
    else {
      // Held back, it would never come to the end of the frame.
      this.#server.resume();
      setTimeout(this.#cut, boundaryWait).unref();
    }
  }

  /** The recording is behind or not any more, or is no longer possible. */
  changed(): void {
    const problem = this.#session?.problem;
    if (problem !== undefined) this.end(failure(500, `access ended: ${problem}`));
    else if (this.#session?.behind === true) this.#hold();
    else this.#flow();
  }

  tick(now: number): void {
    this.#session?.tick(now);
    if (this.#halfOpenSince !== undefined && this.#isStale(this.#halfOpenSince, now)) this.#cut();
  }

  readonly #fromClient = (chunk: Buffer): void => {
    if (this.#halfOpenSince !== undefined) this.#heard = this.#shared.clock.now();
    if (this.#ending !== undefined || this.#over) return;
    this.#tap.fromClient(chunk);
    this.#noteActivity();
    if (this.#tap.problem !== undefined) this.#malformed("client");
    else this.#pass(chunk, this.#server, this.#client);
    if (this.#session?.behind === true) this.#hold();
  };

  readonly #fromServer = (chunk: Buffer): void => {
    if (this.#said) return;
    const boundary = this.#ending !== undefined && this.#isUnrecorded ? this.#endOfFrame(chunk) : this.#tap.fromServer(chunk);
    this.#noteActivity();
    if (this.#tap.problem !== undefined) {
      this.#malformed("API server");
    } else if (this.#ending !== undefined && boundary >= 0) {
      if (boundary > 0) this.#client.write(chunk.subarray(0, boundary));
      this.#say();
    } else {
      this.#pass(chunk, this.#client, this.#server);
    }
    if (this.#session?.behind === true) this.#hold();
  };

  #pass(chunk: Buffer, to: Duplex, from: Duplex): void {
    to.write(chunk);
    if (isFull(to)) from.pause();
  }

  /** What passes now may be in no recording. */
  get #isUnrecorded(): boolean {
    return this.#session?.problem !== undefined || this.#session?.behind === true;
  }

  /** Shows the tap a chunk up to the end of the frame under way alone, and returns where that is; -1 if not in it. */
  #endOfFrame(chunk: Buffer): number {
    // No frame is shorter than two bytes: no two end in one such piece.
    for (let at = 0; at < chunk.length && this.#tap.problem === undefined; at += 2) {
      const end = this.#tap.fromServer(chunk.subarray(at, at + 2));
      if (end >= 0) return at + end;
    }
    return -1;
  }

  #hold(): void {
    if (this.#said || this.#over || this.#ending !== undefined) return;
    this.#client.pause();
    this.#server.pause();
  }

  /** Lets each side send on whose other side takes more. */
  readonly #flow = (): void => {
    if (this.#said || this.#over || (this.#session?.behind === true && this.#ending === undefined)) return;
    if (!isFull(this.#client)) this.#server.resume();
    if (!isFull(this.#server)) this.#client.resume();
  };

  /** kubectl pings every few seconds: that somebody's terminal is open does not make them active. */
  #noteActivity(): void {
    const { carried } = this.#tap;
    if (carried === this.#carried) return;
    this.#carried = carried;
    this.lastActive = this.#shared.clock.now();
  }

  /** Tells the client why at a place where a frame may stand, and hangs up on the API server. */
  #say(): void {
    const why = this.#ending;
    if (this.#said || this.#over || why === undefined) return;
    this.#said = true;
    const frames = this.#tap.endFrames(why);
    if (frames === undefined) {
      this.#cut();
      return;
    }
    this.#client.write(frames);
    this.#client.resume();
    this.#server.destroy();
    setTimeout(this.#cut, lingerTime).unref();
  }

  #malformed(side: string): void {
    const why = failure(400, `the ${side} sent bytes that are not the protocol that was negotiated: ${this.#tap.problem ?? ""}`);
    if (this.#ending === undefined) {
      this.#ending = why;
      this.#shared.recorder.write(disconnectEvent(this.grant, why.message, this.sid));
    }
    this.#cut();
  }

  #ended(other: Duplex): void {
    if (this.#said) return;
    this.#halfOpenSince ??= this.#shared.clock.now();
    other.end();
  }

  #isStale(since: number, now: number): boolean {
    return now - Math.max(since, this.#heard) >= halfOpenTime || now - since >= longestHalfOpen;
  }

  /** One side is gone. What was already passed to the other still goes out; nothing more comes. */
  readonly #closed = (): void => {
    this.#finish();
    if (this.#said) return;
    if (!this.#server.destroyed) {
      this.#server.destroySoon();
      // Who does not read would keep it for ever.
      setTimeout(() => this.#server.destroy(), flushTime).unref();
    }
    if (!this.#client.destroyed) this.#drain((this.#halfOpenSince ??= this.#shared.clock.now()));
  };

  /**
   * Lets the client read what is left, which may be megabytes in the system's buffers. Closed while it still sends, pings that is, the connection
   * would be reset, and that be lost.
   */
  #drain(since: number): void {
    const client = this.#client;
    client.end();
    client.resume();
    const heard = this.#heard;
    setTimeout(() => {
      if (client.destroyed) return;
      if (this.#heard === heard || this.#isStale(since, this.#shared.clock.now())) client.destroy();
      else this.#drain(since);
    }, halfOpenTime).unref();
  }

  readonly #cut = (): void => {
    this.#finish();
    this.#client.destroy();
    this.#server.destroy();
  };

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.grant.upstream.streams -= 1;
    this.#shared.registry.remove(this);
    this.#session?.end(this.#ending?.message);
  }
}

/** It says `drain` once it is not any more. */
function isFull(socket: Duplex): boolean {
  return socket.writableNeedDrain && socket.writableLength > ahead;
}

/** What breaks a side closes it too, and that is looked at. */
const ignore = (): void => undefined;
