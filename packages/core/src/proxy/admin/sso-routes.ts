import type { FastifyInstance } from "fastify";
import { ssoTestRequest, type ConsoleLoginResponse } from "../../api/index.ts";
import type { Admin } from "../../auth/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { parseResource } from "../../resources/index.ts";
import { originOf, parseRequest } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";

/** Tests of connectors. */
export function ssoRoutes(app: FastifyInstance, admin: Admin, callerOf: CallerOf): void {
  app.post("/gatehouse/v1/sso/test", async (request): Promise<ConsoleLoginResponse> => {
    const caller = callerOf(request.raw);
    const body = parseRequest(ssoTestRequest, request.body);
    const connector = parseResource(body.connector);
    if (connector.kind !== "github" && connector.kind !== "oidc" && connector.kind !== "saml") throw new GatehouseError("bad_parameter", `a ${connector.kind} is no connector`);
    const start = await admin.testConnector(caller, connector, { clientRedirectUrl: body.redirect_url, origin: originOf(request.raw.socket) });
    return { redirect_url: start.redirectUrl };
  });
}
