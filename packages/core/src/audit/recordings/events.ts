import { escapeLine } from "../../base/index.ts";
import type { RecordedSession, TerminalSize } from "../../formats/index.ts";
import { auditEvents, type EventFields } from "../events.ts";
import type { AuditEventInput } from "../types.ts";

/** Who, where and as what: in every event of a session. */
function common(session: RecordedSession): EventFields {
  return {
    sid: session.sid,
    server_id: session.server_id,
    user: session.user,
    login: session.user,
    proto: "kube",
    // v3's own namespace; the pod's is `kubernetes_namespace`.
    namespace: "default",
    kubernetes_cluster: session.cluster,
    kubernetes_namespace: session.namespace,
    kubernetes_pod: session.pod,
    kubernetes_container: session.container,
    "addr.remote": session.address,
  };
}

/** `session.start`: an exec or attach runs. */
export function sessionStart(session: RecordedSession, more: { readonly protocol: string; readonly localAddress: string; readonly recorded: boolean }): AuditEventInput {
  return {
    ...common(session),
    ...auditEvents.sessionStart,
    "addr.local": more.localAddress,
    action: session.kind,
    command: session.command.map(escapeLine).join(" "),
    tty: session.tty,
    stdin: session.stdin,
    roles: session.roles,
    kubernetes_user: session.kubernetes_user,
    kubernetes_groups: session.groups,
    image: session.image,
    protocol: more.protocol,
    recorded: more.recorded,
  };
}

/** `resize`: the person's terminal has another size. */
export function sessionResize(session: RecordedSession, { columns, rows }: TerminalSize): AuditEventInput {
  return { ...common(session), ...auditEvents.resize, size: `${columns}:${rows}` };
}

/** `session.gap`: bytes of a session are missing from its recording (`over`: were, up to now), and why. */
export function sessionGap(session: RecordedSession, gap: { readonly bytes: number; readonly why: string; readonly over: boolean }): AuditEventInput {
  return { ...common(session), ...auditEvents.sessionGap, bytes: gap.bytes, error: gap.why, over: gap.over };
}

/** How a session ended, for {@link sessionEnd}. */
export interface SessionEnd {
  readonly reason: string;
  readonly exitCode?: number | undefined;
  readonly interrupted?: boolean | undefined;
  /** ms. */
  readonly duration: number;
  /** Absent for a session that was not recorded. */
  readonly recording?: { readonly file: string; readonly bytes: number; readonly sha256: string; readonly complete?: boolean | undefined } | undefined;
  /** Bytes of payload that passed. */
  readonly carried?: number | undefined;
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
    interrupted: end.interrupted ?? false,
    duration_ms: end.duration,
    bytes: end.carried,
    cut: end.cut,
    damaged: end.damaged && { chunk: end.damaged.chunk, offset: end.damaged.offset },
    recording: recording && { file: recording.file, bytes: recording.bytes, sha256: recording.sha256, complete: recording.complete },
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
const shared = ["sid", "server_id", "user", "login", "proto", "namespace", "kubernetes_cluster", "kubernetes_namespace", "kubernetes_pod", "kubernetes_container", "addr.remote"];

/** `session.end` of a session of which its `session.start` is all that is left. */
export function sessionLost(start: EventFields, reason: string): AuditEventInput {
  return { ...Object.fromEntries(shared.map((name) => [name, start[name]])), ...auditEvents.sessionEnd, reason, interrupted: true };
}
