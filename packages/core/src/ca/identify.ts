import { GatehouseError, type Clock } from "../base/index.ts";
import { parseCertificate, verifyCertificateSignature, type Certificate } from "../formats/index.ts";
import type { Authority } from "./authority.ts";
import { checkUsername, systemRoles } from "./names.ts";
import { traitsAttribute } from "./schema.ts";
import { readJson, readSession } from "./session.ts";
import type { CertificateIdentity } from "./types.ts";

const loginHint = "log in again: tsh login";

function refuse(problem: string, hint?: string): never {
  throw new GatehouseError("unauthenticated", `the client certificate is refused: ${problem}`, { hint });
}

function signedBy(certificate: Certificate, authority: Authority): boolean {
  return authority.tlsVerifiers.some(
    ({ certificate: issuer, publicKey }) => issuer.subjectDer.equals(certificate.issuerDer) && verifyCertificateSignature(certificate, publicKey),
  );
}

function checkSigner(certificate: Certificate, user: Authority, host: Authority): void {
  if (signedBy(certificate, user)) return;
  if (signedBy(certificate, host)) refuse("it is a host's certificate, not a person's");
  const { clusterName } = user.trust;
  const issuer = certificate.issuer.O?.[0];
  if (issuer === undefined || issuer === clusterName) refuse(`it was not issued by the user authority of cluster "${clusterName}"`, loginHint);
  refuse(`it was issued by ${JSON.stringify(issuer)}, not by cluster "${clusterName}"`, loginHint);
}

function checkUse(certificate: Certificate, now: number): void {
  if (now < certificate.notBefore) refuse(`it is not valid before ${new Date(certificate.notBefore).toISOString()}`, "check the clocks of this machine and of the gateway");
  if (now >= certificate.notAfter) refuse(`it expired at ${new Date(certificate.notAfter).toISOString()}`, loginHint);
  if (certificate.ca) refuse("it is an authority's certificate, not a person's");
  if (certificate.extendedKeyUsage?.includes("clientAuth") !== true) refuse("it is not meant for clients: it lacks the extended key usage clientAuth");
  if (certificate.keyUsage?.includes("digitalSignature") === false) refuse("its key is not meant for signatures");
  if (certificate.others.some(({ critical }) => critical)) refuse("it has a critical extension that is not known here");
}

function readIdentity(certificate: Certificate, clusterName: string): CertificateIdentity {
  const { CN: names = [], O: roles = [], OU: usage = [], L: logins = [], postalCode = [] } = certificate.subject;
  const [username = ""] = names;
  if (names.length !== 1) refuse("it does not name exactly one person");
  checkUsername(username);
  if (roles.some((role) => systemRoles.has(role))) refuse("it names a machine's role");
  if (postalCode.length !== 1) refuse("it does not have exactly one set of traits");
  const claims = readSession(certificate.others);
  return {
    username,
    roles,
    logins,
    traits: readJson(postalCode[0] ?? "", traitsAttribute, "set of traits") ?? {},
    usage,
    clusterName,
    subjectId: claims?.subject,
    sessionId: claims?.session,
    generation: claims?.generation ?? 1,
    serial: certificate.serial.toString(),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
  };
}

/** Who a client certificate belongs to: see `Authorities.identifyUser`. Nothing is read from the subject before the signature held. */
export function identifyUser(certificateDer: Uint8Array, user: Authority, host: Authority, clock: Clock): CertificateIdentity {
  try {
    const certificate = parseCertificate(certificateDer);
    checkSigner(certificate, user, host);
    checkUse(certificate, clock.now());
    return readIdentity(certificate, user.trust.clusterName);
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_parameter") refuse(error.message);
    throw error;
  }
}
