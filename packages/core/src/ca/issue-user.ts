import { GatehouseError, limits, type Clock, type Random } from "../base/index.ts";
import { buildCertificate, parseAuthorizedKey, publicKeyFromSsh, signSshCertificate } from "../formats/index.ts";
import type { Authority, TlsSigner } from "./authority.ts";
import { checkName, checkUsername, noLogins, systemRoles } from "./names.ts";
import { sshSerial, tlsSerial } from "./serial.ts";
import { encodeSession, sessionText, sshSessionExtension, type SessionClaims } from "./session.ts";
import type { CertificatePair, UserCertificateRequest } from "./types.ts";
import { validityFor, type Validity } from "./validity.ts";

/** From where nobody comes: an empty `source-address` would be none at all. */
const nowhere = ["0.0.0.0/32"];

function traitsJson(traits: UserCertificateRequest["traits"]): string {
  const entries = Object.entries(traits).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? "null" : JSON.stringify(Object.fromEntries(entries));
}

function checkRequest(request: UserCertificateRequest): void {
  checkUsername(request.username);
  for (const role of request.roles) {
    checkName(role, "a role name");
    if (systemRoles.has(role)) throw new GatehouseError("bad_parameter", `role ${JSON.stringify(role)} is a machine's and cannot be given to a person`);
  }
  for (const login of request.logins) checkName(login, "a login");
}

/** Flags of an SSH certificate (reference §3.1). */
export function permits(request: { readonly permitPortForwarding: boolean; readonly permitAgentForwarding: boolean }): Map<string, string> {
  const extensions = new Map([["permit-pty", ""]]);
  if (request.permitPortForwarding) extensions.set("permit-port-forwarding", "");
  if (request.permitAgentForwarding) extensions.set("permit-agent-forwarding", "");
  return extensions;
}

const claimsOf = ({ subjectId, sessionId, generation = 1 }: UserCertificateRequest): SessionClaims => ({ subject: subjectId, session: sessionId, generation });

function signSsh(request: UserCertificateRequest, roles: readonly string[], logins: readonly string[], validity: Validity, authority: Authority, random: Random): string {
  const extensions = permits(request);
  // What a login and its end hold on to; the proxy lets nobody in without it.
  extensions.set(sshSessionExtension, sessionText(claimsOf(request)));
  if (request.format === "standard") {
    extensions.set("teleport-roles", JSON.stringify({ version: "v1", roles }));
    extensions.set("teleport-traits", traitsJson(request.traits));
  }
  return signSshCertificate(
    {
      type: "user",
      publicKey: parseAuthorizedKey(request.publicKey).blob,
      serial: sshSerial(random),
      keyId: request.username,
      principals: logins.length === 0 ? [noLogins] : logins,
      validAfter: validity.validAfter,
      validBefore: validity.validBefore,
      criticalOptions: request.sourceAddresses === undefined ? new Map() : new Map([["source-address", (request.sourceAddresses.length === 0 ? nowhere : request.sourceAddresses).join(",")]]),
      extensions,
    },
    authority.sshKey,
    random,
  );
}

/** A person's pair of certificates (reference §3.1, §4.2), with client-auth usage alone and our session extension. */
export function issueUser(request: UserCertificateRequest, authority: Authority, tls: TlsSigner, clock: Clock, random: Random): CertificatePair {
  checkRequest(request);
  const validity = validityFor(request.ttl, limits.maxCertificateTtl, clock, authority, request.latest);
  const roles = [...new Set(request.roles)];
  const logins = [...new Set(request.logins)];
  const publicKey = publicKeyFromSsh(parseAuthorizedKey(request.publicKey).blob);
  const certificate = buildCertificate(
    {
      serial: tlsSerial(random),
      subject: { O: roles, L: logins, postalCode: [traitsJson(request.traits)], CN: [request.username] },
      notBefore: validity.notBefore,
      notAfter: validity.expires,
      publicKey,
      keyUsage: publicKey.asymmetricKeyType === "rsa" ? ["digitalSignature", "keyEncipherment"] : ["digitalSignature"],
      extendedKeyUsage: ["clientAuth"],
      extensions: [encodeSession(claimsOf(request))],
    },
    tls,
  );
  return { ssh: signSsh(request, roles, logins, validity, authority, random), tls: certificate, expires: validity.expires };
}
