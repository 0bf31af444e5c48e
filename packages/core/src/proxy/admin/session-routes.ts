import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";
import { killRequest, type SessionItem, type SessionsResponse } from "../../api/index.ts";
import type { Admin } from "../../auth/index.ts";
import { GatehouseError, type Clock } from "../../base/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import type { LiveSession, LiveSessions } from "../sessions/index.ts";
import type { CallerOf } from "./caller.ts";
import { sessionView } from "./session-view.ts";
import { createSlots, inTime, nameOf, whileAllowed } from "./streams.ts";

/** Watches at once, and of one person. */
const maxWatches = 256;
const maxOwnWatches = 64;

/** What session routes stand on. */
export interface SessionRouteOptions {
  readonly admin: Admin;
  readonly sessions: LiveSessions;
  readonly clock: Clock;
}

function itemOf(session: LiveSession, now: number): SessionItem {
  const { nodeId, lastActive, recording, command, participants, ...rest } = session;
  return { ...rest, node_id: nodeId, command: [...command], participants: [...participants], last_active: lastActive, now, ...(recording === undefined ? {} : { recording }) };
}

/** Sessions under way: each is listed, watched and ended by whoever may `list`, `read` and `delete` it. */
export function sessionRoutes(app: FastifyInstance, options: SessionRouteOptions, callerOf: CallerOf): void {
  const { admin, sessions, clock } = options;
  const slots = createSlots({ total: maxWatches, each: maxOwnWatches, what: "sessions watched" });
  const find = (sid: string): LiveSession => {
    const session = sessions.list().find((one) => one.sid === sid);
    if (session === undefined) throw new GatehouseError("not_found", "there is no such live session on this gateway", { hint: "tctl sessions ls" });
    return session;
  };

  app.get("/gatehouse/v1/sessions", async (request): Promise<SessionsResponse> => {
    const caller = callerOf(request.raw);
    await admin.requireEver(caller, "session", ["list"]);
    const now = clock.now();
    const seen = sessions.list().filter((session) => admin.explainSession(caller, "list", sessionView(session)).allowed);
    return { items: seen.sort((a, b) => b.started - a.started).map((session) => itemOf(session, now)) };
  });

  app.delete<{ Params: { sid: string } }>("/gatehouse/v1/sessions/:sid", async (request, reply) => {
    const caller = callerOf(request.raw);
    const { message } = parseRequest(killRequest, request.body ?? {});
    const session = find(request.params.sid);
    await admin.authorizeSession(caller, "delete", sessionView(session));
    const by = caller.type === "person" ? caller.identity.username : "the gateway's administrator";
    sessions.kill(session.sid, `the session was ended by ${by}${message === undefined || message === "" ? "" : `: ${message}`}`);
    return reply.status(204).send();
  });

  app.get<{ Params: { sid: string } }>("/gatehouse/v1/sessions/:sid/watch", async (request, reply) => {
    const caller = callerOf(request.raw);
    const session = find(request.params.sid);
    await admin.authorizeSession(caller, "read", sessionView(session));
    const giveBack = slots.take(nameOf(caller));
    const stop = new AbortController();
    const cut = (): void => {
      stop.abort();
      reply.raw.destroy();
    };
    const forget = whileAllowed(() => admin.explainSession(callerOf(request.raw), "read", sessionView(session)).allowed, cut);
    reply.raw.once("close", () => {
      stop.abort();
      forget();
      request.raw.socket.off("close", cut);
      giveBack();
    });
    request.raw.socket.once("close", cut);
    const joined = await sessions.join(session.sid, { user: nameOf(caller), mode: "observer", ...originOf(request.raw.socket) }, stop.signal);
    // Whoever asked is gone.
    if (reply.raw.destroyed) return reply.hijack();
    return reply.type("application/octet-stream").send(Readable.from(inTime(joined.bytes, cut), { objectMode: false, highWaterMark: 64 * 1024 }));
  });
}
