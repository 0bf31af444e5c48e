/** The web API of reference §1 and the few pages a browser sees. */
import { GatehouseError, createRateLimiter } from "../../base/index.ts";
import { trustRoutes } from "../hosts/index.ts";
import { createApp, errorBody, limited, type App } from "../http/index.ts";
import { pagePolicy } from "./html.ts";
import { consoleRoutes } from "./console-routes.ts";
import { headlessRoutes } from "./headless-routes.ts";
import { joinRoutes } from "./join-routes.ts";
import { linkRoutes } from "./link-routes.ts";
import { loginRoutes } from "./login-routes.ts";
import { errorPage, frontPage, loginFailedPage, loginSuccessPage, testDonePage } from "./pages.ts";
import { ping, pingConnector } from "./ping.ts";
import type { WebOptions } from "./types.ts";
import { witnessRoutes } from "./witness-routes.ts";

export type { LoginSettings, ProxyFacts, WebOptions } from "./types.ts";
export type { PasswordRules } from "./pages.ts";

/** Bytes of a request's body: a login is a key and a few names. */
const bodyLimit = 64 * 1024;

/** Addresses that a browser opens: their failures are pages. */
function isPage(url: string): boolean {
  return url === "/" || /^(?:\/v1)?\/web(?:\/|\?|$)/.test(url) || /^(?:\/v1)?\/webapi\/(?:github|oidc|saml)\/(?:login\/open|callback|acs)(?:\?|$)/.test(url);
}

function errorTitle(url: string): string {
  if (/\/webapi\/(?:github|oidc|saml)\/|\/web\/login/.test(url)) return "This login cannot go on";
  if (url.includes("/web/headless/")) return "This login cannot be approved";
  return /\/web\/(?:newuser|mfa)\//.test(url) ? "This address does not work" : "Not here";
}

/** The web application of one gateway. */
export async function createWebApp(options: WebOptions): Promise<App> {
  const { clock, logger, random, publicUrl } = options;
  const logins = limited(createRateLimiter(options.limits?.logins ?? { burst: 120, perSecond: 4, keys: 10_000 }, clock));
  const passwords = limited(createRateLimiter(options.limits?.passwords ?? { burst: 60, perSecond: 1, keys: 10_000 }, clock));
  const loginLine = (user?: string): string => `tsh login --proxy=${new URL(publicUrl()).host}${user === undefined ? "" : ` --auth=local --user=${user}`}`;

  return createApp({
    bodyLimit,
    logger,
    random,
    // Clients send /v1/webapi/…; both forms are equal (reference §1.1).
    rewriteUrl: (url) => (url.startsWith("/v1/") ? url.slice(3) : url),
    errorPage: (error, url) => (isPage(url) ? errorPage(errorTitle(url), error) : undefined),
    routes: async (app) => {
      app.addHook("onSend", async (request, reply) => {
        if (isPage(request.url) && !reply.getHeader("content-security-policy")?.toString().includes("script-src")) reply.header("content-security-policy", pagePolicy);
      });
      app.get("/webapi/ping", async () => ping(await options.loginSettings(), options.facts()));
      app.get<{ Params: { connector: string } }>("/webapi/ping/:connector", async (request, reply) => {
        try {
          return pingConnector(request.params.connector, await options.loginSettings(), options.facts());
        } catch (error) {
          if (!(error instanceof GatehouseError) || error.code !== "not_found") throw error;
          // v3's status for a connector that is not there; the body's code says more.
          return reply.status(400).send(errorBody(error));
        }
      });
      joinRoutes(app, options, logins);
      trustRoutes(app, options, limited(createRateLimiter({ burst: 300, perSecond: 20, keys: 10_000 }, clock)));
      await loginRoutes(app, options, { logins, passwords });
      await consoleRoutes(app, options, { logins, passwords });
      await linkRoutes(app, options, passwords, loginLine);
      await headlessRoutes(app, options, { logins, passwords });
      if (options.witness) witnessRoutes(app, options.witness, limited(createRateLimiter({ burst: 240, perSecond: 4, keys: 1000 }, clock)));
      for (const path of ["/", "/web"]) {
        app.get(path, (_request, reply) => reply.type("text/html; charset=utf-8").send(frontPage(options.auth.clusterName, loginLine())));
      }
      app.get("/web/msg/info/login_success", (_request, reply) => reply.type("text/html; charset=utf-8").send(loginSuccessPage()));
      app.get("/web/msg/info/test_done", (_request, reply) => reply.type("text/html; charset=utf-8").send(testDonePage()));
      app.get("/web/msg/error/login_failed", (_request, reply) => reply.type("text/html; charset=utf-8").send(loginFailedPage()));
    },
  });
}
