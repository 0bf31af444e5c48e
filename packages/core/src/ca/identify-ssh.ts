import { GatehouseError, type Clock } from "../base/index.ts";
import { parseAuthorizedKey, verifySshCertificate, type SshCertificate } from "../formats/index.ts";
import type { Authority } from "./authority.ts";
import { checkUsername, noLogins, systemRoles } from "./names.ts";
import { rolesExtension, traitsAttribute } from "./schema.ts";
import { readJson, readSshSession } from "./session.ts";
import type { AuthorityKind, CertificateIdentity, SshPeer } from "./types.ts";

const loginHint = "log in again: tsh login";

function refuse(problem: string, hint?: string): never {
  throw new GatehouseError("unauthenticated", `the SSH certificate is refused: ${problem}`, { hint });
}

const keysOf = (authority: Authority): readonly Buffer[] => authority.trust.sshKeys.map((line) => parseAuthorizedKey(line).blob);

/** Whose it is said to be, so that whoever brings the wrong one is told which: nothing is believed of it but this. */
function checkSigner(certificate: SshCertificate, { openssh, host }: Readonly<Record<AuthorityKind, Authority>>): void {
  const saidToBe = (authority: Authority): boolean => keysOf(authority).some((key) => key.equals(certificate.signatureKey));
  if (saidToBe(host)) refuse("it is a host's certificate, not a person's");
  if (saidToBe(openssh)) refuse("it is good for one connection to a host, not for the gateway");
}

const ms = (seconds: bigint): number => Number(seconds) * 1000;

/** Who an SSH certificate belongs to: see `Authorities.identifySshUser`. */
export function identifySshUser(certificate: SshCertificate, { login, address }: SshPeer, authorities: Readonly<Record<AuthorityKind, Authority>>, clock: Clock): CertificateIdentity {
  const { user } = authorities;
  try {
    checkSigner(certificate, authorities);
    // Somebody without a single login may still be told so by name, and why.
    const nobody = certificate.principals.length === 1 && certificate.principals[0] === noLogins;
    verifySshCertificate(certificate, { caKeys: keysOf(user), now: clock.now(), type: "user", sourceAddress: address, ...(nobody ? {} : { principal: login }) });
    checkUsername(certificate.keyId);
    const claims = readSshSession(certificate.extensions);
    if (!claims) refuse("it names no login session", loginHint);
    const roles = certificate.extensions.get("teleport-roles");
    if (roles === undefined) refuse("it names no roles (a certificate of the format oldssh does not)", "a role of yours says cert_format: oldssh; tsh ssh needs none");
    const { roles: names } = readJson(roles, rolesExtension, "list of roles");
    if (names.some((name) => systemRoles.has(name))) refuse("it names a machine's role");
    return {
      username: certificate.keyId,
      roles: names,
      logins: nobody ? [] : certificate.principals,
      traits: readJson(certificate.extensions.get("teleport-traits") ?? "null", traitsAttribute, "set of traits") ?? {},
      usage: [],
      clusterName: user.trust.clusterName,
      subjectId: claims.subject,
      sessionId: claims.session,
      generation: claims.generation,
      serial: certificate.serial.toString(),
      notBefore: ms(certificate.validAfter),
      notAfter: ms(certificate.validBefore),
    };
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_parameter") refuse(error.message);
    throw error;
  }
}
