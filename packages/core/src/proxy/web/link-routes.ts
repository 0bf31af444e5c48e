import { createHash } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { z } from "zod";
import type { LinkOutcome, LinkView } from "../../auth/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { originOf, parseRequest, withForms } from "../http/index.ts";
import { clearCookie, readCookies, setCookie } from "./cookies.ts";
import { keyAnswer, refuseForeignForm, sendForm } from "./forms.ts";
import { confirmPage, donePage, factorPage } from "./link-pages.ts";
import { passwordPage } from "./pages.ts";
import type { WebOptions } from "./types.ts";

const password = z.string().max(4096);
const code = z.string().max(64).default("");
const key = z.string().max(24 * 1024).default("");
const form = z.discriminatedUnion("step", [
  z.object({ step: z.literal("password"), password, repeat: password }),
  z.object({ step: z.literal("confirm"), password, code, key }),
  z.object({ step: z.literal("factor"), code, key, name: z.string().max(200).default(""), skip: z.string().max(10).optional() }),
]);

/** ms that a browser may take over its second factor before it has to begin anew. */
const passTime = 30 * 60_000;

/** Name of the cookie of the browser that has come as far as the second factor; it tells nothing of the token. */
const passCookie = (token: string): string => `__Host-gatehouse-link-${createHash("sha256").update("link cookie\0").update(token).digest("hex").slice(0, 16)}`;

const passOf = (request: FastifyRequest, token: string): string | undefined => readCookies(request.headers.cookie)[passCookie(token)];

/** Where a link's token is in an address: sign-up and reset, and second factors of one's own. */
export const linkPaths = ["/web/newuser/:token", "/web/mfa/:token"] as const;

/** One-use links: passwords and second factors of local users. */
export async function linkRoutes(app: FastifyInstance, options: WebOptions, limit: preHandlerAsyncHookHandler, loginLine: (user: string) => string): Promise<void> {
  const { links } = options.auth;

  function pageOf(view: LinkView, token: string, problem?: string): string {
    const keyUrl = `/webapi/link/${token}/key`;
    if (view.step === "password") return passwordPage(view.user, options.passwordRules, problem);
    return view.step === "confirm" ? confirmPage(view, keyUrl, problem) : factorPage(view, keyUrl, problem);
  }

  async function take(token: string, body: z.infer<typeof form>, origin: ReturnType<typeof originOf>, pass: string | undefined): Promise<LinkOutcome> {
    switch (body.step) {
      case "password":
        if (body.password !== body.repeat) throw new GatehouseError("bad_parameter", "The two passwords differ.");
        return links.setPassword(token, body.password, origin);
      case "confirm":
        return links.confirm(token, { password: body.password, code: body.code, answer: keyAnswer(body.key) }, origin);
      case "factor": {
        const given = body.skip === undefined ? { code: body.code, credential: keyAnswer(body.key), name: body.name } : { code: "", credential: undefined, name: "" };
        return { done: await links.finish(token, given, origin, pass) };
      }
    }
  }

  async function answer(reply: FastifyReply, token: string, outcome: LinkOutcome): Promise<FastifyReply> {
    if (outcome.done) return sendForm(reply.header("set-cookie", clearCookie(passCookie(token))), donePage(outcome.done, loginLine(outcome.done.user)));
    return sendForm(reply.header("set-cookie", setCookie({ name: passCookie(token), value: outcome.pass }, passTime)), pageOf(outcome.next, token));
  }

  await withForms(app, (scope) => {
    for (const path of linkPaths) {
      scope.get<{ Params: { token: string } }>(path, { preHandler: limit }, async (request, reply) => {
        const { token } = request.params;
        return sendForm(reply, pageOf(await links.read(token, passOf(request, token)), token));
      });

      scope.post<{ Params: { token: string } }>(path, { preHandler: limit }, async (request, reply) => {
        refuseForeignForm(request);
        const { token } = request.params;
        const pass = passOf(request, token);
        const view = await links.read(token, pass);
        const body = parseRequest(form, { step: "password", ...(request.body as object | undefined) });
        try {
          return await answer(reply, token, await take(token, body, originOf(request.raw.socket), pass));
        } catch (error) {
          if (!(error instanceof GatehouseError) || !["bad_parameter", "access_denied"].includes(error.code)) throw error;
          return sendForm(reply.status(error.status), pageOf(view, token, error.message));
        }
      });
    }

    scope.post<{ Params: { token: string } }>("/webapi/link/:token/key", { preHandler: limit }, async (request) => {
      refuseForeignForm(request);
      return links.keyOptions(request.params.token, passOf(request, request.params.token));
    });
  });
}
