import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { auditEvents } from "../../audit/index.ts";
import type { NodeEntry } from "../../auth/index.ts";
import { GatehouseError, uuid } from "../../base/index.ts";
import { newKeyPair } from "../../ca/index.ts";
import { parseAuthorizedKey, plainAddress, publicKeyFromSsh } from "../../formats/index.ts";
import type { AuthAttempt, HostKey, HostProof } from "../../ssh/index.ts";
import { SessionRefused, type TunnelSession, type TunnelStart } from "../sessions/index.ts";
import type { Bridge, LoginGrant, Lost } from "./bridge/index.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";
import { Unreachable, dial } from "./dial.ts";
import { Grant, mayReach, type Mode } from "./grant.ts";
import { checkHost } from "./host-check.ts";
import type { HostKeys } from "./host-keys.ts";
import type { Person } from "./person.ts";
import { refuse, type Asked } from "./refusals.ts";
import { resolveNode } from "./target.ts";
import { Tunnel, connectionFields } from "./tunnel.ts";

/** Lifetime of a certificate for one connection, ms. */
const connectionTtl = 5 * 60_000;

/** What a person asks for, whichever way they come. */
export interface ConnectRequest {
  /** Name, id, address or `label=value` of a host. */
  readonly target: string;
  readonly port?: number | undefined;
  /** Undefined where the way here cannot say. */
  readonly login?: string | undefined;
  /** `authorized_keys` line: where bytes pass end to end, a certificate over it is made. */
  readonly key?: string | undefined;
}

/** A host that was dialled for somebody, to be begun or given up. */
export interface Connected {
  /** UUID of the connection. */
  readonly id: string;
  readonly node: NodeEntry;
  readonly mode: Mode;
  /** Certificate's line, for {@link ConnectRequest.key}. */
  readonly certificate: string | undefined;
  /** Lets bytes pass. `tell` says to the person why it was ended, where there is a way to. */
  begin(client: Duplex, tell: (why: Lost) => void): void;
  /** Nobody wants it any more. */
  abandon(): void;
}

/** Decides about connections to hosts and makes them: the one way through the proxy, whichever door the person came by. */
export class Connector {
  readonly #context: SshContext;
  readonly #hostKeys: HostKeys;
  readonly #bridge: Bridge;
  /** Connections to hosts, those being made among them. */
  #hosts = 0;
  readonly #hostsOf = new Map<string, number>();
  readonly #dialling = new Map<string, number>();

  constructor(context: SshContext, hostKeys: HostKeys, bridge: Bridge) {
    this.#context = context;
    this.#hostKeys = hostKeys;
    this.#bridge = bridge;
  }

  /** Connections to hosts. */
  get hosts(): number {
    return this.#hosts;
  }

  /** Rejects with what the person is told: with a refusal id, and in the audit log by then. `signal` gives up. */
  async connect(person: Person, request: ConnectRequest, signal: AbortSignal): Promise<Connected> {
    const asked: { -readonly [Key in keyof Asked]: Asked[Key] } = { user: person.username, remoteAddress: person.remoteAddress, localAddress: person.localAddress, login: request.login, target: request.target };
    let release: (() => void) | undefined;
    let session: TunnelSession | undefined;
    let host: Socket | undefined;
    try {
      const context = this.#context;
      if (context.closing()) throw new GatehouseError("unavailable", "the gateway is shutting down", { hint: "try again" });
      if (!context.recorder.healthy) throw new Denied("unavailable", "audit", "the gateway cannot write its audit log and lets nothing pass without it");
      checkKey(request.key);
      const identity = person.identity();
      const node = resolveNode(context.nodes, request.target, request.port, (each) => mayReach(context, identity, each));
      asked.node = node;
      const grant = new Grant(context, person, node, request.login);
      const id = uuid();
      release = this.#take(person);
      if (grant.mode === "off") session = openTunnel(context, grant, id);
      host = await this.#dial(person, grant, id, signal);
      const made = await this.#finish(grant, id, request, host, session, release);
      signal.throwIfAborted();
      return made;
    } catch (error) {
      host?.destroy();
      session?.end();
      release?.();
      if (error instanceof Unreachable || signal.aborted) throw error;
      throw await refuse(this.#context, asked, error);
    }
  }

  async #finish(grant: Grant, id: string, request: ConnectRequest, host: Socket, session: TunnelSession | undefined, release: () => void): Promise<Connected> {
    const context = this.#context;
    const { node, mode } = grant;
    const hostKeys = mode === "proxy" ? await this.#hostKeys.shownAs(node, request.target) : [];
    const certificate = mode === "off" && request.key !== undefined ? this.#certify(grant, request.key, host) : undefined;
    const written = await new Promise<boolean>((resolve) => context.recorder.write({ ...auditEvents.sshConnect, ...connectionFields(grant, id), target: request.target.slice(0, 256) }, resolve));
    if (!written) throw new Denied("unavailable", "audit", "the gateway cannot write its audit log and lets nothing pass without it");
    let begun = false;
    return {
      id,
      node,
      mode,
      certificate,
      begin: (client, tell) => {
        begun = true;
        if (session !== undefined) new Tunnel(context, grant, { id, client, host, session, tell, over: release }).start();
        else this.#record(grant, id, request.target, host, hostKeys, client, release);
      },
      abandon: () => {
        if (begun) return;
        host.destroy();
        session?.end();
        release();
      },
    };
  }

