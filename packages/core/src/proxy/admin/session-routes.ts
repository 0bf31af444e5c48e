import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import type { SessionView } from "../../access/index.ts";
import { killRequest, type SessionItem, type SessionsResponse } from "../../api/index.ts";
import { auditEvents, type AuditLog } from "../../audit/index.ts";
import type { Admin } from "../../auth/index.ts";
import { GatehouseError, errorMessage, type Clock, type Logger } from "../../base/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import type { LiveSession, LiveSessions } from "../kube/index.ts";
import type { CallerOf } from "./caller.ts";
import { createSlots, inTime, nameOf, whileAllowed } from "./streams.ts";

/** Watches at once, and of one person. */
const maxWatches = 256;
const maxOwnWatches = 64;

/** What session routes stand on. */
export interface SessionRouteOptions {
  readonly admin: Admin;
  /** Undefined where the Kubernetes proxy is off. */
  readonly sessions: () => LiveSessions | undefined;
  readonly audit: Pick<AuditLog, "emit">;
  readonly clock: Clock;
  readonly logger: Logger;
}

function viewOf({ sid, kind, user, cluster, namespace, pod, container }: LiveSession): SessionView {
  return { sid, kind, user, participants: [user], cluster, namespace, pod, container };
}

function itemOf(session: LiveSession, now: number): SessionItem {
  const { sid, kind, user, cluster, namespace, pod, container, command, tty, address, started, lastActive, bytes, recording } = session;
  return {
    ...{ sid, kind, user, cluster, namespace, pod, container, command: [...command], tty, address, started, last_active: lastActive, now, bytes },
    ...(recording === undefined ? {} : { recording }),
  };
}

/** Sessions under way: each is listed, watched and ended by whoever may `list`, `read` and `delete` it. */
export function sessionRoutes(app: FastifyInstance, options: SessionRouteOptions, callerOf: CallerOf): void {
  const { admin, audit, clock, logger } = options;
  const slots = createSlots({ total: maxWatches, each: maxOwnWatches, what: "sessions watched" });
  const find = (sid: string): { readonly sessions: LiveSessions; readonly session: LiveSession } => {
    const sessions = options.sessions();
    const session = sessions?.list().find((one) => one.sid === sid);
    if (sessions === undefined || session === undefined) throw new GatehouseError("not_found", "there is no such live session on this gateway", { hint: "tctl sessions ls" });
    return { sessions, session };
  };

  app.get("/gatehouse/v1/sessions", async (request): Promise<SessionsResponse> => {
    const caller = callerOf(request.raw);
    await admin.requireEver(caller, "session", ["list"]);
    const now = clock.now();
    const seen = (options.sessions()?.list() ?? []).filter((session) => admin.explainSession(caller, "list", viewOf(session)).allowed);
    return { items: seen.sort((a, b) => b.started - a.started).map((session) => itemOf(session, now)) };
  });

  app.delete<{ Params: { sid: string } }>("/gatehouse/v1/sessions/:sid", async (request, reply) => {
    const caller = callerOf(request.raw);
    const { message } = parseRequest(killRequest, request.body ?? {});
    const { sessions, session } = find(request.params.sid);
    await admin.authorizeSession(caller, "delete", viewOf(session));
    const by = caller.type === "person" ? caller.identity.username : "the gateway's administrator";
    sessions.kill(session.sid, `the session was ended by ${by}${message === undefined || message === "" ? "" : `: ${message}`}`);
    return reply.status(204).send();
  });

  app.get<{ Params: { sid: string } }>("/gatehouse/v1/sessions/:sid/watch", async (request, reply) => {
    const caller = callerOf(request.raw);
    const { sessions, session } = find(request.params.sid);
    await admin.authorizeSession(caller, "read", viewOf(session));
    const stop = new AbortController();
    const watch = sessions.watch(session.sid, stop.signal);
    const { remoteAddress, localAddress } = originOf(request.raw.socket);
    const event = {
      user: nameOf(caller),
      login: nameOf(caller),
      sid: session.sid,
      namespace: "default",
      session_user: session.user,
      mode: "observer",
      kubernetes_cluster: session.cluster,
      kubernetes_namespace: session.namespace,
      kubernetes_pod: session.pod,
      "addr.remote": remoteAddress,
      "addr.local": localAddress,
    };
    const giveBack = slots.take(nameOf(caller));
    let joined = false;
    const cut = (): void => {
      stop.abort();
      reply.raw.destroy();
    };
    const forget = whileAllowed(() => admin.explainSession(callerOf(request.raw), "read", viewOf(session)).allowed, cut);
    const closed = (): void => {
      stop.abort();
      forget();
      request.raw.socket.off("close", cut);
      giveBack();
      if (!joined) return;
      joined = false;
      audit.emit({ ...auditEvents.sessionLeave, ...event }).catch((error: unknown) => logger.error({ sid: session.sid, error: errorMessage(error) }, "that a session is no longer watched could not be audited"));
    };
    reply.raw.once("close", closed);
    request.raw.socket.once("close", cut);
    await audit.emit({ ...auditEvents.sessionJoin, ...event });
    joined = true;
    if (reply.raw.destroyed) {
      // Whoever asked is gone, and so is the event that says so.
      closed();
      return reply.hijack();
    }
    return reply.type("application/octet-stream").send(Readable.from(inTime(watch.bytes, cut), { objectMode: false, highWaterMark: 64 * 1024 }));
  });
}
