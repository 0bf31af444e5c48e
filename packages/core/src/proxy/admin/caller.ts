import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { Authorities, CertificateIdentity } from "../../ca/index.ts";
import type { Caller, Gatekeeper } from "../../auth/index.ts";
import { GatehouseError } from "../../base/index.ts";

/** Who makes a request. Throws `unauthenticated` or `access_denied`. */
export type CallerOf = (request: IncomingMessage) => Caller;

/** Callers by their client certificate, each asked of the gatekeeper anew on every request. */
export function certificateCallers(authorities: Authorities, gatekeeper: Gatekeeper): CallerOf {
  // Verified once a connection: its certificate cannot change, and the gatekeeper looks at its end each time.
  const verified = new WeakMap<TLSSocket, CertificateIdentity>();
  return ({ socket }) => {
    if (!(socket instanceof TLSSocket)) throw new GatehouseError("internal", "the admin API was asked without TLS");
    let certificate = verified.get(socket);
    if (!certificate) {
      const presented = socket.getPeerX509Certificate();
      if (!presented) throw new GatehouseError("unauthenticated", "the admin API needs the certificate of a login", { hint: "log in first: tsh login" });
      certificate = authorities.identifyUser(presented.raw);
      verified.set(socket, certificate);
    }
    if (certificate.usage.length > 0) {
      throw new GatehouseError("access_denied", `this certificate is for ${certificate.usage.join(", ")} alone, not for the admin API`);
    }
    return { type: "person", identity: gatekeeper.identify(certificate) };
  };
}

/** The local administrator: whoever can read the nonce's file, and says so as a bearer token. */
export function localCaller(nonce: string): CallerOf {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  const expected = digest(`Bearer ${nonce}`);
  return (request) => {
    if (!timingSafeEqual(digest(request.headers.authorization ?? ""), expected)) {
      throw new GatehouseError("unauthenticated", "the admin socket needs the nonce of admin.nonce in the data directory", {
        hint: "the gateway writes a new one at every start: read it again",
      });
    }
    return { type: "local-admin" };
  };
}
