import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { GatehouseError, systemClock, type Clock } from "../base/index.ts";
import { checkTerrapin } from "./algorithms.ts";
import { defaultTransportLimits } from "./limits.ts";
import { firstConnectionMessage, message, newMessage } from "./message.ts";
import { disconnectReason, type Transport, type TransportAlgorithms, type TransportEnd, type TransportHandlers, type TransportLimits } from "./types.ts";
import { maxPacket, Wire, type WireRole } from "./wire.ts";

const goodbyeTime = 5000;
const minute = 60_000;
/** Batches up to this size are copied into one write; larger ones are gathered by the kernel. */
const coalesceBelow = 8 * 1024;
const flushAt = 256 * 1024;
const maxReplies = 1024;
/** A peer that carried so many bytes since the last key exchange may ask for the next one whenever it likes. */
const worthKeys = 256 * 1024;
const keepalive = newMessage(message.globalRequest).string("keepalive@openssh.com").raw(Buffer.of(1)).toBuffer();
const maxPayload = maxPacket - 512;

interface Ping {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What is told while the peers do not know each other yet. */
export interface Establishing {
  /** The first key exchange is done. */
  readonly onKeys: () => void;
  /** A message of the service or user authentication protocol. */
  readonly onMessage: (payload: Buffer) => void;
  readonly onFailed: (error: Error) => void;
}

/** What a connection is made from. */
export interface ConnectionOptions {
  readonly socket: Duplex;
  readonly limits?: Partial<TransportLimits> | undefined;
  readonly clock?: Clock | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A socket that speaks SSH: first `Establishing` hears of it, then, from `establish` on, it is a {@link Transport}. */
export class Connection implements Transport {
  readonly limits: TransportLimits;
  user = "";
  readonly #socket: Duplex;
  readonly #wire: Wire;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  #establishing: Establishing | undefined;
  #handlers: TransportHandlers | undefined;
  #algorithms: TransportAlgorithms | undefined;
  #end: TransportEnd | undefined;
  #leaving = false;
  /** Who wants reading to stand still. */
  readonly #holds = new Set<string>();
  #out: Uint8Array[] = [];
  #outBytes = 0;
  #flushPlanned = false;
  #drainWanted = false;
  #sinceRekey = 0;
  /** What came since this side asked for new keys and the peer has not answered. */
  #unanswered: number | undefined;
  #peerRekeys: number[] = [];
  readonly #replies: (Ping | undefined)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(role: WireRole, options: ConnectionOptions, establishing: Establishing) {
    this.limits = { ...defaultTransportLimits, ...options.limits };
    this.#socket = options.socket;
    this.#clock = options.clock ?? systemClock;
    this.#signal = options.signal;
    this.#establishing = establishing;
    this.#wire = new Wire(role, {
      write: (bytes) => this.#write(bytes),
      payload: (payload) => this.#onPayload(payload),
      keys: (algorithms) => this.#onKeys(algorithms),
      exchange: (asked) => this.#onExchange(asked),
      disconnected: (reason, text) => {
        this.#finish({ by: "peer", reason, text });
        this.#leave();
      },
      failed: (error) => this.fail(error, disconnectReason.protocolError),
    });
    // Writes are gathered here: Nagle's algorithm would only hold keystrokes back.
    if (this.#socket instanceof Socket) this.#socket.setNoDelay(true);
    this.#socket.on("data", this.#onData);
    this.#socket.on("drain", this.#onDrain);
    this.#socket.on("error", this.#onLoss);
    this.#socket.on("end", this.#onEof);
    this.#socket.on("close", this.#onLoss);
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#limitTime(this.limits.handshakeTime, "the SSH key exchange");
    if (this.#signal?.aborted === true) this.#onAbort();
    else this.#wire.start();
    // A socket that was paused on its way here would stay so.
    this.#steer();
  }

  get peerVersion(): string {
    return this.#wire.peerVersion;
  }

  get sessionId(): Buffer {
    return this.#wire.sessionId;
  }

  get algorithms(): TransportAlgorithms {
    if (!this.#algorithms) throw new GatehouseError("internal", "the SSH key exchange is not done yet");
    return this.#algorithms;
  }

  get waiting(): number {
    return this.#socket.writableLength + this.#outBytes + this.#wire.queued;
  }

  /** Authentication is over: from now on, this is a transport. Nothing is read before `start`. False if the connection has ended meanwhile. */
  establish(user: string): boolean {
    if (this.#end) return false;
    this.user = user;
    this.#establishing = undefined;
    this.#wire.allowLargePackets();
    this.hold("start");
    this.#planRekey();
    return true;
  }

  start(handlers: TransportHandlers): void {
    if (this.#handlers) throw new GatehouseError("internal", "the SSH transport has been started already");
    this.#handlers = handlers;
    if (this.#end) handlers.onEnd(this.#end);
    else this.unhold("start");
  }

  send(payload: Uint8Array): boolean {
    if (this.#end) return true;
    if (payload.length > maxPayload) throw new GatehouseError("bad_parameter", `an SSH message of ${payload.length} bytes is too large to be sent`);
    if (payload[0] === message.globalRequest && wantsReply(payload)) this.#expectReply(undefined);
    this.#wire.send(payload);
    this.#count(payload.length);
    const { waiting } = this;
    if (waiting <= this.limits.highWater) return true;
    if (waiting > this.limits.maxWaiting) this.fail(new GatehouseError("limit_exceeded", `more than ${this.limits.maxWaiting} bytes wait for the SSH peer`), disconnectReason.byApplication);
    this.#drainWanted = true;
    return false;
  }

  pause(): void {
    this.hold("pause");
  }

  resume(): void {
    this.unhold("pause");
  }

  /** Stops reading for a reason, until `unhold` of the same. */
  hold(reason: string): void {
    this.#holds.add(reason);
    this.#wire.hold();
    this.#steer();
  }

  unhold(reason: string): void {
    if (!this.#holds.delete(reason) || this.#holds.size > 0 || this.#end) return;
    this.#wire.release();
    this.#steer();
  }

  #steer(): void {
    if (this.#end) return;
    if (this.#wire.stopped) this.#socket.pause();
    else this.#socket.resume();
  }

  ping(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#end) {
        reject(new GatehouseError("unavailable", "the SSH connection is closed"));
        return;
      }
      this.#expectReply({ resolve, reject });
      this.#wire.send(keepalive);
    });
  }

  rekey(): void {
    if (this.#end || this.#wire.rekeying) return;
    // No time is set for the answer: the peer may be stopped for a while.
    clearTimeout(this.#timer);
    this.#unanswered = 0;
    this.#wire.rekey();
    this.#steer();
  }

  disconnect(reason: number, text: string): void {
    if (this.#end) return;
    this.#sayGoodbye(reason, text);
    this.#finish({ by: "us", reason, text });
  }

  destroy(): void {
    this.#finish({ by: "us", reason: disconnectReason.byApplication, text: "" });
    this.#socket.destroy();
  }

  /** Ends with an error of this side or the peer's, which the peer is told in general terms. */
  fail(error: Error, reason: number, text = "protocol error"): void {
    if (this.#end) return;
    this.#sayGoodbye(reason, text);
    this.#finish({ by: "loss", error });
  }

  /** Sends a message of the service or user authentication protocol. */
  sendAuth(payload: Buffer): void {
    this.#wire.send(payload);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#wire.receive(chunk);
    if (this.#holds.size > 0) this.#steer();
  };

  readonly #onDrain = (): void => {
    if (!this.#drainWanted || this.#end || this.waiting > this.limits.highWater / 2) return;
    this.#drainWanted = false;
    this.#handlers?.onDrain?.();
  };

  /** The peer has sent all that it will. */
  readonly #onEof = (): void => {
    this.#finish({ by: "loss", error: undefined });
    this.#leave();
  };

  readonly #onLoss = (error?: unknown): void => {
    this.#finish({ by: "loss", error: error instanceof Error ? new GatehouseError("unavailable", `the SSH connection broke: ${error.message}`, { cause: error }) : undefined });
    this.#socket.destroy();
  };

  readonly #onAbort = (): void => {
    this.#finish({ by: "us", reason: disconnectReason.byApplication, text: "" });
    this.#socket.destroy();
  };

  #onPayload(payload: Buffer): void {
    this.#count(payload.length);
    if (this.#unanswered !== undefined) this.#countUnanswered(payload.length);
    const number = payload[0] ?? 0;
    if (this.#establishing) {
      if (number < firstConnectionMessage) this.#establishing.onMessage(payload);
      else this.fail(new GatehouseError("bad_parameter", "the SSH peer sent a message before it was authenticated"), disconnectReason.protocolError);
    } else if (number < firstConnectionMessage) {
      // RFC 4252 §5.1: requests after the success are to be ignored in silence.
      if (number !== message.userauthRequest && number !== message.extInfo && number !== message.userauthBanner) this.#wire.unimplemented();
    } else if (!this.#takeReply(number)) {
      this.#handlers?.onPayload(payload);
    }
  }

  #onKeys(algorithms: TransportAlgorithms): void {
    const first = this.#algorithms === undefined;
    this.#algorithms = algorithms;
    this.#sinceRekey = 0;
    this.#unanswered = undefined;
    if (!first) {
      if (!this.#establishing) this.#planRekey();
      return;
    }
    checkTerrapin(algorithms.strictKex, [algorithms.cipherIn, algorithms.cipherOut]);
    this.#limitTime(this.limits.authTime, "SSH authentication");
    this.#establishing?.onKeys();
  }

  #onExchange(asked: boolean): void {
    this.#unanswered = undefined;
    if (!asked && this.#sinceRekey < worthKeys && this.#tooOften()) {
      this.fail(new GatehouseError("limit_exceeded", "the SSH peer asks for new keys too often"), disconnectReason.protocolError);
    } else if (!this.#establishing) {
      this.#limitTime(this.limits.handshakeTime, "a new SSH key exchange");
    }
  }

  #tooOften(): boolean {
    const now = this.#clock.now();
    this.#peerRekeys = this.#peerRekeys.filter((time) => now - time < minute);
    this.#peerRekeys.push(now);
    return this.#peerRekeys.length > this.limits.rekeysPerMinute;
  }

  #countUnanswered(bytes: number): void {
    this.#unanswered = (this.#unanswered ?? 0) + bytes;
    if (this.#unanswered > this.limits.unansweredBytes) this.fail(new GatehouseError("limit_exceeded", "the SSH peer does not answer a key exchange"), disconnectReason.protocolError);
  }

  #count(bytes: number): void {
    this.#sinceRekey += bytes;
    if (this.#sinceRekey > this.limits.rekeyBytes && !this.#establishing) this.rekey();
  }

  #planRekey(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.rekey(), this.limits.rekeyTime).unref();
  }

  #limitTime(ms: number, what: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.fail(new GatehouseError("limit_exceeded", `${what} took longer than ${ms / 1000} s`), disconnectReason.byApplication, "too slow");
    }, ms);
  }

  #expectReply(ping: Ping | undefined): void {
    this.#replies.push(ping);
    if (this.#replies.length > maxReplies) this.fail(new GatehouseError("limit_exceeded", "the SSH peer does not answer global requests"), disconnectReason.byApplication);
  }

  /** Whether this is the answer to a request of the transport's own. */
  #takeReply(number: number): boolean {
    if (number !== message.requestSuccess && number !== message.requestFailure) return false;
    const ping = this.#replies.shift();
    ping?.resolve();
    return ping !== undefined;
  }

