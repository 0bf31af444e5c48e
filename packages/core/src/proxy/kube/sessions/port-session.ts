import { port } from "../../../audit/index.ts";
import type { AuditEventInput } from "../../../audit/index.ts";
import type { PortConnection, StreamSinks } from "../../../formats/index.ts";
import type { Grant } from "../authorize.ts";
import type { SessionContext } from "./sessions.ts";
import type { LiveSession, SessionStream, StreamSession } from "./types.ts";

/** Connections of one port-forward that get events of their own; those after them are summed up, once a minute. */
const maxOwnEvents = 1000;
const sumInterval = 60_000;
/** Ports that are summed up one by one. */
const maxSums = 64;

interface Sum {
  connections: number;
  sent: number;
  received: number;
  failed: number;
}

/** One port-forward. It is not recorded; each connection that it carries is audited. */
export class PortSession implements StreamSession {
  readonly sid: string;
  readonly user: string;
  readonly sinks: StreamSinks;
  readonly behind = false;
  readonly problem = undefined;
  readonly #context: SessionContext;
  readonly #grant: Grant;
  readonly #started: number;
  readonly #over: () => void;
  /** When each open connection was opened. */
  readonly #open = new Map<PortConnection, number>();
  readonly #sums = new Map<number, Sum>();
  #summedAt: number;
  #told = 0;
  #stream: SessionStream | undefined;
  #ended = false;

  constructor(context: SessionContext, grant: Grant, sid: string, over: () => void) {
    this.sid = sid;
    this.user = grant.user;
    this.#context = context;
    // What was needed to decide the request is not kept for as long as the session lasts.
    this.#grant = { ...grant, headers: [], incoming: { ...grant.incoming, passed: [], impersonation: [] } };
    this.#started = context.clock.now();
    this.#summedAt = this.#started;
    this.#over = over;
    this.sinks = {
      ports: {
        opened: (connection) => this.#open.set(connection, context.clock.now()),
        closed: (connection) => this.#close(connection, context.clock.now()),
      },
    };
  }

  started(): readonly AuditEventInput[] {
    return [];
  }

  blind(): undefined {
    return undefined;
  }

  run(stream: SessionStream): void {
    this.#stream = stream;
  }

  tick(now: number): void {
    if (this.#sums.size > 0 && now - this.#summedAt >= sumInterval) this.#tellSums(now);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over();
    const now = this.#context.clock.now();
    for (const connection of [...this.#open.keys()]) this.#close(connection, now);
    this.#tellSums(now);
  }

  drop(): void {
    this.#ended = true;
    this.#over();
  }

  view(): LiveSession | undefined {
    if (this.#stream === undefined) return undefined;
    const { connection, path, user } = this.#grant;
    const { lastActive, carried } = this.#stream;
    return {
      sid: this.sid,
      kind: "portforward",
      user,
      cluster: connection.clusterName,
      namespace: path.namespace,
      pod: path.name,
      container: "",
      command: [],
      tty: false,
      address: connection.remoteAddress,
      started: this.#started,
      lastActive,
      bytes: carried,
      recording: undefined,
    };
  }

  #close(connection: PortConnection, now: number): void {
    const opened = this.#open.get(connection);
    if (opened === undefined) return;
    this.#open.delete(connection);
    const { sent, received, error } = connection;
    if (this.#told < maxOwnEvents) {
      this.#told += 1;
      this.#tell(connection.port, error === "" ? undefined : error, { connections: 1, bytes_sent: sent, bytes_received: received, duration_ms: Math.max(0, now - opened) });
      return;
    }
    const known = this.#sums.has(connection.port) || this.#sums.size < maxSums;
    const sum = this.#sums.get(known ? connection.port : 0) ?? { connections: 0, sent: 0, received: 0, failed: 0 };
    this.#sums.set(known ? connection.port : 0, sum);
    sum.connections += 1;
    sum.sent += sent;
    sum.received += received;
    if (error !== "") sum.failed += 1;
  }

  #tellSums(now: number): void {
    for (const [number, { connections, sent, received, failed }] of this.#sums) {
      this.#tell(number, undefined, { connections, failed, bytes_sent: sent, bytes_received: received, duration_ms: Math.max(0, now - this.#summedAt) });
    }
    this.#sums.clear();
    this.#summedAt = now;
  }

  #tell(number: number, error: string | undefined, counts: Readonly<Record<string, number>>): void {
    const { connection, kubernetesUser, path, user } = this.#grant;
    this.#context.recorder.write(
      port({
        user,
        login: user,
        kubernetesCluster: connection.clusterName,
        kubernetesNamespace: path.namespace,
        pod: path.name,
        origin: connection,
        addr: number === 0 ? path.name : `${path.name}:${String(number)}`,
        error,
        fields: { sid: this.sid, server_id: this.#context.serverId, action: "connection", kubernetes_user: kubernetesUser, ...counts },
      }),
    );
  }
}
