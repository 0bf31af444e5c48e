import type { FastifyInstance, FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { z } from "zod";
import type { AuthService, HostGrant } from "../../auth/index.ts";
import { hostCertificateTtl } from "../../auth/index.ts";
import { exportAuthority, type Authorities } from "../../ca/index.ts";
import { originOf, parseRequest, withForms } from "../http/index.ts";
import { readHostScript } from "./script.ts";

const line = (max: number): z.ZodString => z.string().max(max).regex(/^[^\r\n\0]*$/, "has to be one line");
const proof = { challenge: line(256), signature: z.string().max(16 * 1024) };
const joinForm = z.object({ token: line(256), name: line(256), addr: line(300).default(""), labels: line(16 * 1024).default(""), ...proof });
const renewForm = z.object({ id: line(256), ...proof });

const base = "/gatehouse/v1/nodes";

/** What routes for hosts stand on. */
export interface HostOptions {
  readonly auth: Pick<AuthService, "hosts" | "revocations" | "clusterName">;
  readonly authorities: Pick<Authorities, "trust">;
}

/** A grant as the host's shell reads it: a line each, the word before the first space says what it is. */
function grantText({ node, certificate, expires, notes }: HostGrant, clusterName: string): string {
  const renewAfter = Math.floor((expires - hostCertificateTtl / 2) / 1000);
  const lines = ["gatehouse-host 1", `id ${node.id}`, `name ${node.hostname}`, `cluster ${clusterName}`, `certificate ${certificate.trim()}`, `renew-after ${renewAfter}`, ...notes.map((note) => `note ${note}`)];
  return `${lines.join("\n")}\n`;
}

/** Sends what changes seldom and is asked for often. */
function sendTagged(request: FastifyRequest, reply: FastifyReply, type: string, tag: string, body: string | Buffer): FastifyReply {
  const quoted = `"${tag}"`;
  reply.removeHeader("pragma").removeHeader("expires").header("cache-control", "public, max-age=30").header("etag", quoted);
  if (request.headers["if-none-match"] === quoted) return reply.status(304).send();
  return reply.type(type).send(body);
}

/** Public keys and revoked certificates, for whoever asks; nobody has to believe the answer of a server that they do not know. */
export function trustRoutes(app: FastifyInstance, { auth, authorities }: HostOptions, limit: preHandlerAsyncHookHandler): void {
  app.get(`${base}/ca`, { preHandler: limit }, (_request, reply) => reply.type("application/x-pem-file").send(authorities.trust("host").tlsCertificates.map((pem) => `${pem.trim()}\n`).join("")));
  app.get("/gatehouse/v1/ssh/krl", { preHandler: limit }, (request, reply) => {
    const { krl, tag } = auth.revocations.list();
    return sendTagged(request, reply, "application/octet-stream", tag, krl);
  });
}

/** The join script and what it asks for. On the server whose certificate the cluster's own authority issued: that is what hosts check. */
export async function hostRoutes(app: FastifyInstance, options: HostOptions, limit: preHandlerAsyncHookHandler): Promise<void> {
  const { auth, authorities } = options;
  trustRoutes(app, options, limit);
  const script = await readHostScript();
  app.get(`${base}/join.sh`, { preHandler: limit }, (_request, reply) => reply.type("text/x-shellscript; charset=utf-8").send(script));
  app.get(`${base}/challenge`, { preHandler: limit }, async (_request, reply) => reply.type("text/plain; charset=utf-8").send(`${await auth.hosts.challenge()}\n`));
  app.get(`${base}/trust`, { preHandler: limit }, (request, reply) => {
    const { krl, tag } = auth.revocations.list();
    const lines = ["gatehouse-trust 1", ...exportAuthority(authorities.trust("openssh")).ssh.map((key) => `ca ${key}`), `krl ${krl.toString("base64")}`];
    return sendTagged(request, reply, "text/plain; charset=utf-8", tag, `${lines.join("\n")}\n`);
  });
  await withForms(app, (scope) => {
    scope.post(`${base}/join`, { preHandler: limit }, async (request, reply) => {
      const grant = await auth.hosts.join({ ...parseRequest(joinForm, request.body), origin: originOf(request.raw.socket) });
      return reply.type("text/plain; charset=utf-8").send(grantText(grant, auth.clusterName));
    });
    scope.post(`${base}/renew`, { preHandler: limit }, async (request, reply) => {
      const grant = await auth.hosts.renew({ ...parseRequest(renewForm, request.body), origin: originOf(request.raw.socket) });
      return reply.type("text/plain; charset=utf-8").send(grantText(grant, auth.clusterName));
    });
  });
}
