import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { z } from "zod";
import type { ConsoleLogin } from "../../auth/index.ts";
import { GatehouseError, limits } from "../../base/index.ts";
import { originOf, parseRequest, withForms } from "../http/index.ts";
import { clearCookie, readCookies, setCookie } from "./cookies.ts";
import { keyAnswer, refuseForeignForm, sendForm } from "./forms.ts";
import { loginPage, onwardPage, type LoginChoice } from "./login-pages.ts";
import { loopbackOnly } from "./loopback-only.ts";
import type { WebOptions } from "./types.ts";

const id = z.string().min(1).max(64);
const openQuery = z.object({ id });
const connectorQuery = z.object({ id, kind: z.enum(["github", "oidc", "saml"]), name: z.string().min(1).max(256) });
const keyForm = z.object({ id, user: z.string().max(256) });
const loginForm = z.object({ id, user: z.string().max(256), password: z.string().max(4096), code: z.string().max(64).default(""), key: z.string().max(24 * 1024).default("") });

/** The page on which a login from a terminal chooses its way: a connector, or an account of this cluster. */
export async function consoleRoutes(app: FastifyInstance, options: WebOptions, limit: { readonly logins: preHandlerAsyncHookHandler; readonly passwords: preHandlerAsyncHookHandler }): Promise<void> {
  const { logins, clusterName } = options.auth;

  const loginOf = (request: FastifyRequest, login: string): ConsoleLogin => ({ id: login, cookies: readCookies(request.headers.cookie), origin: originOf(request.raw.socket) });

  async function open(login: ConsoleLogin): Promise<{ readonly choice: LoginChoice; readonly cookie: { readonly name: string; readonly value: string } }> {
    const { cookie, page } = await logins.openConsole(login.id, login.cookies);
    const { connectors } = await options.loginSettings();
    return { cookie, choice: { id: login.id, clusterName, connectors, local: options.localLogins ? page : undefined } };
  }

  function onward(reply: FastifyReply, finished: { readonly location: string; readonly clearCookie: string }): FastifyReply {
    // A form's policy would not let a redirect leave this gateway; a page of its own leads on.
    return reply.type("text/html; charset=utf-8").header("set-cookie", clearCookie(finished.clearCookie)).send(onwardPage(loopbackOnly(finished.location)));
  }

  await withForms(app, (scope) => {
    scope.get("/web/login", { preHandler: limit.logins }, async (request, reply) => {
      const { choice, cookie } = await open(loginOf(request, parseRequest(openQuery, request.query).id));
      return sendForm(reply.header("set-cookie", setCookie(cookie, limits.loginTime)), loginPage(choice));
    });

    scope.get("/web/login/connector", { preHandler: limit.logins }, async (request, reply) => {
      const { id: login, kind, name } = parseRequest(connectorQuery, request.query);
      const { redirectUrl } = await logins.chooseConnector(loginOf(request, login), { kind, name, host: request.headers.host });
      return reply.redirect(redirectUrl, 302);
    });

    scope.post("/webapi/local/login/key", { preHandler: limit.passwords }, async (request) => {
      refuseForeignForm(request);
      const { id: login, user } = parseRequest(keyForm, request.body);
      return logins.consoleKey(loginOf(request, login), user);
    });

    scope.post("/web/login", { preHandler: limit.passwords }, async (request, reply) => {
      refuseForeignForm(request);
      const { id: which, user, password, code, key } = parseRequest(loginForm, request.body);
      const login = loginOf(request, which);
      const { choice } = await open(login);
      if (!choice.local) throw new GatehouseError("access_denied", "this cluster has no local logins");
      try {
        return await onward(reply, await logins.finishConsole(login, { user, password, code, answer: keyAnswer(key) }));
      } catch (error) {
        if (!(error instanceof GatehouseError) || error.code !== "access_denied") throw error;
        const problem = error.id === undefined ? error.message : `${error.message} (${error.id})`;
        return sendForm(reply.status(403), loginPage(choice, { user, problem }));
      }
    });

    scope.post("/web/login/cancel", { preHandler: limit.logins }, async (request, reply) => {
      refuseForeignForm(request);
      return onward(reply, await logins.cancelConsole(loginOf(request, parseRequest(openQuery, request.body).id)));
    });
  });
}
