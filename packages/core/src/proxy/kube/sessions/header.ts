import type { RecordedSession } from "../../../formats/index.ts";
import { clip, clipAll } from "../../sessions/index.ts";
import type { Grant } from "../authorize.ts";
import { queryFlag } from "../path.ts";
import type { RunsIn } from "./container.ts";

/** Who does what where, of an exec or attach. */
export function recordedSession(grant: Grant, sid: string, serverId: string, started: number, runsIn: RunsIn | undefined): RecordedSession {
  const { path, connection } = grant;
  const query = new URLSearchParams(grant.query);
  return {
    sid,
    proto: "kube",
    kind: path.subresource === "attach" ? "attach" : "exec",
    user: clip(grant.user),
    roles: clipAll(grant.principal.identity.roles.roleNames),
    kubernetes_user: clip(grant.kubernetesUser),
    groups: clipAll(grant.groups),
    cluster: clip(connection.clusterName),
    namespace: clip(path.namespace),
    pod: clip(path.name),
    container: clip(runsIn?.container ?? query.get("container") ?? ""),
    ...(runsIn === undefined ? {} : { image: clip(runsIn.image) }),
    command: query.getAll("command"),
    tty: queryFlag(grant.query, "tty"),
    stdin: queryFlag(grant.query, "stdin"),
    address: connection.remoteAddress,
    server_id: serverId,
    started,
  };
}
