import { GatehouseError, errorMessage, escapeLine } from "../../../base/index.ts";
import { channelOpenFailure, parseSshMessage } from "../../../formats/index.ts";
import type { SshMessage } from "../../../formats/index.ts";
import { disconnectReason } from "../../../ssh/index.ts";
import type { Transport, TransportEnd } from "../../../ssh/index.ts";
import type { SessionStream } from "../../sessions/index.ts";
import { otherSide } from "./channel.ts";
import type { Channel, ChannelConfirmation, ChannelMessage, ChannelOpen, Side } from "./channel.ts";
import { ForwardChannel, forwardAddress, refusal } from "./forward-channel.ts";
import { Globals } from "./globals.ts";
import { SessionChannel } from "./session-channel.ts";
import type { SessionPort } from "./session-channel.ts";
import { ConnectionServices } from "./services.ts";
import type { BridgeContext } from "./services.ts";
import type { Lost, LoginGrant, RecordedConnection, SshLive } from "./types.ts";

/** Channels of one connection. */
const maxChannels = 1024;
/** What may wait in all channels for their sessions to begin, bytes. */
const maxHeld = 256 * 1024;
/** Events that may wait for the log before what makes them is held back. */
const maxUnwritten = 256;
/** How long the client has to show why its connection ends before it is cut off, ms. */
const farewell = 300;
/** Between two signs of life that are asked for, ms: they keep ways open that forget silent connections. */
const pingInterval = 60_000;
/** Characters of a reason. */
const maxReason = 400;

/** One connection of a person to a host, message by message: {@link Relay.run}. */
export class Relay implements SshLive, SessionStream {
  readonly stream = true;
  lastActive: number;
  carried = 0;
  readonly #context: BridgeContext;
  readonly #grant: LoginGrant;
  readonly #services: ConnectionServices;
  readonly #port: SessionPort;
  readonly #globals: Globals;
  readonly #transports: Readonly<Record<Side, Transport>>;
  readonly #full: Record<Side, boolean> = { client: false, host: false };
  readonly #paused: Record<Side, boolean> = { client: false, host: false };
  /** Channels by the number that each side gave them. */
  readonly #channels: Readonly<Record<Side, Map<number, Channel>>> = { client: new Map<number, Channel>(), host: new Map<number, Channel>() };
  readonly #sessions = new Set<SessionChannel>();
  /** What the host may open channels of. */
  readonly #expected = new Set<"agent" | "x11">();
  #pingedAt: number;
  #pinging = 0;
  #ending = false;
  #reason = "";
  #over = false;
  readonly #done: () => void;

  private constructor(context: BridgeContext, connection: RecordedConnection, grant: LoginGrant, transports: Readonly<Record<Side, Transport>>, done: () => void) {
    this.#context = context;
    this.#grant = grant;
    this.#transports = transports;
    this.#done = done;
    this.#services = new ConnectionServices(context, connection, grant);
    this.lastActive = context.clock.now();
    this.#pingedAt = this.lastActive;
    this.#port = this.#portOf();
    const { portForwarding } = grant.options;
    this.#globals = new Globals({ send: this.#port.send, forwardingAllowed: portForwarding, refusedListen: (address, why) => this.#services.refuseForward(`remote ${address}`, why) });
  }

  /** Relays until the connection is over. Never rejects. */
  static run(context: BridgeContext, connection: RecordedConnection, grant: LoginGrant, transports: Readonly<Record<Side, Transport>>): Promise<void> {
    return new Promise((done) => {
      const relay = new Relay(context, connection, grant, transports, done);
      context.registry.add(relay);
      for (const side of ["host", "client"] as const) {
        transports[side].start({
          onPayload: (payload) => relay.#take(side, payload),
          onDrain: () => {
            relay.#full[side] = false;
            relay.#flow();
          },
          onEnd: (end) => relay.#ended(side, end),
        });
      }
    });
  }

  lost(now: number): Lost | undefined {
    return this.#grant.lost(this, now);
  }

