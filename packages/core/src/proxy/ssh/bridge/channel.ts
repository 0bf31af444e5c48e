import { GatehouseError } from "../../../base/index.ts";
import { encodeSshMessage } from "../../../formats/index.ts";
import type { SshMessage } from "../../../formats/index.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { WindowShare } from "./window-share.ts";

/** An end of a bridge. */
export type Side = "client" | "host";

export const otherSide = (side: Side): Side => (side === "client" ? "host" : "client");

export type ChannelOpen = Extract<SshMessage, { readonly type: "channel_open" }>;
export type ChannelRequestMessage = Extract<SshMessage, { readonly type: "channel_request" }>;
export type ChannelConfirmation = Extract<SshMessage, { readonly type: "channel_open_confirmation" }>;
/** A message about one channel that is open. */
export type ChannelMessage = Exclude<SshMessage, { readonly type: "global_request" | "request_success" | "request_failure" | "channel_open" | "channel_open_confirmation" | "channel_open_failure" }>;

/** What a channel needs of the bridge that it is in. */
export interface ChannelPort {
  /** Sends a message to one side. */
  send(to: Side, payload: Uint8Array): void;
  /** So many bytes of payload passed. */
  active(bytes: number): void;
  /** One side needs the channel's number no longer. */
  released(side: Side, number: number): void;
}

/** How one side of a channel stands. */
interface End {
  /** The number that this side gave the channel; messages to it name that. */
  number: number | undefined;
  /** Largest payload of a message that it takes. */
  maxPacket: number;
  /** What it takes. */
  readonly share: WindowShare;
  /** Answers that it is owed. */
  readonly replies: ReplyQueue;
  closed: boolean;
  /** It was told that the channel is closed. */
  told: boolean;
  /** Its number is free: it may be another channel's by now. */
  free: boolean;
}

/** A channel that passes through: its numbers, windows and messages are those of both sides, unchanged. */
export abstract class Channel {
  readonly kind: string;
  readonly opener: Side;
  protected readonly port: ChannelPort;
  readonly #ends: Readonly<Record<Side, End>>;
  #cut = false;

