import formbody from "@fastify/formbody";
import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { consoleLoginRequest, localLoginRequest } from "../../api/index.ts";
import { GatehouseError, limits } from "../../base/index.ts";
import { connectorKinds, type Connector } from "../../resources/index.ts";
import { originOf, parseRequest, publicKeyLine } from "../http/index.ts";
import { clearCookie, readCookies, setCookie } from "./cookies.ts";
import { loopbackOnly } from "./loopback-only.ts";
import type { WebOptions } from "./types.ts";

/** Bytes of a SAML answer, a form that holds base64 of XML. */
const samlBodyLimit = 512 * 1024;

/** ms of a wire duration, which is an integer of nanoseconds. */
export function milliseconds(nanoseconds: number): number {
  return Math.trunc(nanoseconds / 1e6);
}

/** Parameters of a query or a form that come once each. Throws `bad_parameter` for a repeated one: which was meant is anybody's guess. */
function singleValues(query: unknown): Readonly<Record<string, string | undefined>> {
  const values: Record<string, string | undefined> = Object.create(null) as Record<string, string | undefined>;
  for (const [name, value] of Object.entries(query ?? {})) {
    if (typeof value !== "string") throw new GatehouseError("bad_parameter", `parameter "${name}" came more than once`);
    values[name] = value;
  }
  return values;
}

/** A login that decides about one elsewhere ends on this gateway's own page, on the host that the cookie was set by. */
function ownPageOnly(location: string): string {
  if (!/^\/web\/headless\/[A-Za-z0-9_-]{22}\/decide$/.test(location)) throw new GatehouseError("internal", "a finished login would have gone to another page");
  return location;
}

/** The logins of people (reference §1.6, §1.8). */
export async function loginRoutes(
  app: FastifyInstance,
  options: WebOptions,
  limit: { readonly logins: preHandlerAsyncHookHandler; readonly passwords: preHandlerAsyncHookHandler },
): Promise<void> {
  const { logins } = options.auth;

  app.post("/webapi/ssh/certs", { preHandler: limit.passwords }, async (request) => {
    if (!options.localLogins) {
      throw new GatehouseError("access_denied", "this cluster has no local logins", { hint: "log in with a connector: tsh login --auth=<connector>" });
    }
    const body = parseRequest(localLoginRequest, request.body);
    return logins.local({
      user: body.user,
      password: body.password,
      otpToken: body.hotp_token === undefined || body.hotp_token === "" ? (body.otp_token ?? "") : body.hotp_token,
      publicKey: publicKeyLine(body.pub_key),
      ttl: milliseconds(body.ttl),
      compatibility: body.compatibility ?? "",
      origin: originOf(request.raw.socket),
    });
  });

  app.post("/webapi/local/login/console", { preHandler: limit.logins }, async (request) => {
    const body = parseRequest(consoleLoginRequest, request.body);
    for (const field of ["redirect_url", "public_key"] as const) {
      if (body[field] === "") throw new GatehouseError("bad_parameter", `missing ${field}`);
    }
    const start = await logins.startConsole({
      clientRedirectUrl: body.redirect_url,
      publicKey: publicKeyLine(body.public_key),
      ttl: milliseconds(body.cert_ttl),
      compatibility: body.compatibility ?? "",
      origin: originOf(request.raw.socket),
    });
    return { redirect_url: start.redirectUrl };
  });

  for (const kind of connectorKinds) {
    app.post(`/webapi/${kind}/login/console`, { preHandler: limit.logins }, async (request) => {
      const body = parseRequest(consoleLoginRequest, request.body);
      for (const field of ["redirect_url", "public_key", "connector_id"] as const) {
        if (body[field] === "") throw new GatehouseError("bad_parameter", `missing ${field}`);
      }
      const start = await logins.startSso({
        kind,
        connectorId: body.connector_id,
        clientRedirectUrl: body.redirect_url,
        publicKey: publicKeyLine(body.public_key),
        ttl: milliseconds(body.cert_ttl),
        compatibility: body.compatibility ?? "",
        host: request.headers.host,
        origin: originOf(request.raw.socket),
      });
      return { redirect_url: start.redirectUrl };
    });

    app.get(`/webapi/${kind}/login/open`, { preHandler: limit.logins }, async (request, reply) => {
      const { id } = singleValues(request.query);
      if (id === undefined || id === "") throw new GatehouseError("bad_parameter", "missing id");
      const { cookie, location } = await logins.openSso(id, originOf(request.raw.socket), readCookies(request.headers.cookie));
      if (!cookie) return reply.redirect(loopbackOnly(location), 302);
      return reply.header("set-cookie", setCookie(cookie, limits.loginTime)).redirect(location, 302);
    });
  }

  const finish = async (kind: Connector["kind"], parameters: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const finished = await logins.finishSso({ kind, parameters: singleValues(parameters), cookies: readCookies(request.headers.cookie), origin: originOf(request.raw.socket) });
    const cookies = [clearCookie(finished.clearCookie), ...(finished.cookie ? [setCookie(finished.cookie, limits.loginTime)] : [])];
    return reply.header("set-cookie", cookies).redirect(finished.cookie ? ownPageOnly(finished.location) : loopbackOnly(finished.location), kind === "saml" ? 303 : 302);
  };
  for (const kind of ["github", "oidc"] as const) {
    app.get(`/webapi/${kind}/callback`, { preHandler: limit.logins }, (request, reply) => finish(kind, request.query, request, reply));
  }
  app.get<{ Params: { connector: string } }>("/webapi/saml/:connector/metadata", { preHandler: limit.logins }, async (request, reply) =>
    reply.type("application/samlmetadata+xml").send(await logins.samlMetadata(request.params.connector)),
  );
  // Forms are taken here alone: everything else of this is JSON.
  await app.register(async (scope) => {
    await scope.register(formbody, { bodyLimit: samlBodyLimit });
    scope.post("/webapi/saml/acs", { preHandler: limit.logins, bodyLimit: samlBodyLimit }, (request, reply) => finish("saml", request.body, request, reply));
  });
}
