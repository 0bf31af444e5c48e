import { escapeLine } from "../../base/index.ts";
import type { RecordedSession, SessionNode, SshSession, TerminalSize } from "../../formats/index.ts";
import { auditEvents, type EventFields, type EventOrigin } from "../events.ts";
import type { AuditEventInput } from "../types.ts";

/** Who, where and as what: in every event of a session. On a host, `server_id` and its like are the host's, as in v3, and `forwarded_by` is the gateway. */
function common(session: RecordedSession): EventFields {
  const who = { sid: session.sid, user: session.user, namespace: "default", "addr.remote": session.address };
  if (session.proto === "ssh") return { ...who, proto: "ssh", login: session.login, ...nodeFields(session.node), forwarded_by: session.server_id };
  return {
    ...who,
    server_id: session.server_id,
    login: session.user,
    proto: "kube",
    // v3's own namespace, which `namespace` is; the pod's is `kubernetes_namespace`.
    kubernetes_cluster: session.cluster,
    kubernetes_namespace: session.namespace,
    kubernetes_pod: session.pod,
    kubernetes_container: session.container,
  };
}

/** The host of an event. */
export function nodeFields({ id, name, address, labels }: SessionNode): EventFields {
  return { server_id: id, server_hostname: name, server_addr: address, server_labels: labels };
}

/** `session.start`: a session runs. */
export function sessionStart(
  session: RecordedSession,
  more: { readonly protocol: string; readonly localAddress: string; readonly recorded: boolean; readonly size?: TerminalSize | undefined },
): AuditEventInput {
  return {
    ...common(session),
    ...auditEvents.sessionStart,
    "addr.local": more.localAddress,
    action: session.kind,
    command: session.command.map(escapeLine).join(" "),
    tty: session.tty,
    stdin: session.stdin,
    size: more.size && sizeOf(more.size),
    roles: session.roles,
    ...(session.proto === "ssh" ? {} : { kubernetes_user: session.kubernetes_user, kubernetes_groups: session.groups, image: session.image }),
    protocol: more.protocol,
    recorded: more.recorded,
  };
}

/** v3's `W:H`. */
const sizeOf = ({ columns, rows }: TerminalSize): string => `${columns}:${rows}`;

/** `resize`: the person's terminal has another size. */
export function sessionResize(session: RecordedSession, size: TerminalSize): AuditEventInput {
  return { ...common(session), ...auditEvents.resize, size: sizeOf(size) };
}

/** `session.gap`: bytes of a session are missing from its recording (`over`: were, up to now), and why. */
export function sessionGap(session: RecordedSession, gap: { readonly bytes: number; readonly why: string; readonly over: boolean }): AuditEventInput {
  return { ...common(session), ...auditEvents.sessionGap, bytes: gap.bytes, error: gap.why, over: gap.over };
}

/** How a session ended, for {@link sessionEnd}. */
export interface SessionEnd {
  readonly reason: string;
  readonly exitCode?: number | undefined;
  /** Name of the signal that ended the command, without SIG. */
  readonly signal?: string | undefined;
  readonly interrupted?: boolean | undefined;
  /** ms. */
  readonly duration: number;
  /** Absent for a session that was not recorded. */
  readonly recording?: { readonly file: string; readonly bytes: number; readonly sha256: string; readonly complete?: boolean | undefined } | undefined;
  /** Bytes of payload that passed. */
  readonly carried?: number | undefined;
  /** Everybody who took part, the opener first; told where there are several. */
  readonly participants?: readonly string[] | undefined;
  /** Bytes that a crash had torn, and that were cut off. */
  readonly cut?: number | undefined;
  /** Where a recording that a dead gateway left was found damaged. */
  readonly damaged?: { readonly chunk: number; readonly offset: number } | undefined;
}

/** `session.end`, with the digest of the recording. */
export function sessionEnd(session: RecordedSession, end: SessionEnd): AuditEventInput {
  const { recording } = end;
  return {
    ...common(session),
    ...auditEvents.sessionEnd,
    reason: end.reason,
    exit_code: end.exitCode,
    exit_signal: end.signal,
    interrupted: end.interrupted ?? false,
    duration_ms: end.duration,
    bytes: end.carried,
    participants: (end.participants?.length ?? 0) > 1 ? end.participants : undefined,
    cut: end.cut,
    damaged: end.damaged && { chunk: end.damaged.chunk, offset: end.damaged.offset },
    recording: recording && { file: recording.file, bytes: recording.bytes, sha256: recording.sha256, complete: recording.complete },
  };
}

