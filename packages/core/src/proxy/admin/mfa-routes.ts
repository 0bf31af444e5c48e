import type { FastifyInstance } from "fastify";
import { mfaLinkRequest, type MfaLinkResponse, type MfaRemoveResponse, type MfaResponse } from "../../api/index.ts";
import type { FactorsView, Identity } from "../../auth/index.ts";
import { parseRequest } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";
import type { AdminOptions } from "./types.ts";

function body({ devices, recoveryCodes, recoveryCreated }: FactorsView): MfaResponse {
  return {
    devices: devices.map(({ name, type, created, lastUsed }) => ({ name, type, created, ...(lastUsed === undefined ? {} : { last_used: lastUsed }) })),
    recovery_codes: { left: recoveryCodes, ...(recoveryCreated === undefined ? {} : { created: recoveryCreated }) },
  };
}

/** Second factors: one's own, and for administrators those of others. */
export function mfaRoutes(app: FastifyInstance, options: AdminOptions, callerOf: CallerOf, personOf: (request: Parameters<CallerOf>[0]) => Identity): void {
  const { mfa } = options.auth;

  app.get("/gatehouse/v1/mfa", async (request) => body(await mfa.own(personOf(request.raw))));

  app.post("/gatehouse/v1/mfa/link", async (request): Promise<MfaLinkResponse> => {
    const person = personOf(request.raw);
    const { token, expires } = await mfa.link(person, parseRequest(mfaLinkRequest, request.body));
    return { url: `${options.publicUrl()}/web/mfa/${token}`, expires };
  });

  app.get<{ Params: { name: string } }>("/gatehouse/v1/users/:name/mfa", async (request) => body(await mfa.of(callerOf(request.raw), request.params.name)));

  app.delete<{ Params: { name: string }; Querystring: { device?: string | string[] } }>("/gatehouse/v1/users/:name/mfa", async (request): Promise<MfaRemoveResponse> => {
    const { device } = request.query;
    const { removed, canLogIn } = await mfa.remove(callerOf(request.raw), request.params.name, Array.isArray(device) ? device[0] : device);
    return { removed: [...removed], can_log_in: canLogIn };
  });
}