  /** `reserve`: bytes of each side's window that the gateway keeps for itself. */
  constructor(port: ChannelPort, opener: Side, open: ChannelOpen, reserve = 0) {
    this.port = port;
    this.opener = opener;
    this.kind = open.kind;
    const end = (side: Side): End => ({
      number: undefined,
      maxPacket: 0,
      share: new WindowShare(reserve),
      replies: new ReplyQueue((payload) => port.send(side, payload)),
      closed: false,
      told: false,
      free: false,
    });
    this.#ends = { client: end("client"), host: end("host") };
    this.#ends[opener].number = open.sender;
    this.#ends[opener].maxPacket = open.maxPacket;
    port.send(otherSide(opener), encodeSshMessage({ ...open, window: this.#ends[opener].share.grant(open.window) }));
  }

  /** Both sides know it. */
  get confirmed(): boolean {
    return this.#ends[otherSide(this.opener)].number !== undefined;
  }

  /** Neither side uses its number any more. */
  get isReleased(): boolean {
    return (["client", "host"] as const).every((side) => this.#ends[side].number === undefined || this.#ends[side].free);
  }

  /** Nothing passes any more: the gateway has closed it. */
  get isCut(): boolean {
    return this.#cut;
  }

  /** The side that did not open it takes it. */
  confirm(message: ChannelConfirmation): void {
    const end = this.#ends[otherSide(this.opener)];
    end.number = message.sender;
    end.maxPacket = message.maxPacket;
    const window = end.share.grant(message.window);
    this.port.send(this.opener, encodeSshMessage({ ...message, window }));
    if (message.window > window) this.granted(otherSide(this.opener));
  }

  /** The side that did not open it does not take it. */
  refuse(payload: Buffer): void {
    this.port.send(this.opener, payload);
    this.over("it was refused");
  }

  /** Takes one message of one side. Throws `bad_parameter` for one that may not come. */
  take(from: Side, message: ChannelMessage, payload: Buffer): void {
    const to = otherSide(from);
    const sender = this.#ends[from];
    const receiver = this.#ends[to];
    if (sender.number === undefined) throw new GatehouseError("bad_parameter", "a message on a channel that its sender has not taken yet");
    if (sender.closed) throw new GatehouseError("bad_parameter", "a message on a channel that its sender has closed");
    if (message.type === "channel_close") {
      sender.closed = true;
      this.closed(from);
      this.#tellClosed(to);
      for (const side of [from, to]) this.#release(side);
    } else if (this.#cut || (to === "host" && receiver.closed)) {
      // It crossed a close: nobody waits for it. A client that has closed still hears how its command ended.
      return;
    } else if (message.type === "channel_data" || message.type === "channel_extended_data") {
      this.port.active(message.data.length);
      if (this.data(from, message.data, message.type === "channel_extended_data")) this.port.send(to, payload);
    } else if (message.type === "channel_window_adjust") {
      this.#adjust(from, message, payload);
    } else if (message.type === "channel_request") {
      this.request(from, message, payload);
    } else if (message.type === "channel_eof") {
      this.port.send(to, payload);
    } else {
      receiver.replies.reply(payload, message.type === "channel_success");
    }
  }

  /** Closes it from the middle; `last` is what the client gets to see of it before. */
  cut(last: () => void = () => undefined): void {
    if (this.#cut) return;
    this.#cut = true;
    if (!this.#ends.client.told && !this.#ends.client.closed && this.#ends.client.number !== undefined) last();
    this.#tellClosed("client");
    this.#tellClosed("host");
    for (const side of ["client", "host"] as const) this.#release(side);
  }

  /** The connection, or the channel, is over on both sides. */
  over(reason: string | undefined): void {
    this.#cut = true;
    this.ended(reason);
  }

  /** The side has closed it, or was told that it is. */
  protected isClosed(side: Side): boolean {
    return this.#ends[side].closed || this.#ends[side].told;
  }

  /** The channel is over: {@link Channel.over}. */
  protected abstract ended(reason: string | undefined): void;

  /** Payload passes; false: it does not. */
  protected abstract data(from: Side, bytes: Buffer, extended: boolean): boolean;

  /** A request is made. */
  protected abstract request(from: Side, message: ChannelRequestMessage, payload: Buffer): void;

  /** One side has closed it. */
  protected abstract closed(from: Side): void;

  /** The gateway may send this side more than before. */
  protected abstract granted(side: Side): void;

  /** Lets a request pass; `told` hears the answer to one that wants any. */
  protected pass(from: Side, { wantReply }: ChannelRequestMessage, payload: Buffer, told?: (ok: boolean) => void): void {
    if (wantReply) this.#ends[from].replies.asked(told);
    this.port.send(otherSide(from), payload);
  }

  /** Answers a request in place of the other side. */
  protected answer(side: Side, { wantReply }: ChannelRequestMessage, ok: boolean): void {
    const channel = this.#ends[side].number;
    if (wantReply && channel !== undefined) this.#ends[side].replies.answer(encodeSshMessage({ type: ok ? "channel_success" : "channel_failure", channel }));
  }

  /** Sends a side a request of the gateway's own, to which no answer is wanted. */
  protected tell(side: Side, name: string, data: Buffer): void {
    const channel = this.#ends[side].number;
    if (channel !== undefined && !this.isClosed(side)) this.port.send(side, encodeSshMessage({ type: "channel_request", channel, name, wantReply: false, data }));
  }

  /** Sends a side bytes of the gateway's own, as far as its window goes; returns how many. `code`: of extended data. */
  protected inject(side: Side, bytes: Buffer, code?: number): number {
    const { number: channel, maxPacket, share } = this.#ends[side];
    if (channel === undefined || maxPacket === 0 || this.isClosed(side)) return 0;
    const size = share.use(bytes.length);
    for (let at = 0; at < size; at += maxPacket) {
      const data = bytes.subarray(at, Math.min(size, at + maxPacket));
      this.port.send(side, encodeSshMessage(code === undefined ? { type: "channel_data", channel, data } : { type: "channel_extended_data", channel, code, data }));
    }
    return size;
  }

  #adjust(from: Side, message: Extract<ChannelMessage, { readonly type: "channel_window_adjust" }>, payload: Buffer): void {
    const bytes = this.#ends[from].share.grant(message.bytes);
    if (bytes === message.bytes) {
      this.port.send(otherSide(from), payload);
      return;
    }
    if (bytes > 0) this.port.send(otherSide(from), encodeSshMessage({ ...message, bytes }));
    this.granted(from);
  }

  #tellClosed(side: Side): void {
    const end = this.#ends[side];
    if (end.told || end.number === undefined) return;
    end.told = true;
    this.port.send(side, encodeSshMessage({ type: "channel_close", channel: end.number }));
  }

  /** A number is free once its side has heard and said that the channel is closed. */
  #release(side: Side): void {
    const end = this.#ends[side];
    if (end.free || !end.closed || !end.told || end.number === undefined) return;
    end.free = true;
    this.port.released(side, end.number);
  }
}