  #write(bytes: Uint8Array): void {
    this.#out.push(bytes);
    this.#outBytes += bytes.length;
    if (this.#outBytes >= flushAt) {
      this.#flush();
    } else if (!this.#flushPlanned) {
      this.#flushPlanned = true;
      // After this turn's other packets: they go out in one write.
      process.nextTick(this.#flushPlan);
    }
  }

  readonly #flushPlan = (): void => {
    this.#flushPlanned = false;
    this.#flush();
    this.#onDrain();
  };

  #flush(): void {
    const parts = this.#out;
    const total = this.#outBytes;
    this.#out = [];
    this.#outBytes = 0;
    if (parts.length === 0 || this.#socket.destroyed || this.#socket.writableEnded) return;
    if (total <= coalesceBelow) {
      this.#socket.write(Buffer.concat(parts, total));
      return;
    }
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  #sayGoodbye(reason: number, text: string): void {
    try {
      this.#wire.disconnect(reason, text);
      this.#flush();
    } finally {
      this.#leave();
    }
  }

  /** Closes once what was written is on its way. What still comes in is read and dropped: unread bytes would reset the connection before the peer has read all. */
  #leave(): void {
    if (this.#leaving || this.#socket.destroyed) return;
    this.#leaving = true;
    this.#socket.off("data", this.#onData);
    this.#socket.resume();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), goodbyeTime);
    this.#socket.once("close", () => clearTimeout(timer));
    const done = (): void => {
      if (this.#socket.readableEnded && this.#socket.writableFinished) this.#socket.destroy();
    };
    this.#socket.once("end", done).once("finish", done);
    done();
  }

  #finish(end: TransportEnd): void {
    if (this.#end) return;
    this.#end = end;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#wire.close();
    const lost = new GatehouseError("unavailable", "the SSH connection is closed");
    for (const ping of this.#replies) ping?.reject(lost);
    this.#establishing?.onFailed(failure(end));
    this.#handlers?.onEnd(end);
  }
}

/** Why no transport came to be. */
function failure(end: TransportEnd): Error {
  if (end.by === "peer") return new GatehouseError("unavailable", `the SSH peer closed the connection: ${end.text}`);
  if (end.by === "us") return new GatehouseError("unavailable", "the SSH connection was given up");
  return end.error ?? new GatehouseError("unavailable", "the SSH peer closed the connection without a word");
}

/** Whether a global request asks for an answer; one that is cut short asks for none. */
function wantsReply(request: Uint8Array): boolean {
  const [, a = 0, b = 0, c = 0, d = 0] = request;
  return (request[5 + ((a << 24) | (b << 16) | (c << 8) | d)] ?? 0) !== 0;
}
