import type { FastifyInstance, preHandlerAsyncHookHandler } from "fastify";
import { joinRequest } from "../../api/index.ts";
import { originOf, parseRequest, publicKeyLine } from "../http/index.ts";
import type { WebOptions } from "./types.ts";

/** Joins of bots: who has no certificate yet asks here. */
export function joinRoutes(app: FastifyInstance, { auth }: WebOptions, limit: preHandlerAsyncHookHandler): void {
  app.post("/gatehouse/v1/join", { preHandler: limit }, (request) => {
    const { public_key: key, ...body } = parseRequest(joinRequest, request.body);
    return auth.logins.join({ ...body, jwt: body.jwt, publicKey: publicKeyLine(key), compatibility: "", origin: originOf(request.raw.socket) });
  });
}
