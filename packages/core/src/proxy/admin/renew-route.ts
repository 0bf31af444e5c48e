import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";
import { renewRequest, type SshLoginResponse } from "../../api/index.ts";
import { GatehouseError, createRateLimiter } from "../../base/index.ts";
import type { CertificateIdentity } from "../../ca/index.ts";
import { formatAuthorizedKey, sshPublicKey } from "../../formats/index.ts";
import { limited, originOf, parseRequest } from "../http/index.ts";
import type { AdminOptions } from "./types.ts";

/** For each login session: the shortest is renewed twice a minute, and answers may be lost. */
const sessionLimit = { burst: 20, perSecond: 0.2, keys: 10_000 };

interface Presented {
  readonly certificate: CertificateIdentity;
  /** `authorized_keys` line of the key that the connection proved. */
  readonly publicKey: string;
}

/** Renewing a login, by its own certificate: whoever renews has proven the key by the connection, and can name no other. */
export function renewRoute(app: FastifyInstance, { auth, authorities, clock }: Pick<AdminOptions, "auth" | "authorities" | "clock">): void {
  const presented = ({ socket }: IncomingMessage): Presented => {
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
    if (!certificate) throw new GatehouseError("bad_parameter", "a login is renewed by its own certificate", { hint: "log in as a person: tsh login" });
    const identity = authorities.identifyUser(certificate.raw);
    if (identity.usage.length > 0) throw new GatehouseError("access_denied", `this certificate is for ${identity.usage.join(", ")} alone, and is not renewed`);
    return { certificate: identity, publicKey: formatAuthorizedKey(sshPublicKey(certificate.publicKey)) };
  };
  const preHandler = limited(createRateLimiter(sessionLimit, clock), ({ raw }) => presented(raw).certificate.sessionId ?? "");

  app.post("/gatehouse/v1/renew", { preHandler }, (request): Promise<SshLoginResponse> => {
    parseRequest(renewRequest, request.body);
    return auth.logins.renew({ ...presented(request.raw), origin: originOf(request.raw.socket) });
  });
}
