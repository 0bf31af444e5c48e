import { GatehouseError, version } from "../../base/index.ts";
import { channelOpenFailure, parseForward } from "../../formats/index.ts";
import { disconnectReason, type Transport } from "../../ssh/index.ts";
import type { Lost, SshLive } from "./bridge/index.ts";
import type { Channel } from "./channel.ts";
import { Channels, type GlobalMessage, type OpenMessage, type OpenRefusal } from "./channels.ts";
import type { Connector } from "./connector.ts";
import type { SshContext } from "./context.ts";
import { modeFor, personLost } from "./grant.ts";
import type { Person } from "./person.ts";
import { refusalLine, refuse } from "./refusals.ts";
import { SessionChannel } from "./session-channel.ts";
import { unusedReason, type Unused } from "./unused.ts";

/** A person's connection to the proxy by SSH itself (reference §7.2): channels to hosts, and nothing that runs here. */
export class SshConnection implements SshLive {
  readonly stream = false;
  /** When it led to a host last, or began; ms since the epoch. */
  lastActive: number;
  readonly #context: SshContext;
  readonly #connector: Connector;
  readonly #person: Person;
  readonly #transport: Transport;
  readonly #unused: Unused;
  /** Channels that lead to a host. */
  #leading = 0;
  #over = false;
  readonly #channels: Channels;
  readonly #sessions = new WeakMap<Channel, SessionChannel>();
  readonly #gone = new AbortController();

  /** Its person is counted in `unused` already. */
  constructor(context: SshContext, connector: Connector, person: Person, transport: Transport, unused: Unused) {
    this.#context = context;
    this.#connector = connector;
    this.#person = person;
    this.#transport = transport;
    this.#unused = unused;
    this.lastActive = context.clock.now();
    this.#channels = new Channels(transport, context.limits, {
      open: (message) => this.#open(message),
      // A forwarded connection has nothing to be asked for.
      request: (channel, message) => {
        const session = this.#sessions.get(channel);
        if (session !== undefined) session.request(message);
        else if (message.wantReply) channel.reply(false);
      },
      global: (message) => this.#global(message),
      over: () => this.#ended(),
    });
  }

  start(): void {
    this.#context.registry.add(this);
    this.#channels.start();
  }

  lost(now: number): Lost | undefined {
    return personLost(this.#context, this.#person, (identity) => (this.#leading > 0 ? undefined : unusedReason(this.#context, identity, this.lastActive, now)));
  }

  end({ message }: Lost): void {
    this.#transport.disconnect(disconnectReason.byApplication, message);
  }

  tick(): void {
    // It has no deadlines of its own.
  }

  async #open({ kind, data }: OpenMessage): Promise<OpenRefusal | { begin(channel: Channel): void; abandon(): void }> {
    if (kind === "session") {
      return { begin: (channel) => this.#sessions.set(channel, new SessionChannel(this.#context, this.#connector, this.#person, channel, () => this.#leads(channel))), abandon: () => undefined };
    }
    if (kind !== "direct-tcpip") return { reason: channelOpenFailure.unknownType, text: "this gateway opens sessions and connections to hosts alone" };
    const { user, remoteAddress, localAddress } = this.#person;
    let target: string | undefined;
    try {
      const forward = parseForward(kind, data);
      if (forward?.kind !== "tcp") throw new GatehouseError("bad_parameter", "the channel names no host");
      target = forward.host;
      const connected = await this.#connector.connect(this.#person, { target: forward.host, port: forward.port === 0 ? undefined : forward.port }, this.#gone.signal);
      return {
        begin: (channel) => {
          this.#leads(channel);
          connected.begin(channel, (why) => this.#tell(why));
        },
        abandon: () => connected.abandon(),
      };
    } catch (error) {
      const told = await refuse(this.#context, { user, remoteAddress, localAddress, target }, error);
      return { reason: told.code === "unavailable" ? channelOpenFailure.connectFailed : channelOpenFailure.prohibited, text: refusalLine(told) };
    }
  }

  /** From now on, and until it closes, a channel leads to a host. */
  #leads(channel: Channel): void {
    if (channel.destroyed) return;
    if (this.#leading === 0) this.#unused.remove(this.#person.username);
    this.#leading += 1;
    channel.once("close", () => {
      this.#leading -= 1;
      if (this.#leading > 0) return;
      this.lastActive = this.#context.clock.now();
      if (!this.#over) this.#unused.add(this.#person.username);
    });
  }

  /** A forwarded connection carries nothing but its bytes; where it is all there is, the goodbye of the whole connection says why. */
  #tell({ message }: Lost): void {
    if (this.#channels.count <= 1) this.#transport.disconnect(disconnectReason.byApplication, message);
  }

  #global({ name }: GlobalMessage): Buffer | undefined {
    switch (name) {
      case "keepalive@openssh.com":
        return Buffer.alloc(0);
      case "recording-proxy@teleport.com":
        return Buffer.from(String(this.#isRecorded()));
      case "x-teleport-version":
        return Buffer.from(version);
      default:
        return undefined;
    }
  }

  #isRecorded(): boolean {
    try {
      return modeFor(this.#context, this.#person.identity().roles.options()) === "proxy";
    } catch (error) {
      if (error instanceof GatehouseError) return true;
      throw error;
    }
  }

  #ended(): void {
    this.#over = true;
    if (this.#leading === 0) this.#unused.remove(this.#person.username);
    this.#context.registry.remove(this);
    this.#gone.abort(new GatehouseError("unavailable", "the client is gone"));
  }
}
