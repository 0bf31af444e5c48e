import type { RecordedSession, RecordingHeader } from "../../../formats/index.ts";
import type { Grant } from "../authorize.ts";
import { queryFlag } from "../path.ts";
import type { RunsIn } from "./container.ts";

/** Bounds of what a recording's header holds: characters of a name, entries of a list. */
const maxName = 1024;
const maxNames = 1024;

const clip = (text: string): string => text.slice(0, maxName);
const clipAll = (texts: readonly string[]): string[] => texts.slice(0, maxNames).map(clip);

/** Who does what where, of an exec or attach. */
export function recordedSession(grant: Grant, sid: string, serverId: string, started: number, runsIn: RunsIn | undefined): RecordedSession {
  const { path, connection } = grant;
  const query = new URLSearchParams(grant.query);
  return {
    sid,
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

/** The header of its recording. The size of a terminal comes later, on the stream. */
export function recordingHeader(session: RecordedSession): RecordingHeader {
  const { kind, cluster, namespace, pod, command, started, tty } = session;
  return {
    version: 2,
    width: 80,
    height: 24,
    timestamp: Math.floor(started / 1000),
    ...(command.length === 0 ? {} : { command: command.join(" ").slice(0, maxName) }),
    title: `${kind} ${cluster}/${namespace}/${pod}`,
    ...(tty ? { env: { TERM: "xterm-256color" } } : {}),
    gatehouse: session,
  };
}
