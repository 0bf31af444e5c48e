import formbody from "@fastify/formbody";
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import { pagePolicy } from "./html.ts";
import { passwordPage, passwordSetPage } from "./pages.ts";
import type { WebOptions } from "./types.ts";

const form = z.object({ password: z.string().max(4096), repeat: z.string().max(4096) });

/**
 * The token in the address is what lets someone post this form, so a foreign page cannot forge it; a browser that says the form came from
 * another site is refused all the same.
 */
function refuseForeignForm(request: FastifyRequest): void {
  const site = request.headers["sec-fetch-site"];
  const { origin, host } = request.headers;
  const foreignSite = site !== undefined && site !== "same-origin" && site !== "none";
  const foreignOrigin = origin !== undefined && origin !== `https://${host ?? ""}`;
  if (foreignSite || foreignOrigin) throw new GatehouseError("access_denied", "this form was sent from another site");
}

/** Where invited and reset users choose their password. */
export async function inviteRoutes(
  app: FastifyInstance,
  options: WebOptions,
  limit: preHandlerAsyncHookHandler,
  loginLine: (user: string) => string,
): Promise<void> {
  const { admin } = options.auth;
  const rules = options.passwordRules;
  const send = (reply: FastifyReply, markup: string): FastifyReply =>
    reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", pagePolicy)
      // The form's Origin header must say where it came from, which "no-referrer" would hide.
      .header("referrer-policy", "same-origin")
      .send(markup);

  await app.register(async (scope) => {
    await scope.register(formbody, { bodyLimit: 16 * 1024 });

    scope.get<{ Params: { token: string } }>("/web/newuser/:token", { preHandler: limit }, async (request, reply) => {
      const { user } = await admin.readInvite(request.params.token);
      return send(reply, passwordPage(user, rules));
    });

    scope.post<{ Params: { token: string } }>("/web/newuser/:token", { preHandler: limit }, async (request, reply) => {
      refuseForeignForm(request);
      const { token } = request.params;
      const { user } = await admin.readInvite(token);
      const { password, repeat } = parseRequest(form, request.body);
      try {
        if (password !== repeat) throw new GatehouseError("bad_parameter", "The two passwords differ.");
        await admin.acceptInvite(token, password, originOf(request.raw.socket));
      } catch (error) {
        if (!(error instanceof GatehouseError) || error.code !== "bad_parameter") throw error;
        return send(reply.status(400), passwordPage(user, rules, error.message));
      }
      return send(reply, passwordSetPage(loginLine(user)));
    });
  });
}