/** What is told when a session ends: of a command on a host `exec` with what became of it, as in v3, and `session.end`. */
export function sessionEnds(session: RecordedSession, end: SessionEnd & { readonly error?: string | undefined }): readonly AuditEventInput[] {
  const ended = sessionEnd(session, end);
  if (session.proto !== "ssh" || (session.kind !== "exec" && session.kind !== "scp")) return [ended];
  const { exitCode, error } = end;
  const failed = exitCode !== 0 || error !== undefined;
  const exec = {
    ...common(session),
    ...(failed ? auditEvents.execFailed : auditEvents.exec),
    command: session.command.map(escapeLine).join(" "),
    exitCode: exitCode === undefined ? undefined : String(exitCode),
    exitError: failed ? (error ?? end.reason) : undefined,
  };
  return [exec, ended];
}

/** What events say of somebody who reads another's session, live or recorded: who, from where, and whose it is. */
export function sessionReading(session: RecordedSession, who: EventOrigin & { readonly user: string }): EventFields {
  const { user, remoteAddress, localAddress } = who;
  return { ...common(session), user, ...(session.proto === "ssh" ? {} : { login: user }), session_user: session.user, "addr.remote": remoteAddress, "addr.local": localAddress };
}

/** `subsystem` of a host: it runs, or with `error` it does not. */
export function subsystem(session: SshSession, name: string, error?: string): AuditEventInput {
  return { ...common(session), ...(error === undefined ? auditEvents.subsystem : auditEvents.subsystemFailed), name, exitError: error };
}

/** A file, or a change to a directory, that went through a session. */
export interface FileEvent {
  readonly protocol: "scp" | "sftp";
  /** v3's `download` and `upload`; also what changes names and rights. */
  readonly action: "download" | "upload" | "remove" | "rename" | "mkdir" | "rmdir" | "symlink" | "link" | "setstat";
  readonly path: string;
  /** Second path of `rename`, `symlink` and `link`. */
  readonly target?: string | undefined;
  /** Bytes that passed. */
  readonly size?: number | undefined;
  /** Hex, of the content that passed; absent where not all of a file passed in order. */
  readonly sha256?: string | undefined;
  /** Why there is no digest. */
  readonly undigested?: string | undefined;
  /** What was changed (`setstat`), or the name that a file came under. */
  readonly detail?: string | undefined;
  /** Why it failed, or did not come to its end. */
  readonly error?: string | undefined;
}

/** `scp` or `sftp`: {@link FileEvent}. */
export function fileEvent(session: SshSession, { protocol, action, path, target, size, sha256, undigested, detail, error }: FileEvent): AuditEventInput {
  const [done, failed] =
    protocol === "sftp"
      ? [auditEvents.sftp, auditEvents.sftpFailed]
      : action === "upload"
        ? [auditEvents.scpUpload, auditEvents.scpUploadFailed]
        : [auditEvents.scpDownload, auditEvents.scpDownloadFailed];
  return { ...common(session), ...(error === undefined ? done : failed), action, path, target, len: size, sha256, undigested, detail, success: error === undefined, exitError: error };
}

/** `port` through a host: a forwarded connection to `addr` (`host:port`), or with `error` one that was refused. `sid` is that of the forwarded ports. */
export function sshPort(
  who: { readonly user: string; readonly login: string; readonly node: SessionNode; readonly forwardedBy: string; readonly remoteAddress: string; readonly localAddress?: string | undefined; readonly sid?: string | undefined },
  addr: string,
  error?: string,
  fields?: EventFields,
): AuditEventInput {
  return {
    ...fields,
    ...(error === undefined ? auditEvents.port : auditEvents.portFailed),
    proto: "ssh",
    namespace: "default",
    user: who.user,
    login: who.login,
    sid: who.sid,
    ...nodeFields(who.node),
    forwarded_by: who.forwardedBy,
    "addr.remote": who.remoteAddress,
    "addr.local": who.localAddress,
    addr,
    success: error === undefined,
    error,
  };
}

/** Recordings that one event tells of: a line has to stay short. */
const maxDigests = 200;

/** `session.digest`: what live recordings amount to; whatever becomes of them has to begin with it. */
export function sessionDigests(serverId: string, digests: readonly { readonly sid: string; readonly bytes: number; readonly sha256: string }[]): readonly AuditEventInput[] {
  const events: AuditEventInput[] = [];
  for (let at = 0; at < digests.length; at += maxDigests) {
    events.push({ ...auditEvents.sessionDigest, server_id: serverId, recordings: digests.slice(at, at + maxDigests).map(({ sid, bytes, sha256 }) => ({ sid, bytes, sha256 })) });
  }
  return events;
}

/** Fields that the end of a session has in common with its start. */
const shared = [
  ...["sid", "server_id", "user", "login", "proto", "namespace", "kubernetes_cluster", "kubernetes_namespace", "kubernetes_pod", "kubernetes_container", "addr.remote"],
  ...["server_hostname", "server_addr", "server_labels", "forwarded_by"],
];

/** `session.end` of a session of which its `session.start` is all that is left. */
export function sessionLost(start: EventFields, reason: string): AuditEventInput {
  return { ...Object.fromEntries(shared.map((name) => [name, start[name]])), ...auditEvents.sessionEnd, reason, interrupted: true };
}
