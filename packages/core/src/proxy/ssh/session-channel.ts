import { connect } from "node:net";
import { GatehouseError, escapeLine } from "../../base/index.ts";
import { parseChannelRequest } from "../../formats/index.ts";
import type { Channel } from "./channel.ts";
import type { RequestMessage } from "./channels.ts";
import type { Connector } from "./connector.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";
import type { Person } from "./person.ts";
import { pump } from "./pump.ts";
import { refusalLine, refuse } from "./refusals.ts";
import { checkCluster, readProxySubsystem } from "./target.ts";
import { finish } from "./tunnel.ts";

/** Variables that are stored, and their sizes, characters. */
const maxVariables = 64;
const maxVariable = 4096;
/** How long a client gets to show why, before it hears that its request failed, ms. */
const readingTime = 100;

/** A channel `session` on the way to hosts (reference §7.2): subsystems alone run on it. */
export class SessionChannel {
  readonly #context: SshContext;
  readonly #connector: Connector;
  readonly #person: Person;
  readonly #channel: Channel;
  readonly #leads: () => void;
  readonly #gone = new AbortController();
  #variables = 0;
  #running = false;

  /** `leads` is called once it leads somewhere. */
  constructor(context: SshContext, connector: Connector, person: Person, channel: Channel, leads: () => void) {
    this.#context = context;
    this.#connector = connector;
    this.#person = person;
    this.#channel = channel;
    this.#leads = leads;
    channel.once("close", () => this.#gone.abort(new GatehouseError("unavailable", "the client is gone")));
  }

  /** Throws `bad_parameter` for a request that is malformed. */
  request({ name, wantReply, data }: RequestMessage): void {
    const request = parseChannelRequest(name, data);
    const reply = (success: boolean): void => {
      if (wantReply) this.#channel.reply(success);
    };
    if (request.kind === "env") {
      // v3's clients tell things that their own servers want to know. There is nothing to do with them, but they are owed an answer.
      this.#variables += 1;
      reply(this.#variables <= maxVariables && request.name.length + request.value.length <= maxVariable);
    } else if (request.kind === "agent") reply(true);
    else if (request.kind === "subsystem" && !this.#running) {
      this.#running = true;
      this.#run(request.name, reply);
    } else {
      this.#channel.sendStderr(`(proxy) proxy doesn't support request type '${escapeLine(name.slice(0, 64))}'\r\n`);
      this.#later(() => reply(false));
    }
  }

  #run(name: string, reply: (success: boolean) => void): void {
    const { localAddress, remoteAddress, user } = this.#person;
    this.#subsystem(name, reply)
      .catch((error: unknown) => refuse(this.#context, { user, remoteAddress, localAddress, target: name }, error).then((told) => this.#fail(told, reply)))
      .catch((error: unknown) => this.#context.logger.error({ err: error }, "a refusal could not be told"));
  }

  #fail(told: GatehouseError, reply: (success: boolean) => void): void {
    const channel = this.#channel;
    if (channel.destroyed) return;
    channel.sendStderr(`${refusalLine(told)}\r\n`);
    channel.exitStatus = 1;
    this.#later(() => {
      reply(false);
      finish(channel);
    });
  }

  /** OpenSSH drops what it has not shown yet when it reads that its request failed. */
  #later(refuse: () => void): void {
    setTimeout(() => {
      if (!this.#channel.destroyed) refuse();
    }, readingTime).unref();
  }

  async #subsystem(name: string, reply: (success: boolean) => void): Promise<void> {
    const context = this.#context;
    const channel = this.#channel;
    if (name === "proxysites") {
      reply(true);
      const site = { name: context.authorities.clusterName, lastconnected: new Date(context.clock.now()).toISOString(), status: "online" };
      channel.exitStatus = 0;
      channel.write(JSON.stringify([site]));
      finish(channel);
      return;
    }
    if (!name.startsWith("proxy:")) throw new Denied("bad_parameter", "subsystem", `there is no subsystem "${escapeLine(name.slice(0, 64))}" here`);
    const target = readProxySubsystem(name);
    checkCluster(target.cluster, context.authorities.clusterName);
    if (target.kind === "auth") {
      this.#reachAdmin(reply);
      return;
    }
    const connected = await this.#connector.connect(this.#person, { target: target.host, port: target.port }, this.#gone.signal);
    if (channel.destroyed) {
      connected.abandon();
      return;
    }
    reply(true);
    channel.exitStatus = 0;
    this.#leads();
    connected.begin(channel, ({ message }) => {
      channel.sendStderr(`\r\n${message}\r\n`);
      channel.exitStatus = 1;
    });
  }

  /** Raw bytes to the admin API, which asks by TLS who it is. */
  #reachAdmin(reply: (success: boolean) => void): void {
    const address = this.#context.options.adminAddress();
    if (address === undefined) throw new GatehouseError("unavailable", "the admin API does not listen yet", { hint: "try again" });
    const channel = this.#channel;
    const socket = connect({ ...address, noDelay: true, allowHalfOpen: true });
    socket.on("error", () => socket.destroy());
    socket.once("close", () => finish(channel));
    channel.once("close", () => socket.destroy());
    reply(true);
    channel.exitStatus = 0;
    this.#leads();
    pump(channel, socket, ignore);
    pump(socket, channel, ignore);
  }
}

const ignore = (): void => undefined;
