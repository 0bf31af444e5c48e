import { GatehouseError, type Clock, type Random } from "../base/index.ts";
import { buildCertificate, parseAuthorizedKey, publicKeyFromSsh, signSshCertificate } from "../formats/index.ts";
import type { Authority, TlsSigner } from "./authority.ts";
import { checkName, systemRoles } from "./names.ts";
import { sshSerial, tlsSerial } from "./serial.ts";
import type { CertificatePair, HostCertificateRequest } from "./types.ts";
import { validityFor } from "./validity.ts";

/** SSH principals of a host (reference §3.2), in lower case as OpenSSH looks them up. */
function principalsOf(request: HostCertificateRequest, clusterName: string): readonly string[] {
  const own = [`${request.hostId}.${clusterName}`];
  if (request.role !== "Admin" && request.nodeName !== "") own.push(`${request.nodeName}.${clusterName}`, request.nodeName);
  const extra = request.role === "Admin" ? [] : request.principals;
  return [...new Set([...own, ...extra].map((name) => name.toLowerCase()))];
}

/** A host's pair of certificates (reference §3.2, §4.4), with server-auth usage alone. */
export function issueHost(request: HostCertificateRequest, authority: Authority, tls: TlsSigner, clock: Clock, random: Random): CertificatePair {
  checkName(request.hostId, "a host id");
  if (!systemRoles.has(request.role)) throw new GatehouseError("bad_parameter", `${JSON.stringify(request.role)} is not a role of a machine`);
  const { clusterName } = authority.trust;
  const validity = validityFor(request.ttl, Number.MAX_SAFE_INTEGER, clock, authority);
  const { blob } = parseAuthorizedKey(request.publicKey);
  const publicKey = publicKeyFromSsh(blob);
  const ssh = signSshCertificate(
    {
      type: "host",
      publicKey: blob,
      serial: sshSerial(random),
      keyId: "",
      principals: principalsOf(request, clusterName),
      validAfter: validity.validAfter,
      validBefore: validity.validBefore,
      criticalOptions: new Map(),
      extensions: new Map([
        ["x-teleport-authority", clusterName],
        ["x-teleport-role", request.role],
      ]),
    },
    authority.sshKey,
    random,
  );
  const certificate = buildCertificate(
    {
      serial: tlsSerial(random),
      subject: { O: [request.role], CN: [`${request.hostId}.${clusterName}`] },
      notBefore: validity.notBefore,
      notAfter: validity.expires,
      publicKey,
      keyUsage: publicKey.asymmetricKeyType === "rsa" ? ["digitalSignature", "keyEncipherment"] : ["digitalSignature"],
      extendedKeyUsage: ["serverAuth"],
      dnsNames: [...new Set(request.dnsNames)],
      ipAddresses: [...new Set(request.ipAddresses)],
    },
    tls,
  );
  return { ssh, tls: certificate, expires: validity.expires };
}
