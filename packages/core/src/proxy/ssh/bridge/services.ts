import { auditEvents, clientDisconnect, nodeFields, sshPort } from "../../../audit/index.ts";
import type { AuditEventInput } from "../../../audit/index.ts";
import { refusalId, uuid } from "../../../base/index.ts";
import type { Clock, Logger, Random } from "../../../base/index.ts";
import type { SessionNode, SshSession } from "../../../formats/index.ts";
import { clip, clipAll } from "../../sessions/index.ts";
import type { CommandSession, CommandStart, Ending, PortSession, Recorder, Registry, SessionStream, Sessions } from "../../sessions/index.ts";
import type { SessionChannel, SessionShape } from "./session-channel.ts";
import type { LoginGrant, RecordedConnection, SshLive } from "./types.ts";
import type { WhatRuns } from "./what-runs.ts";

/** What a bridge stands on. */
export interface BridgeContext {
  readonly sessions: Sessions;
  readonly recorder: Recorder;
  readonly registry: Registry<Ending, SshLive>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

/** The host of a connection, as sessions and events name it. */
export function nodeOf({ host: { node } }: RecordedConnection): SessionNode {
  const { id, hostname, addr, labels } = node;
  return { id: clip(id), name: clip(hostname), address: clip(`${addr.host}:${String(addr.port)}`), labels };
}

/** Sessions, forwarded ports and events of one connection. */
export class ConnectionServices {
  readonly #context: BridgeContext;
  readonly #connection: RecordedConnection;
  readonly #grant: LoginGrant;
  readonly #node: SessionNode;
  #ports: PortSession | undefined;
  #unwritten = 0;

  constructor(context: BridgeContext, connection: RecordedConnection, grant: LoginGrant) {
    this.#context = context;
    this.#connection = connection;
    this.#grant = grant;
    this.#node = nodeOf(connection);
  }

  /** Events that wait for the log. */
  get unwritten(): number {
    return this.#unwritten;
  }

  /** Begins a session. Throws `SessionRefused`. */
  openSession(sid: string, what: WhatRuns, { pty }: SessionShape, channel: SessionChannel): Promise<CommandSession> {
    const { person } = this.#connection;
    const { identity, login, options } = this.#grant;
    const session: SshSession = {
      proto: "ssh",
      sid,
      kind: what.kind,
      user: clip(person.username),
      roles: clipAll(identity.roles.roleNames),
      login: clip(login),
      node: this.#node,
      command: what.command,
      tty: pty !== undefined,
      stdin: true,
      address: person.remoteAddress,
      server_id: this.#context.sessions.serverId,
      started: this.#context.clock.now(),
    };
    const start: CommandStart = {
      session,
      options,
      localAddress: person.localAddress,
      ...(pty === undefined ? {} : { size: { columns: clipSize(pty.columns), rows: clipSize(pty.rows) }, term: pty.term }),
      kill: (message) => {
        this.disconnected(sid, message);
        channel.stop(message);
      },
      terminal: channel,
    };
    return this.#context.sessions.open(start);
  }

  /** Where forwarded connections are counted; begun with the first. */
  ports(stream: SessionStream, kill: (message: string) => void): PortSession {
    if (this.#ports !== undefined) return this.#ports;
    const sid = uuid();
    this.#ports = this.#context.sessions.openPorts({
      sid,
      user: this.#connection.person.username,
      place: { proto: "ssh", cluster: "", namespace: "", pod: "", container: "", login: this.#grant.login, node: this.#node.name, nodeId: this.#node.id },
      address: this.#connection.person.remoteAddress,
      event: (addr, error, counts) => this.#port(addr, error, { action: "connection", ...counts }, sid),
      kill,
    });
    this.#ports.run(stream);
    return this.#ports;
  }

  tick(now: number): void {
    this.#ports?.tick(now);
  }

  /** Everything is over. */
  end(): void {
    this.#ports?.end();
  }

  /** A forwarding that may not be; returns what its person is told. */
  refuseForward(addr: string, why: string): string {
    const id = refusalId(this.#context.random);
    this.audit([this.#port(addr, why, { id })]);
    return `${why} (refusal ${id})`;
  }

  /** A session that may not begin; returns what its person is told. */
  refuseSession(why: string): string {
    const id = refusalId(this.#context.random);
    this.audit([refusedEvent(this.#context, this.#connection, this.#grant.login, why, id)]);
    return `${why} (refusal ${id})`;
  }

  /** Writes events, then calls `done`, which is told whether they could be written. */
  audit(events: readonly AuditEventInput[], done: (written: boolean) => void = () => undefined): void {
    this.#unwritten += events.length;
    this.#context.recorder.writeAll(events, (written) => {
      this.#unwritten -= events.length;
      done(written);
    });
  }

  /** Access ended, of a session (`sid`) or of the connection. */
  disconnected(sid: string | undefined, reason: string, lock?: string): void {
    const { person } = this.#connection;
    const fields = { ...nodeFields(this.#node), sid, lock, forwarded_by: this.#context.sessions.serverId, proto: "ssh" };
    this.audit([clientDisconnect({ user: person.username, login: this.#grant.login, serverId: this.#node.id, reason, origin: person, fields })]);
  }

  #port(addr: string, error: string | undefined, fields: Readonly<Record<string, string | number>>, sid?: string): AuditEventInput {
    const { username, remoteAddress, localAddress } = this.#connection.person;
    const who = { user: username, login: this.#grant.login, node: this.#node, forwardedBy: this.#context.sessions.serverId, remoteAddress, localAddress, sid };
    return sshPort(who, addr, error, fields);
  }
}

/** `auth`: somebody did not get in as this login, or no further. */
export function refusedEvent(context: BridgeContext, connection: RecordedConnection, login: string, error: string, id: string): AuditEventInput {
  const { username, remoteAddress, localAddress } = connection.person;
  const fields = { ...nodeFields(nodeOf(connection)), forwarded_by: context.sessions.serverId, proto: "ssh" };
  return { ...fields, ...auditEvents.authFailed, user: username, login, success: false, error, id, "addr.remote": remoteAddress, "addr.local": localAddress };
}

const maxSize = 0xffff;
const clipSize = (size: number): number => Math.min(size, maxSize);
