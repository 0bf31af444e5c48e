import { GatehouseError } from "../../base/index.ts";
import { channelOpenFailure, encodeSshMessage, parseSshMessage } from "../../formats/index.ts";
import type { SshMessage } from "../../formats/index.ts";
import { disconnectReason } from "../../ssh/index.ts";
import type { Transport, TransportEnd } from "../../ssh/index.ts";
import { Channel } from "./channel.ts";
import type { SshLimits } from "./types.ts";

export type OpenMessage = Extract<SshMessage, { type: "channel_open" }>;
export type RequestMessage = Extract<SshMessage, { type: "channel_request" }>;
export type GlobalMessage = Extract<SshMessage, { type: "global_request" }>;

/** Why a channel is not opened. */
export interface OpenRefusal {
  /** One of `channelOpenFailure`. */
  readonly reason: number;
  /** For the person; safe for a terminal. */
  readonly text: string;
}

/** What a connection's channels are for. */
export interface ChannelHandlers {
  /** Decides about a channel; nothing is read from it before. */
  open(message: OpenMessage): Promise<OpenRefusal | { begin(channel: Channel): void; abandon(): void }>;
  request(channel: Channel, message: RequestMessage): void;
  /** The answer, where one is wanted: bytes of a success, undefined for a failure. */
  global(message: GlobalMessage): Buffer | undefined;
  over(end: TransportEnd): void;
}

/** Channels that get a whole window; with more of them open, later ones get less, so that what one connection can make the gateway hold is bounded. */
const wideChannels = 8;
const narrowWindow = 256 * 1024;
const maxPacket = 32 * 1024;

/** The connection protocol on one transport (RFC 4254): its channels, and what is asked of it. */
export class Channels {
  readonly #transport: Transport;
  readonly #handlers: ChannelHandlers;
  readonly #limits: Pick<SshLimits, "channels" | "window">;
  readonly #open = new Map<number, Channel>();
  /** Numbers of channels that are being decided about. */
  readonly #pending = new Set<number>();
  #drained: (() => void)[] = [];
  #over = false;

  constructor(transport: Transport, limits: Pick<SshLimits, "channels" | "window">, handlers: ChannelHandlers) {
    this.#transport = transport;
    this.#limits = limits;
    this.#handlers = handlers;
  }

  get count(): number {
    return this.#open.size + this.#pending.size;
  }

  start(): void {
    this.#transport.start({
      onPayload: (payload) => this.#receive(payload),
      onDrain: () => {
        const waiting = this.#drained;
        this.#drained = [];
        for (const resume of waiting) resume();
      },
      onEnd: (end) => this.#ended(end),
    });
  }

  #receive(payload: Buffer): void {
    if (this.#over) return;
    try {
      this.#take(parseSshMessage(payload));
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
      this.#broken(error.message);
    }
  }

  #take(message: SshMessage): void {
    switch (message.type) {
      case "channel_open":
        this.#opening(message);
        return;
      case "global_request": {
        const answer = this.#handlers.global(message);
        if (message.wantReply) this.#send(answer === undefined ? { type: "request_failure" } : { type: "request_success", data: answer });
        return;
      }
      case "channel_data":
        if (!this.#of(message.channel).receive(message.data)) throw new GatehouseError("bad_parameter", "a channel carried more than its window");
        return;
      case "channel_extended_data":
        // Nobody has a use for it; it counts all the same.
        if (!this.#of(message.channel).discard(message.data.length)) throw new GatehouseError("bad_parameter", "a channel carried more than its window");
        return;
      case "channel_window_adjust":
        if (!this.#of(message.channel).adjust(message.bytes)) throw new GatehouseError("bad_parameter", "a window became larger than it may");
        return;
      case "channel_eof":
        this.#of(message.channel).receiveEof();
        return;
      case "channel_close":
        this.#of(message.channel).receiveClose();
        return;
      case "channel_request":
        this.#handlers.request(this.#of(message.channel), message);
        return;
      default:
        // Answers to what was never asked: this side opens no channels, and asks for nothing that wants an answer.
        throw new GatehouseError("bad_parameter", `an answer (${message.type}) to nothing`);
    }
  }

  #of(id: number): Channel {
    const channel = this.#open.get(id);
    if (channel === undefined) throw new GatehouseError("bad_parameter", "a message for a channel that is not open");
    return channel;
  }

  #opening(message: OpenMessage): void {
    const { sender, window, maxPacket: peerPacket } = message;
    const refuse = ({ reason, text }: OpenRefusal): void => {
      this.#send({ type: "channel_open_failure", channel: sender, reason, text });
    };
    if (this.count >= this.#limits.channels) {
      refuse({ reason: channelOpenFailure.shortage, text: "as many channels are open as one connection may have" });
      return;
    }
    if (peerPacket === 0) throw new GatehouseError("bad_parameter", "a channel that takes nothing");
    const id = this.#freeId();
    this.#pending.add(id);
    this.#handlers.open(message).then(
      (outcome) => {
        this.#pending.delete(id);
        if (this.#over) {
          if ("abandon" in outcome) outcome.abandon();
          return;
        }
        if ("reason" in outcome) {
          refuse(outcome);
          return;
        }
        const own = this.#open.size < wideChannels ? this.#limits.window : Math.min(this.#limits.window, narrowWindow);
        const channel = new Channel(
          { transport: this.#transport, whenDrained: (resume) => this.#drained.push(resume), closed: (gone) => this.#open.delete(gone.id) },
          { id, peerId: sender, peerWindow: window, peerPacket, window: own },
        );
        this.#open.set(id, channel);
        this.#send({ type: "channel_open_confirmation", channel: sender, sender: id, window: own, maxPacket, data: Buffer.alloc(0) });
        outcome.begin(channel);
      },
      () => {
        this.#pending.delete(id);
        if (!this.#over) refuse({ reason: channelOpenFailure.connectFailed, text: "the gateway failed to connect you" });
      },
    );
  }

  #freeId(): number {
    for (let id = 0; ; id += 1) if (!this.#open.has(id) && !this.#pending.has(id)) return id;
  }

  #broken(why: string): void {
    this.#transport.disconnect(disconnectReason.protocolError, why);
  }

  #ended(end: TransportEnd): void {
    if (this.#over) return;
    this.#over = true;
    for (const channel of [...this.#open.values()]) channel.destroy();
    this.#open.clear();
    const waiting = this.#drained;
    this.#drained = [];
    for (const resume of waiting) resume();
    this.#handlers.over(end);
  }

  #send(message: SshMessage): void {
    this.#transport.send(encodeSshMessage(message));
  }
}
