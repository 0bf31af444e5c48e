import type { FastifyInstance, preHandlerAsyncHookHandler } from "fastify";
import { z } from "zod";
import { headlessDecisionPath, headlessLimits, headlessPagePath, headlessPollRequest, headlessRequest, type HeadlessPoll, type HeadlessStart } from "../../api/index.ts";
import { GatehouseError, limits } from "../../base/index.ts";
import { connectorKinds, type Connector } from "../../resources/index.ts";
import { originOf, parseRequest, publicKeyLine, withForms } from "../http/index.ts";
import { clearCookie, readCookies, setCookie } from "./cookies.ts";
import { refuseForeignForm, sendForm } from "./forms.ts";
import { headlessDecisionPage, headlessDonePage, headlessLoginPage, type HeadlessWays } from "./headless-pages.ts";
import { milliseconds } from "./login-routes.ts";
import type { WebOptions } from "./types.ts";

const localForm = z.object({ user: z.string().max(256), password: z.string().max(4096), otp: z.string().max(64).default("") });
const decisionForm = z.object({ decision: z.enum(["approve", "refuse"]), code: z.string().max(64).default("") });

interface IdParams {
  readonly Params: { readonly id: string };
}

/** Logins that are approved in a browser elsewhere: what the terminal calls, and the pages of the browser. */
export async function headlessRoutes(app: FastifyInstance, options: WebOptions, limit: { readonly logins: preHandlerAsyncHookHandler; readonly passwords: preHandlerAsyncHookHandler }): Promise<void> {
  const { headless, clusterName } = options.auth;

  app.post("/gatehouse/v1/headless", { preHandler: limit.logins }, async (request): Promise<HeadlessStart> => {
    const { user, public_key, host, command, ttl } = parseRequest(headlessRequest, request.body);
    const origin = originOf(request.raw.socket);
    const asked = await headless.ask({ user, publicKey: publicKeyLine(public_key), host, command, ttl: milliseconds(ttl), origin });
    return {
      id: asked.id,
      poll_secret: asked.pollSecret,
      url: new URL(headlessPagePath(asked.id), options.publicUrl()).href,
      address: origin.remoteAddress,
      expires: new Date(asked.expires).toISOString(),
    };
  });

  app.post<IdParams>("/gatehouse/v1/headless/:id/poll", { preHandler: limit.logins }, (request): Promise<HeadlessPoll> => {
    const { poll_secret: pollSecret } = parseRequest(headlessPollRequest, request.body);
    return headless.poll({ id: request.params.id, pollSecret, wait: headlessLimits.pollWait, origin: originOf(request.raw.socket) });
  });

  async function waysOf(id: string): Promise<HeadlessWays> {
    await headless.find(id);
    const { connectors, secondFactor } = await options.loginSettings();
    return { id, clusterName, connectors, local: options.localLogins ? { secondFactor: secondFactor !== "off" } : undefined };
  }

  await withForms(app, (scope) => {
    scope.get<IdParams>("/web/headless/:id", { preHandler: limit.logins }, async (request, reply) => sendForm(reply, headlessLoginPage(await waysOf(request.params.id))));

    scope.get<{ Params: { id: string; kind: string; name: string } }>("/web/headless/:id/sso/:kind/:name", { preHandler: limit.logins }, async (request, reply) => {
      const { id, kind, name } = request.params;
      const known = connectorKinds.find((each): each is Connector["kind"] => each === kind);
      if (known === undefined) throw new GatehouseError("not_found", "there is no such way to log in");
      const { redirectUrl } = await headless.startSso({ id, kind: known, connectorId: name, host: request.headers.host, origin: originOf(request.raw.socket) });
      return reply.redirect(redirectUrl, 302);
    });

    scope.post<IdParams>("/web/headless/:id/local", { preHandler: limit.passwords }, async (request, reply) => {
      refuseForeignForm(request);
      const ways = await waysOf(request.params.id);
      if (!ways.local) throw new GatehouseError("access_denied", "this cluster has no local logins");
      const { user, password, otp } = parseRequest(localForm, request.body);
      try {
        const { cookie } = await headless.proveLocally({ id: ways.id, user, password, code: otp, origin: originOf(request.raw.socket) });
        return await reply.header("set-cookie", setCookie(cookie, limits.loginTime)).redirect(headlessDecisionPath(ways.id), 303);
      } catch (error) {
        if (!(error instanceof GatehouseError) || error.code !== "access_denied") throw error;
        return sendForm(reply.status(403), headlessLoginPage(ways, { user, problem: error.id === undefined ? error.message : `${error.message} (${error.id})` }));
      }
    });

    scope.get<IdParams>("/web/headless/:id/decide", { preHandler: limit.logins }, async (request, reply) => {
      const { id } = request.params;
      return sendForm(reply, headlessDecisionPage(id, await headless.view(id, readCookies(request.headers.cookie))));
    });

    scope.post<IdParams>("/web/headless/:id/decide", { preHandler: limit.passwords }, async (request, reply) => {
      refuseForeignForm(request);
      const { id } = request.params;
      const { decision, code } = parseRequest(decisionForm, request.body);
      const cookies = readCookies(request.headers.cookie);
      const approve = decision === "approve";
      try {
        const { clearCookie: name } = await headless.decide({ id, cookies, decision: approve ? { approve, code } : { approve }, origin: originOf(request.raw.socket) });
        return await sendForm(reply.header("set-cookie", clearCookie(name)), headlessDonePage(approve));
      } catch (error) {
        if (!(error instanceof GatehouseError) || error.code !== "bad_parameter") throw error;
        return sendForm(reply.status(400), headlessDecisionPage(id, await headless.view(id, cookies), error.message));
      }
    });
  });
}
