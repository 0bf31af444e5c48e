/** The admin API, `/gatehouse/v1/…`: for people by their certificate, for the host's own administrator by the local socket. */
import type { FastifyInstance } from "fastify";
import { hostCertificateRequest, inviteRequest, resetRequest, signRequest, type ExportResponse, type GatewayResponse, type HostCertificateResponse, type InviteResponse, type SignResponse, type StatusResponse } from "../../api/index.ts";
import type { Identity } from "../../auth/index.ts";
import { exportAuthority, type AuthorityKind } from "../../ca/index.ts";
import { GatehouseError, createRateLimiter, didYouMean, limits, version } from "../../base/index.ts";
import { hostRoutes, nodeRoutes } from "../hosts/index.ts";
import { createApp, limited, originOf, parseRequest, publicKeyLine, type App } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";
import { auditView, eventRoutes } from "./events-routes.ts";
import { mfaRoutes } from "./mfa-routes.ts";
import { recordingRoutes } from "./recording-routes.ts";
import { renewRoute } from "./renew-route.ts";
import { resourceRoutes } from "./resource-routes.ts";
import { sessionRoutes } from "./session-routes.ts";
import { ssoRoutes } from "./sso-routes.ts";
import type { AdminOptions } from "./types.ts";
import { accountOf, whoami } from "./whoami.ts";

export { certificateCallers, localCaller } from "./caller.ts";
export type { CallerOf } from "./caller.ts";
export { openAdminSocket, writeNonce } from "./socket.ts";
export type { AdminSocket } from "./socket.ts";
export type { AdminOptions, KubeClusterView, KubeView } from "./types.ts";

/** For each address: many hosts may be behind one, each asks every few minutes. */
const hostLimit = { burst: 300, perSecond: 20, keys: 10_000 };

const kinds: readonly AuthorityKind[] = ["user", "openssh", "host"];

function authorityKind(name: string): AuthorityKind {
  const kind = kinds.find((known) => known === name);
  if (kind === undefined) throw new GatehouseError("bad_parameter", `there is no authority "${name}"${didYouMean(name, kinds)}`, { hint: `it is one of ${kinds.join(", ")}` });
  return kind;
}

function userRoutes(app: FastifyInstance, options: AdminOptions, callerOf: CallerOf): void {
  const { admin } = options.auth;
  const invitation = (user: string, issued: { readonly token: string; readonly expires: number }): InviteResponse => ({
    user,
    url: `${options.publicUrl()}/web/newuser/${issued.token}`,
    expires: issued.expires,
  });
  app.post<{ Params: { name: string } }>("/gatehouse/v1/users/:name/invite", async (request) => {
    const caller = callerOf(request.raw);
    const { name } = request.params;
    const body = parseRequest(inviteRequest, request.body);
    return invitation(name, await admin.inviteUser(caller, { name, ...body }));
  });
  app.post<{ Params: { name: string } }>("/gatehouse/v1/users/:name/reset", async (request) => {
    const caller = callerOf(request.raw);
    const { name } = request.params;
    return invitation(name, await admin.resetUser(caller, name, parseRequest(resetRequest, request.body).ttl));
  });
}

/** `tctl auth sign`. */
function signRoute(app: FastifyInstance, options: AdminOptions, callerOf: CallerOf): void {
  app.post<{ Params: { name: string } }>("/gatehouse/v1/users/:name/certificate", async (request): Promise<SignResponse> => {
    const caller = callerOf(request.raw);
    const { public_key: key, ttl, compatibility } = parseRequest(signRequest, request.body);
    const login = await options.auth.admin.signUser(caller, { name: request.params.name, publicKey: publicKeyLine(key), ttl, compatibility, origin: originOf(request.raw.socket) });
    const { identity, account } = accountOf(login, options);
    return { login, session: identity.sessionId, proxy: options.publicUrl().replace(/^https:\/\//, ""), account };
  });
}

/** `tctl auth sign --host`. */
function hostCertificateRoute(app: FastifyInstance, options: AdminOptions, callerOf: CallerOf): void {
  app.post("/gatehouse/v1/hosts/certificate", async (request): Promise<HostCertificateResponse> => {
    const caller = callerOf(request.raw);
    const { public_key: key, names, ttl } = parseRequest(hostCertificateRequest, request.body);
    const issued = await options.auth.admin.signHost(caller, { names, publicKey: publicKeyLine(key), ttl, origin: originOf(request.raw.socket) });
    return { certificate: issued.certificate, expires: issued.expires, principals: [...issued.principals] };
  });
}

/** The admin application for one kind of caller. */
export async function createAdminApp(options: AdminOptions, callerOf: CallerOf): Promise<App> {
  const { auth, authorities } = options;
  const personOf = (request: Parameters<CallerOf>[0]): Identity => {
    const caller = callerOf(request);
    if (caller.type === "person") return caller.identity;
    throw new GatehouseError("bad_parameter", "the local administrator has no login", { hint: "log in as a person: tsh login" });
  };
  return createApp({
    bodyLimit: limits.apiBody,
    logger: options.logger,
    random: options.random,
    routes: async (app) => {
      app.get("/gatehouse/v1/whoami", (request) => whoami(personOf(request.raw), auth, options.kube()));

      app.delete("/gatehouse/v1/session", async (request, reply) => {
        await auth.logins.logout(personOf(request.raw));
        return reply.status(204).send();
      });

      renewRoute(app, options);

      app.get("/gatehouse/v1/status", async (request): Promise<StatusResponse> => {
        // Names of clusters and what is wrong with them: for whoever may see who is in the cluster.
        await auth.admin.requireRule(callerOf(request.raw), "user", "list");
        const kube = options.kube();
        return {
          cluster: auth.clusterName,
          version,
          public_url: options.publicUrl(),
          ca_pin: authorities.caPin,
          authorities: kinds.map((kind) => ({ kind, fingerprint: exportAuthority(authorities.trust(kind)).fingerprints[0] ?? "" })),
          kubernetes: kube.clusters.map(({ target, healthy, problem }) => ({ name: target.name, healthy, ...(problem === undefined ? {} : { problem }) })),
          ...(kube.notes.length === 0 ? {} : { notes: [...kube.notes] }),
          streams: kube.streams,
          audit: auditView(options.audit.status()),
        };
      });

      // Public keys: whoever may ask anything may have them.
      app.get<{ Params: { kind: string } }>("/gatehouse/v1/authorities/:kind/export", (request): ExportResponse => {
        callerOf(request.raw);
        return exportAuthority(authorities.trust(authorityKind(request.params.kind)));
      });

      app.get("/gatehouse/v1/gateway", (request): GatewayResponse => {
        callerOf(request.raw);
        return { cluster: auth.clusterName, public_url: options.publicUrl(), ca_pin: authorities.caPin };
      });

      await hostRoutes(app, options, limited(createRateLimiter(hostLimit, options.clock)));
      nodeRoutes(app, auth, personOf);
      hostCertificateRoute(app, options, callerOf);
      resourceRoutes(app, auth.admin, callerOf);
      ssoRoutes(app, auth.admin, callerOf);
      eventRoutes(app, options, callerOf);
      userRoutes(app, options, callerOf);
      mfaRoutes(app, options, callerOf, personOf);
      signRoute(app, options, callerOf);
      recordingRoutes(app, { admin: auth.admin, library: options.library, audit: options.audit }, callerOf);
      sessionRoutes(app, { admin: auth.admin, sessions: options.sessions, clock: options.clock }, callerOf);
    },
  });
}
