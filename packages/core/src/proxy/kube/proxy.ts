import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { statusText } from "../../formats/index.ts";
import { sendFailure, sendFailureRaw } from "../../relay/index.ts";
import { Strangers, createPurposeServer } from "../listener/index.ts";
import { authorize, checkNodeCommand } from "./authorize.ts";
import type { Grant } from "./authorize.ts";
import { checkImpersonation } from "./check.ts";
import { Connection } from "./connection.ts";
import type { ConnectionContext } from "./connection.ts";
import { strangersEvent } from "./events.ts";
import { Exchange } from "./exchange.ts";
import { recordRefusal, refusalOf } from "./gateway.ts";
import type { Shared } from "./gateway.ts";
import { openRegistry } from "./registry.ts";
import { Attempts } from "./sessions/index.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";
import type { KubeProxy, KubeProxyOptions } from "./types.ts";
import { Upgrade, checkUpgrade } from "./upgrade.ts";
import { Upstream } from "./upstream.ts";

/**
 * The Kubernetes proxy: takes mTLS connections, decides each request, impersonates, forwards, audits. Throws `bad_parameter` for clusters
 * that cannot be used.
 */
export function createKubeProxy(options: KubeProxyOptions): KubeProxy {
  const { authorities, gatekeeper, recorder, sessions, clock, logger, random } = options;
  const directory = options.clusters;
  const upstreams = new Map<string, Upstream>();
  const registry = openRegistry(gatekeeper, clock, logger, options.clientIdleTimeout ?? 0);
  const strangers = new Strangers(clock, (address, count) => recorder.write(strangersEvent(address, count)));
  const attempts = new Attempts();
  const kill = (sid: string, message: string): void => void registry.endAll(failure(403, message), (live) => live.sid === sid);
  const shared: Shared = { recorder, strangers, registry, sessions: { sessions, clock, logger, kill }, attempts, clock, logger, random };
  const context: ConnectionContext = { authorities, gatekeeper, clock, upstreams, defaultCluster: () => directory.defaultCluster };
  const connections = new WeakMap<Socket, Connection>();
  const connectionOf = (socket: Socket): Connection => {
    const known = connections.get(socket);
    if (known === undefined) throw new GatehouseError("internal", "a request came on a connection that was not announced");
    return known;
  };
  const listeners = new Set<() => void>();
  let closing = false;

  /** Takes the clusters as the directory has them now. */
  const follow = (): void => {
    const present = new Set(directory.clusters.map(({ name }) => name));
    for (const [name, upstream] of upstreams) {
      if (present.has(name)) continue;
      upstreams.delete(name);
      registry.endAll(failure(404, `Kubernetes cluster "${name}" is not served by this gateway any more`), (live) => live.grant.upstream === upstream);
      upstream.close().catch((error: unknown) => logger.error({ error: errorMessage(error), cluster: name }, "closing the connections to a Kubernetes cluster failed"));
    }
    for (const cluster of directory.clusters) {
      const known = upstreams.get(cluster.name);
      if (known) known.update(cluster);
      else upstreams.set(cluster.name, new Upstream(cluster, options.limits));
    }
    for (const listener of listeners) listener();
  };
  follow();
  const stopFollowing = directory.onChange(follow);

  const grantOf = (request: IncomingMessage): Grant => {
    const grant = authorize(connectionOf(request.socket), request);
    if (closing) throw new Refusal(503, "the gateway is shutting down");
    if (!recorder.healthy) throw new Refusal(503, "the gateway cannot write its audit log and lets nothing pass without it");
    if (sessions.recorded) checkNodeCommand(grant);
    return grant;
  };

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (connectionOf(request.socket).turnedAway) return;
    try {
      const grant = grantOf(request);
      checkRoom(grant, false);
      new Exchange(shared, grant, request, response).start();
    } catch (error) {
      refuse(request, error, (why) => sendFailure(response, why));
    }
  };
  const onUpgrade = (request: IncomingMessage, socket: TLSSocket, head: Buffer): void => {
    if (connectionOf(socket).turnedAway) {
      socket.destroy();
      return;
    }
    try {
      const grant = grantOf(request);
      checkAlone(grant);
      checkUpgrade(grant);
      checkRoom(grant, true);
      new Upgrade(shared, grant, socket, head).start();
    } catch (error) {
      const midAnswer = connectionOf(request.socket).underWay.size > 0;
      refuse(request, error, (why) => (midAnswer ? socket.destroy() : sendFailureRaw(socket, why)));
    }
  };
  const refuse = (request: IncomingMessage, error: unknown, answer: (why: Failure) => void): void => {
    const connection = connectionOf(request.socket);
    const why = refusalOf(error, logger);
    // Whoever is nobody gets one event of the audit log for each handshake, not as many as fit into a connection.
    connection.turnedAway = why.code === 401;
    recordRefusal(shared, connection, request, why, answer);
  };

  const server = createPurposeServer({
    name: "kube",
    tls: { ...options.tls, clientAuthorities: authorities.trust("user").tlsCertificates },
    onRequest,
    onUpgrade,
    onConnection: (socket) => connections.set(socket, new Connection(context, socket)),
    errorAnswer: (status, message) => ({ contentType: "application/json", body: statusText(failure(status, message)) }),
    limits: options.serverLimits,
    logger,
  });

  return {
    server,
    get clusters() {
      return directory.clusters.flatMap(({ name }) => upstreams.get(name)?.target ?? []);
    },
    get defaultCluster() {
      return directory.defaultCluster;
    },
    get notes() {
      return directory.notes;
    },
    streams: registry,
    async check(cluster) {
      const upstream = upstreams.get(cluster);
      const gone = "it is not served by this gateway any more";
      return upstream === undefined ? { cluster, ok: false, missing: [], problem: gone, summary: gone } : checkImpersonation(upstream);
    },
    onClusters(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close({ drainMs }) {
      closing = true;
      const stopping = failure(503, "the gateway is shutting down");
      const end = performance.now() + drainMs;
      // Watches reconnect by themselves, elsewhere; people's streams get the time there is.
      registry.endAll(stopping, (live) => live.stream && live instanceof Exchange);
      const closed = server.close({ drainMs: drainMs + 1000 });
      await registry.idle(end - performance.now());
      registry.endAll(stopping, () => true);
      await closed;
      registry.close();
      strangers.close();
      stopFollowing();
      await directory.close();
      attempts.close();
      await Promise.all([...upstreams.values()].map((upstream) => upstream.close()));
    },
  };
}

/** Refuses an upgrade pipelined behind a request: the answer to that one would get into the middle of the stream. */
function checkAlone({ connection }: Grant): void {
  if (connection.underWay.size > 0) throw new Refusal(400, "an upgrade was asked for on a connection with another request under way");
}

/** Refuses when as much is under way to a cluster as may be. */
function checkRoom(grant: Grant, stream: boolean): void {
  const { upstream } = grant;
  const { limits } = upstream;
  const full = stream ? upstream.streams >= limits.streams : grant.long ? upstream.longRequests >= limits.longRequests : upstream.requests >= limits.requests;
  if (full) throw new Refusal(429, `too much is under way to Kubernetes cluster "${upstream.name}": try again`);
}
