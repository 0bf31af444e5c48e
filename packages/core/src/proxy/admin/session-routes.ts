import { Readable } from "node:stream";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { sessionInput, sessionJoinRequest, killRequest, type SessionItem, type SessionsResponse } from "../../api/index.ts";
import type { Admin } from "../../auth/index.ts";
import { GatehouseError, type Clock } from "../../base/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import type { LiveSession, LiveSessions, SessionJoin } from "../sessions/index.ts";
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

/** Somebody who types. */
interface Peer {
  readonly user: string;
  readonly joined: SessionJoin;
  /** Of what was taken last. */
  seq: number;
}

/** Sessions under way: each is listed, watched, shared and ended by whoever may `list`, `read`, `connect` to and `delete` it. */
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

  /** Those who type, by session and the key of their participation. */
  const peers = new Map<string, Peer>();

  /** Gives a session's recording as it grows, for as long as its reader takes it and may have it. */
  async function follow(request: FastifyRequest, reply: FastifyReply, sid: string, { mode, key }: { readonly mode: "observer" | "peer"; readonly key?: string | undefined }): Promise<FastifyReply> {
    const caller = callerOf(request.raw);
    const session = find(sid);
    const verb = mode === "peer" ? "connect" : "read";
    await admin.authorizeSession(caller, verb, sessionView(session));
    const giveBack = slots.take(nameOf(caller));
    const stop = new AbortController();
    const cut = (): void => {
      stop.abort();
      reply.raw.destroy();
    };
    const forget = whileAllowed(() => admin.explainSession(callerOf(request.raw), verb, sessionView(session)).allowed, cut);
    const peerKey = `${sid}/${key ?? ""}`;
    reply.raw.once("close", () => {
      stop.abort();
      forget();
      request.raw.socket.off("close", cut);
      peers.delete(peerKey);
      giveBack();
    });
    request.raw.socket.once("close", cut);
    const joined = await sessions.join(sid, { user: nameOf(caller), mode, ...originOf(request.raw.socket) }, stop.signal);
    // Whoever asked is gone.
    if (reply.raw.destroyed) return reply.hijack();
    if (mode === "peer") peers.set(peerKey, { user: nameOf(caller), joined, seq: 0 });
    return reply.type("application/octet-stream").send(Readable.from(inTime(joined.bytes, cut), { objectMode: false, highWaterMark: 64 * 1024 }));
  }

  app.get<{ Params: { sid: string } }>("/gatehouse/v1/sessions/:sid/watch", (request, reply) => follow(request, reply, request.params.sid, { mode: "observer" }));

  app.get<{ Params: { sid: string } }>("/gatehouse/v1/sessions/:sid/join", (request, reply) => {
    const asked = parseRequest(sessionJoinRequest, request.query);
    if (peers.has(`${request.params.sid}/${asked.key}`)) throw new GatehouseError("bad_parameter", "this key names a participation already");
    return follow(request, reply, request.params.sid, asked);
  });

  app.post<{ Params: { sid: string; key: string } }>("/gatehouse/v1/sessions/:sid/join/:key/input", async (request, reply) => {
    const caller = callerOf(request.raw);
    const { sid, key } = request.params;
    const { seq, data } = parseRequest(sessionInput, request.body);
    const peer = peers.get(`${sid}/${key}`);
    if (peer === undefined || peer.user !== nameOf(caller)) throw new GatehouseError("not_found", "you do not take part in this session any more");
    await admin.authorizeSession(caller, "connect", sessionView(find(sid)));
    if (seq > peer.seq) {
      peer.seq = seq;
      await peer.joined.input(Buffer.from(data, "base64"));
    }
    return reply.status(204).send();
  });
}