  #record(grant: Grant, id: string, target: string, host: Socket, hostKeys: readonly HostKey[], client: Duplex, release: () => void): void {
    const context = this.#context;
    const { person, node } = grant;
    const asked = { user: person.username, remoteAddress: person.remoteAddress, localAddress: person.localAddress, target, node };
    host.once("close", release);
    const running = this.#bridge.run({
      id,
      person,
      client,
      hostKeys,
      host: {
        node,
        target,
        socket: host,
        verify: async (proof: HostProof) => {
          try {
            checkHost(context, context.nodes.get(node.id) ?? node, proof);
          } catch (error) {
            throw await refuse(context, asked, error);
          }
        },
      },
      admit: (login) => this.#admit(person, node, host, login, { ...asked, login }),
      isOwn: (attempt) => this.#isOwn(person, attempt),
    });
    running.catch((error: unknown) => {
      context.logger.error({ err: error, connection: id }, "a recorded SSH connection failed for a reason of our own");
      client.destroy();
      host.destroy();
    });
  }

  async #admit(person: Person, dialled: NodeEntry, host: Socket, login: string, asked: Asked): Promise<LoginGrant> {
    const context = this.#context;
    try {
      const node = context.nodes.get(dialled.id);
      if (node === undefined) throw new Denied("not_found", "target", `${dialled.hostname} is no host of this cluster any more`);
      const grant = new Grant(context, person, node, login, "proxy");
      return {
        login,
        identity: grant.identity,
        options: grant.options,
        mint: async () => {
          const { privateKey, publicKey } = await newKeyPair();
          return { method: "publickey", privateKey, certificate: this.#certify(grant, publicKey, host) };
        },
        lost: (live, now) => grant.lost(live, now),
      };
    } catch (error) {
      throw await refuse(context, asked, error);
    }
  }

  /** The inner connection is the person's own: it came through the outer one, which is. A certificate, where one is shown, has to be of the same login. */
  #isOwn(person: Person, attempt: AuthAttempt): boolean {
    if (attempt.method === "none") return true;
    try {
      const { sessionId, subjectId } = this.#context.authorities.identifySshUser(attempt.certificate, { login: attempt.user, address: person.address });
      return sessionId === person.certificate.sessionId && subjectId === person.certificate.subjectId;
    } catch (error) {
      if (error instanceof GatehouseError) return false;
      throw error;
    }
  }

  #certify(grant: Grant, publicKey: string, host: Socket): string {
    const { authorities, options } = this.#context;
    const { login, node, person, options: effective } = grant;
    if (login === undefined) throw new GatehouseError("bad_parameter", "a certificate is for one login: name it");
    const own = host.localAddress;
    if (options.sourceAddresses.length === 0 && own === undefined) throw new GatehouseError("unavailable", `${node.hostname} closed the connection`);
    return authorities.issueConnection({
      publicKey,
      username: person.username,
      sessionId: person.loginSession,
      login,
      nodeId: node.id,
      sourceAddresses: options.sourceAddresses.length > 0 ? options.sourceAddresses : [plainAddress(own ?? "")],
      forceCommand: effective.forceCommands[0],
      ttl: connectionTtl,
      permitPortForwarding: effective.portForwarding,
      permitAgentForwarding: effective.forwardAgent,
      permitX11Forwarding: effective.x11Forwarding,
    }).ssh;
  }

  async #dial(person: Person, grant: Grant, id: string, signal: AbortSignal): Promise<Socket> {
    const { limits, recorder } = this.#context;
    const { username } = person;
    const dialling = this.#dialling.get(username) ?? 0;
    if (dialling >= limits.dialsPerPerson) throw new Denied("limit_exceeded", "limit", `${String(dialling)} connections of yours are being made already`, { hint: "try again in a moment" });
    this.#dialling.set(username, dialling + 1);
    try {
      return await dial(grant.node, limits.dialTimeout, signal);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      const event = { ...auditEvents.sshConnectFailed, ...connectionFields(grant, id), error: error.detail };
      await new Promise<void>((resolve) => recorder.write(event, () => resolve()));
      throw error;
    } finally {
      countDown(this.#dialling, username);
    }
  }

  #take(person: Person): () => void {
    const { limits } = this.#context;
    if (this.#hosts >= limits.hosts) throw new Denied("limit_exceeded", "limit", "the gateway has as many connections to hosts as it may have", { hint: "try again", detail: `${String(this.#hosts)} connections to hosts; refused to ${person.username}` });
    const own = this.#hostsOf.get(person.username) ?? 0;
    if (own >= limits.hostsPerPerson) throw new Denied("limit_exceeded", "limit", `${String(own)} connections of yours are open already`, { hint: "close some of them" });
    this.#hosts += 1;
    this.#hostsOf.set(person.username, own + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#hosts -= 1;
      countDown(this.#hostsOf, person.username);
    };
  }
}

function countDown(counts: Map<string, number>, name: string): void {
  const left = (counts.get(name) ?? 1) - 1;
  if (left > 0) counts.set(name, left);
  else counts.delete(name);
}

/** Throws `bad_parameter` for a key that no certificate can be made for. */
function checkKey(key: string | undefined): void {
  if (key !== undefined) publicKeyFromSsh(parseAuthorizedKey(key).blob);
}

/** Throws {@link Denied} for a person who has as many sessions as they may. */
function openTunnel(context: SshContext, grant: Grant, id: string): TunnelSession {
  const { person, node, login = "", options } = grant;
  const start: TunnelStart = {
    sid: id,
    user: person.username,
    place: { proto: "ssh", cluster: "", namespace: "", pod: "", container: "", login, node: node.hostname, nodeId: node.id },
    address: person.address,
    maxSessions: options.maxSessions,
    kill(message) {
      context.registry.endAll({ code: 403, message }, (live) => live.sid === id);
    },
  };
  try {
    return context.sessions.openTunnel(start);
  } catch (error) {
    throw error instanceof SessionRefused ? new Denied("access_denied", "max_sessions", error.message) : error;
  }
}
