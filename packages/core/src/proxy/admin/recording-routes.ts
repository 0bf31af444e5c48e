import type { FastifyInstance } from "fastify";
import type { SessionView } from "../../access/index.ts";
import { recordingsRequest, type RecordingItem, type RecordingsResponse } from "../../api/index.ts";
import { auditEvents, sessionReading, type AuditLog, type ListedRecording, type RecordingFacts, type RecordingLibrary, type SessionKey } from "../../audit/index.ts";
import type { Admin } from "../../auth/index.ts";
import { sessionPlace } from "../../formats/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";
import { sessionView } from "./session-view.ts";
import { nameOf, whileAllowed } from "./streams.ts";

/** Of what cannot be read nothing is known: those may see it whose rules ask nothing of it. */
const nowhere = { proto: "kube", cluster: "", namespace: "", pod: "", container: "", login: "", node: "" } as const;
const unknown: SessionView = { sid: "", kind: "", user: "", participants: [], ...nowhere, proto: "" };

const viewOf = (session: SessionKey | undefined): SessionView => (session === undefined ? unknown : sessionView(session));

/** Of one that was read. */
function factsView({ session, end }: RecordingFacts): SessionView {
  const { sid, kind, user } = session;
  return sessionView({ ...sessionPlace(session), sid, kind, user, participants: end?.participants });
}

function itemOf({ sid, serverId, started, facts, problem }: ListedRecording): RecordingItem {
  const damaged = problem === undefined ? {} : { damaged: problem };
  if (facts === undefined) {
    const nothing = { ...nowhere, node_id: "", user: "", roles: [], command: [], tty: false, address: "", duration: 0, bytes: 0 };
    return { sid, kind: "unknown", ...nothing, server_id: serverId, started: Math.floor(started), complete: false, interrupted: false, ...damaged };
  }
  const { session, bytes, duration, end } = facts;
  const { kind, user, roles, command, tty, address, server_id } = session;
  const { nodeId, ...place } = sessionPlace(session);
  return {
    ...place,
    ...{ sid, kind, user, roles: [...roles], node_id: nodeId, command: [...command], tty, address, server_id, started, duration, bytes },
    ...(session.proto === "ssh" || session.image === undefined ? {} : { image: session.image }),
    complete: end !== undefined,
    interrupted: end?.interrupted ?? false,
    ...(end === undefined ? {} : { reason: end.reason }),
    ...(end?.exitCode === undefined ? {} : { exit_code: end.exitCode }),
    ...(end?.signal === undefined ? {} : { exit_signal: end.signal }),
    ...(end?.participants === undefined ? {} : { participants: [...end.participants] }),
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
      await admin.authorizeSession(caller, "read", factsView(facts));
      await audit.emit({ ...auditEvents.sessionPlay, ...sessionReading(facts.session, { user: nameOf(caller), ...originOf(request.raw.socket) }), bytes: facts.bytes });
    } catch (error) {
      await recording.close();
      throw error;
    }
    if (reply.raw.destroyed) {
      await recording.close();
      return reply.hijack();
    }
    // As long as its reader takes for it.
    reply.raw.once("close", whileAllowed(() => admin.explainSession(callerOf(request.raw), "read", factsView(facts)).allowed, () => void reply.raw.destroy()));
    return reply.type("application/octet-stream").header("content-length", facts.bytes).send(recording.stream());
  });
}
