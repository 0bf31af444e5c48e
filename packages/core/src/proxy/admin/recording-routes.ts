import type { FastifyInstance } from "fastify";
import type { SessionView } from "../../access/index.ts";
import { recordingsRequest, type RecordingItem, type RecordingsResponse } from "../../api/index.ts";
import { auditEvents, type AuditLog, type ListedRecording, type RecordingLibrary, type SessionKey } from "../../audit/index.ts";
import type { Admin } from "../../auth/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";
import { nameOf, whileAllowed } from "./streams.ts";

/** Of what cannot be read nothing is known: those may see it whose rules ask nothing of it. */
const unknown: SessionView = { sid: "", kind: "", user: "", participants: [], cluster: "", namespace: "", pod: "", container: "" };

function viewOf(session: SessionKey | undefined): SessionView {
  if (session === undefined) return unknown;
  const { sid, kind, user, cluster, namespace, pod, container } = session;
  return { sid, kind, user, participants: [user], cluster, namespace, pod, container };
}

function itemOf({ sid, serverId, started, facts, problem }: ListedRecording): RecordingItem {
  const damaged = problem === undefined ? {} : { damaged: problem };
  if (facts === undefined) {
    const nothing = { user: "", roles: [], cluster: "", namespace: "", pod: "", container: "", command: [], tty: false, address: "", duration: 0, bytes: 0 };
    return { sid, kind: "unknown", ...nothing, server_id: serverId, started: Math.floor(started), complete: false, interrupted: false, ...damaged };
  }
  const { session, bytes, duration, end } = facts;
  const { kind, user, roles, cluster, namespace, pod, container, image, command, tty, address, server_id } = session;
  return {
    ...{ sid, kind, user, roles: [...roles], cluster, namespace, pod, container, command: [...command], tty, address, server_id, started, duration, bytes },
    ...(image === undefined ? {} : { image }),
    complete: end !== undefined,
    interrupted: end?.interrupted ?? false,
    ...(end === undefined ? {} : { reason: end.reason }),
    ...(end?.exitCode === undefined ? {} : { exit_code: end.exitCode }),
    ...damaged,
  };
}

/** Recordings of ended sessions, each for whoever may `list` and `read` that session. */
export function recordingRoutes(app: FastifyInstance, options: { readonly admin: Admin; readonly library: RecordingLibrary; readonly audit: Pick<AuditLog, "emit"> }, callerOf: CallerOf): void {
  const { admin, library, audit } = options;

  app.get("/gatehouse/v1/recordings", async (request): Promise<RecordingsResponse> => {
    const caller = callerOf(request.raw);
    const query = parseRequest(recordingsRequest, request.query);
    await admin.requireEver(caller, "session", ["list"]);
    const found = await library.list(query, (session) => admin.explainSession(caller, "list", viewOf(session)).allowed);
    return { items: found.map(itemOf) };
  });

  app.get<{ Params: { sid: string } }>("/gatehouse/v1/recordings/:sid", async (request, reply) => {
    const caller = callerOf(request.raw);
    const recording = await library.open(request.params.sid);
    const { facts } = recording;
    try {
      await admin.authorizeSession(caller, "read", viewOf(facts.session));
      const { remoteAddress, localAddress } = originOf(request.raw.socket);
      await audit.emit({
        ...auditEvents.sessionPlay,
        user: nameOf(caller),
        sid: facts.session.sid,
        server_id: facts.session.server_id,
        session_user: facts.session.user,
        kubernetes_cluster: facts.session.cluster,
        kubernetes_namespace: facts.session.namespace,
        kubernetes_pod: facts.session.pod,
        bytes: facts.bytes,
        "addr.remote": remoteAddress,
        "addr.local": localAddress,
      });
    } catch (error) {
      await recording.close();
      throw error;
    }
    if (reply.raw.destroyed) {
      await recording.close();
      return reply.hijack();
    }
    // As long as its reader takes for it.
    reply.raw.once("close", whileAllowed(() => admin.explainSession(callerOf(request.raw), "read", viewOf(facts.session)).allowed, () => void reply.raw.destroy()));
    return reply.type("application/octet-stream").header("content-length", facts.bytes).send(recording.stream());
  });
}