  /** Called by the registry. */
  end(why: Lost): void {
    if (this.#ending || this.#over) return;
    this.#services.disconnected(undefined, why.message, why.lock);
    this.#stop(why.message);
  }

  tick(now: number): void {
    this.#services.tick(now);
    if (now - this.#pingedAt < pingInterval || this.#pinging > 0) return;
    this.#pingedAt = now;
    for (const transport of Object.values(this.#transports)) {
      this.#pinging += 1;
      // That nobody answers is nothing by itself: a client may be stopped for a while. Who is gone does not acknowledge the bytes, and the socket fails.
      transport.ping().then(this.#ponged, this.#ponged);
    }
  }

  readonly #ponged = (): void => {
    this.#pinging -= 1;
  };

  /** Forwarded ports are never recorded. */
  changed(): void {
    return;
  }

  #portOf(): SessionPort {
    const services = this.#services;
    const { options } = this.#grant;
    return {
      send: (to, payload) => {
        if (!this.#transports[to].send(payload) && !this.#full[to]) {
          this.#full[to] = true;
          this.#flow();
        }
      },
      active: (bytes) => {
        this.lastActive = this.#context.clock.now();
        this.carried += bytes;
      },
      released: (side, number) => this.#released(side, number),
      openSession: (sid, what, shape, channel) => services.openSession(sid, what, shape, channel),
      audit: (events, done) => {
        services.audit(events, (written) => {
          done(written);
          this.#flow();
        });
        if (services.unwritten > maxUnwritten) this.#flow();
      },
      now: () => this.lastActive,
      flow: () => this.#flow(),
      live: (session) => this.#context.registry.add(session),
      over: (session) => this.#context.registry.remove(session),
      lost: (session, now) => this.#grant.lost(session, now),
      refused: (why) => services.refuseSession(why),
      disconnected: (sid, reason, lock) => services.disconnected(sid, reason, lock),
      failed: (error) => this.#failed("client", error),
      expect: (kind) => this.#expected.add(kind),
      forced: options.forceCommands[0],
      agentAllowed: options.forwardAgent,
      x11Allowed: options.x11Forwarding,
    };
  }

  #take(from: Side, payload: Buffer): void {
    if (this.#over) return;
    try {
      this.#message(from, parseSshMessage(payload), payload);
    } catch (error) {
      this.#failed(from, error);
    }
  }

  #message(from: Side, message: SshMessage, payload: Buffer): void {
    switch (message.type) {
      case "global_request":
        if (!this.#ending) this.#globals.request(from, message, payload);
        return;
      case "request_success":
      case "request_failure":
        this.#globals.reply(from, payload, message.type === "request_success");
        return;
      case "channel_open":
        if (!this.#ending) this.#open(from, message);
        return;
      case "channel_open_confirmation":
        this.#confirmed(from, message);
        return;
      case "channel_open_failure": {
        const channel = this.#opening(from, message.channel);
        this.#channels[otherSide(from)].delete(message.channel);
        channel.refuse(payload);
        this.#forget(channel);
        return;
      }
      default:
        this.#channel(from, message, payload);
    }
  }

  #channel(from: Side, message: ChannelMessage, payload: Buffer): void {
    const channel = this.#channels[otherSide(from)].get(message.channel);
    if (channel === undefined) {
      // What crossed the end of a channel that the gateway closed may be late.
      if (this.#ending) return;
      throw new GatehouseError("bad_parameter", `a message on channel ${String(message.channel)}, which is not open`);
    }
    channel.take(from, message, payload);
  }

  #open(from: Side, open: ChannelOpen): void {
    if (this.#channels[from].has(open.sender)) throw new GatehouseError("bad_parameter", `channel ${String(open.sender)} is opened twice`);
    const refuse = (reason: number, text: string): void => this.#port.send(from, refusal(open, reason, text));
    if (this.#channels.client.size + this.#channels.host.size >= 2 * maxChannels) {
      refuse(channelOpenFailure.shortage, "too many channels are open");
      return;
    }
    const address = open.kind.startsWith(from === "client" ? "direct-" : "forwarded-") ? forwardAddress(open) : undefined;
    if (open.kind === "session" && from === "client") {
      const channel = new SessionChannel(this.#port, open);
      this.#sessions.add(channel);
      this.#channels.client.set(open.sender, channel);
    } else if (address !== undefined) {
      this.#openForward(from, open, address, refuse);
    } else if (from === "host" && ((open.kind === "auth-agent@openssh.com" && this.#expected.has("agent")) || (open.kind === "x11" && this.#expected.has("x11")))) {
      this.#channels.host.set(open.sender, new ForwardChannel(this.#port, "host", open, open.kind));
    } else {
      refuse(channelOpenFailure.unknownType, "channels of this kind are not opened here");
    }
  }

  #openForward(from: Side, open: ChannelOpen, address: string, refuse: (reason: number, text: string) => void): void {
    if (!this.#grant.options.portForwarding) {
      refuse(channelOpenFailure.prohibited, this.#services.refuseForward(address, "no role of yours allows port forwarding (port_forwarding)"));
    } else if (from === "host" && !this.#globals.listening) {
      refuse(channelOpenFailure.prohibited, this.#services.refuseForward(address, "nobody asked for connections from this host"));
    } else {
      const ports = this.#services.ports(this, (message) => this.end({ code: 403, message }));
      this.#channels[from].set(open.sender, new ForwardChannel(this.#port, from, open, address, ports));
    }
  }

  /** The channel that the other side of `from` opened with this number. */
  #opening(from: Side, number: number): Channel {
    const channel = this.#channels[otherSide(from)].get(number);
    if (channel === undefined || channel.confirmed || channel.opener === from) throw new GatehouseError("bad_parameter", `an answer about channel ${String(number)}, which nobody is opening`);
    return channel;
  }

  #confirmed(from: Side, message: ChannelConfirmation): void {
    const channel = this.#opening(from, message.channel);
    if (this.#channels[from].has(message.sender)) throw new GatehouseError("bad_parameter", `channel ${String(message.sender)} is opened twice`);
    this.#channels[from].set(message.sender, channel);
    channel.confirm(message);
  }

  /** A channel's number is free on one side; when it is on both, the channel is over. */
  #released(side: Side, number: number): void {
    const channel = this.#channels[side].get(number);
    this.#channels[side].delete(number);
    if (channel?.isReleased === true) {
      channel.over(undefined);
      this.#forget(channel);
    }
    if (this.#ending && this.#channels.client.size === 0) this.#goodbye();
  }

  #forget(channel: Channel): void {
    if (channel instanceof SessionChannel) this.#sessions.delete(channel);
  }

  /** Reads on from each side whose other side takes more, unless something is behind. */
  #flow(): void {
    if (this.#over) return;
    let held = this.#services.unwritten > maxUnwritten;
    let waiting = 0;
    for (const session of this.#sessions) {
      held ||= session.behind;
      waiting += session.waiting;
    }
    this.#setPaused("client", !this.#ending && (held || this.#full.host || waiting > maxHeld));
    this.#setPaused("host", !this.#ending && (held || this.#full.client));
  }

  #setPaused(side: Side, paused: boolean): void {
    if (this.#paused[side] === paused) return;
    this.#paused[side] = paused;
    if (paused) this.#transports[side].pause();
    else this.#transports[side].resume();
  }

  /** Ends everything, with the reason on the person's screen. */
  #stop(reason: string): void {
    this.#ending = true;
    this.#reason = reason;
    for (const channel of this.#all()) {
      if (channel instanceof SessionChannel) channel.stop(reason);
      else channel.cut();
    }
    this.#flow();
    this.#transports.host.disconnect(disconnectReason.byApplication, "access ended");
    setTimeout(this.#goodbye, farewell).unref();
    if (this.#channels.client.size === 0) this.#goodbye();
  }

  readonly #goodbye = (): void => {
    if (this.#over) return;
    this.#transports.client.disconnect(disconnectReason.byApplication, this.#reason.slice(0, maxReason));
  };

  #failed(side: Side, error: unknown): void {
    if (this.#over) return;
    const who = side === "client" ? "the client" : "the host";
    const known = error instanceof GatehouseError;
    if (!known) this.#context.logger.error({ error: errorMessage(error) }, "an SSH connection failed");
    const reason = known ? `${who} broke the protocol: ${error.message}` : "the gateway failed";
    this.#services.disconnected(undefined, reason);
    this.#finish(reason);
    for (const transport of Object.values(this.#transports)) transport.disconnect(disconnectReason.protocolError, reason.slice(0, maxReason));
  }

  /** One side is gone: so goes the other. */
  #ended(side: Side, end: TransportEnd): void {
    if (this.#over || (this.#ending && side === "host")) return;
    const lost = end.by === "loss" ? `${side === "host" ? "the connection to the host" : "the client's connection"} was lost${end.error === undefined ? "" : `: ${escapeLine(end.error.message)}`}` : undefined;
    this.#finish(this.#ending ? this.#reason : lost);
    const other = this.#transports[otherSide(side)];
    if (end.by === "peer") other.disconnect(end.reason, end.text.slice(0, maxReason));
    else if (side === "host") other.disconnect(disconnectReason.connectionLost, "the connection to the host was lost");
    else other.disconnect(disconnectReason.byApplication, "the client is gone");
  }

  #finish(reason: string | undefined): void {
    this.#over = true;
    this.#context.registry.remove(this);
    for (const channel of this.#all()) channel.over(reason);
    this.#sessions.clear();
    this.#services.end();
    this.#done();
  }

  #all(): Set<Channel> {
    return new Set([...this.#channels.client.values(), ...this.#channels.host.values()]);
  }
}
