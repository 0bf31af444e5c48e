import { auditEvents, clientDisconnect, exec, port } from "../../audit/index.ts";
import type { AuditEventInput, EventFields, KubeStreamFields } from "../../audit/index.ts";
import type { Connection } from "./connection.ts";
import { kubeVerb, queryFlag } from "./path.ts";
import type { KubePath } from "./path.ts";

/** What audit events say of a request, forwarded or refused. */
export interface RequestFacts {
  readonly connection: Connection;
  readonly method: string;
  readonly path: KubePath | undefined;
  readonly pathname: string;
  readonly query: string;
  /** The person. */
  readonly user: string | undefined;
  /** Whom they are impersonated as; absent of what was refused before that was known. */
  readonly kubernetesUser?: string | undefined;
  readonly groups: readonly string[];
}

/** Bound of a path in an event, characters; the log bounds the rest. */
const pathLength = 2048;

/** To which object a request went, and how. The query stays out: it may carry what is not for a log. */
function requestFields(facts: RequestFacts): EventFields {
  const { path, method } = facts;
  const request = { kubernetes_user: facts.kubernetesUser, kubernetes_groups: facts.groups, method, path: facts.pathname.slice(0, pathLength) };
  if (path?.isResource !== true) return request;
  return {
    ...request,
    verb: kubeVerb(method, path, facts.query),
    resource_api_group: path.apiGroup,
    resource_kind: kindOf(path),
    resource_namespace: path.namespace,
    resource_name: path.name,
  };
}

function kindOf(path: KubePath): string {
  return path.subresource === "" ? path.resource : `${path.resource}/${path.subresource}`;
}

/** {@link requestFields}, and who and from where. */
function common(facts: RequestFacts): EventFields {
  const { connection } = facts;
  return {
    user: facts.user,
    login: facts.user,
    proto: "kube",
    namespace: "default",
    "addr.remote": connection.remoteAddress,
    "addr.local": connection.localAddress,
    kubernetes_cluster: connection.clusterName,
    ...requestFields(facts),
  };
}

/**
 * An ordinary request and the status it got; 0 with an error when there was no answer. One literal with the fields of {@link common}: this
 * is the one event that every request pays for.
 */
export function requestEvent(facts: RequestFacts, status: number, error?: string): AuditEventInput {
  const { connection, path, method, user } = facts;
  const resource = path?.isResource === true ? path : undefined;
  return {
    event: auditEvents.kubeRequest.event,
    code: auditEvents.kubeRequest.code,
    user,
    login: user,
    proto: "kube",
    namespace: "default",
    "addr.remote": connection.remoteAddress,
    "addr.local": connection.localAddress,
    kubernetes_cluster: connection.clusterName,
    kubernetes_user: facts.kubernetesUser,
    kubernetes_groups: facts.groups,
    method,
    path: facts.pathname.slice(0, pathLength),
    verb: resource === undefined ? undefined : kubeVerb(method, resource, facts.query),
    resource_api_group: resource?.apiGroup,
    resource_kind: resource === undefined ? undefined : kindOf(resource),
    resource_namespace: resource?.namespace,
    resource_name: resource?.name,
    response_code: status,
    error,
  };
}

/** A request that the gateway refused; `id` is what the person was told. What should have run where is told too. */
export function deniedEvent(facts: RequestFacts, status: number, reason: string, id: string): AuditEventInput {
  return { ...auditEvents.kubeDenied, ...common(facts), ...streamTarget(facts), response_code: status, reason, id };
}

/** Requests without a good certificate that came too fast from one address to be told of one by one. */
export function strangersEvent(address: string, count: number): AuditEventInput {
  return { ...auditEvents.kubeDenied, proto: "kube", "addr.remote": address, count, response_code: 401, reason: "more requests without a good certificate than are written down one by one" };
}

/** Pod, container and command of an exec, attach or port-forward. */
function streamTarget({ path, query }: RequestFacts): EventFields | undefined {
  const kind = streamKind(path);
  if (kind === "other" || path === undefined) return undefined;
  const asked = new URLSearchParams(query);
  const command = asked.getAll("command").join(" ");
  return {
    kubernetes_namespace: path.namespace,
    kubernetes_pod: path.name,
    kubernetes_container: asked.get("container") ?? undefined,
    ...(kind === "portforward" ? { ports: asked.getAll("ports") } : { action: path.subresource, command }),
  };
}

/** A first attempt at a stream that did not come about; kubectl makes a second one, whose event tells of both. */
export function attemptEvent(facts: RequestFacts, status: number, error: string): AuditEventInput {
  return { ...auditEvents.kubeUpgradeFailed, ...common(facts), ...streamTarget(facts), attempt: "first", response_code: status, error };
}

/** An upgraded connection, or with an error one that the API server refused or that did not come about; `sid` is its session. */
export function upgradeEvent(facts: RequestFacts & { readonly user: string }, status: number, protocol: string, error?: string, sid?: string): AuditEventInput {
  const { path } = facts;
  const kind = streamKind(path);
  if (kind === "other") {
    return { ...(error === undefined ? auditEvents.kubeUpgrade : auditEvents.kubeUpgradeFailed), ...common(facts), protocol, response_code: status, error };
  }
  const query = new URLSearchParams(facts.query);
  const fields = { ...requestFields(facts), sid, protocol, response_code: status };
  if (kind === "portforward") {
    // With WebSocket ports may be in the query; with SPDY, and in tunnels, they come later, on the stream.
    const ports = query.getAll("ports").join(",");
    return port({ ...streamFields(facts, query, fields), addr: ports === "" ? (path?.name ?? "") : `${path?.name ?? ""}:${ports}`, error });
  }
  return exec({
    ...streamFields(facts, query, { ...fields, action: path?.subresource, tty: queryFlag(facts.query, "tty"), stdin: queryFlag(facts.query, "stdin") }),
    command: query.getAll("command").join(" "),
    error,
  });
}

function streamFields(facts: RequestFacts & { readonly user: string }, query: URLSearchParams, fields: EventFields): KubeStreamFields {
  return {
    user: facts.user,
    login: facts.user,
    kubernetesCluster: facts.connection.clusterName,
    kubernetesNamespace: facts.path?.namespace,
    pod: facts.path?.name,
    container: query.get("container") ?? undefined,
    origin: facts.connection,
    fields,
  };
}

/** A live stream that the gateway ended; `sid` is its session, if it was one. */
export function disconnectEvent(facts: RequestFacts & { readonly user: string }, reason: string, sid?: string): AuditEventInput {
  return clientDisconnect({
    user: facts.user,
    login: facts.user,
    reason,
    origin: facts.connection,
    fields: { sid, proto: "kube", namespace: "default", kubernetes_cluster: facts.connection.clusterName, ...requestFields(facts) },
  });
}

/** What an upgraded connection to this path carries. */
export function streamKind(path: KubePath | undefined): "command" | "portforward" | "other" {
  if (path?.resource !== "pods" || path.apiGroup !== "" || path.prefixVerb !== "") return "other";
  if (path.subresource === "exec" || path.subresource === "attach") return "command";
  return path.subresource === "portforward" ? "portforward" : "other";
}
