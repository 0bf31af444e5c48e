import type { IncomingMessage } from "node:http";
import { parseKubeServerName } from "../../api/index.ts";
import type { Connection, Principal } from "./connection.ts";
import type { RequestFacts } from "./events.ts";
import { sortHeaders } from "./headers.ts";
import type { IncomingHeaders } from "./headers.ts";
import { impersonate } from "./impersonation.ts";
import { isNodeCommand, isNodeProxy, kubeVerb, parseTarget, queryFlag } from "./path.ts";
import type { KubePath } from "./path.ts";
import { Refusal } from "./status.ts";
import type { Upstream } from "./upstream.ts";

/** A request that may go on, as whom, and with which headers. */
export interface Grant extends RequestFacts {
  readonly user: string;
  readonly kubernetesUser: string;
  readonly path: KubePath;
  readonly upstream: Upstream;
  readonly principal: Principal;
  readonly incoming: IncomingHeaders;
  /** Raw pairs for upstream: what the client may say, and whom the gateway impersonates. */
  readonly headers: string[];
  /** Watches and followed logs. */
  readonly long: boolean;
  readonly nodeProxy: boolean;
}

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Decides a request. Throws {@link Refusal} with what its client is told. */
export function authorize(connection: Connection, request: IncomingMessage): Grant {
  const principal = connection.principal();
  const { upstream } = connection;
  if (upstream === undefined) throw connection.noCluster();
  if (upstream.problem !== undefined) throw new Refusal(503, `Kubernetes cluster "${upstream.name}" cannot be used now: ${upstream.problem.summary}`);
  const method = request.method ?? "";
  if (!methods.has(method)) throw new Refusal(405, `the gateway does not forward ${JSON.stringify(method)} requests`);
  const target = parseTarget(request.url ?? "");
  if (!target.ok) throw new Refusal(400, `${target.problem}: the gateway and the API server could read it differently`);
  const incoming = sortHeaders(request.rawHeaders);
  if (incoming.problem !== undefined) throw new Refusal(400, incoming.problem);
  checkHost(connection, request.headers.host ?? "");
  const { path, pathname, query } = target;
  const nodeProxy = isNodeProxy(path);
  if (nodeProxy && !principal.decision.nodeProxy) {
    throw new Refusal(403, `${principal.identity.username} may not reach a node's own API in cluster "${connection.clusterName}": no role allows the proxy of nodes`);
  }
  const as = impersonate(connection, principal, incoming.impersonation);
  for (const part of as.headers) incoming.passed.push(part);
  return {
    connection,
    method,
    path,
    pathname,
    query,
    user: principal.identity.username,
    kubernetesUser: as.user,
    groups: as.groups,
    upstream,
    principal,
    incoming,
    headers: incoming.passed,
    long: isLong(method, path, query),
    nodeProxy,
  };
}

/** Refuses, where sessions are recorded, what a node's own API would run without a recording. Throws {@link Refusal}. */
export function checkNodeCommand({ nodeProxy, path, incoming, user, connection }: Grant): void {
  if (!nodeProxy || (!isNodeCommand(path) && incoming.upgrade === undefined)) return;
  throw new Refusal(403, `${user} may not run commands or open streams by a node's own API in cluster "${connection.clusterName}": they would not be recorded; use kubectl exec, attach or port-forward`);
}

/** A Host that names another cluster than the server name did (RFC 9110 §15.5.20). */
function checkHost(connection: Connection, host: string): void {
  const named = parseKubeServerName(host.replace(/\.?(?::\d*)?$/, ""));
  if (named !== undefined && named !== connection.clusterName) {
    throw new Refusal(421, `this connection is for Kubernetes cluster "${connection.clusterName}" but the Host header names "${named}"`);
  }
}

/** Watches and followed logs, and whatever a proxied service does: these may stay open. */
function isLong(method: string, path: KubePath, query: string): boolean {
  if (!path.isResource) return false;
  if (path.subresource === "proxy" || path.prefixVerb !== "") return true;
  if (path.resource === "pods" && path.subresource === "log") return queryFlag(query, "follow");
  return kubeVerb(method, path, query) === "watch";
}
