import { GatehouseError, type Clock, type Random } from "../base/index.ts";
import { parseAuthorizedKey, signSshCertificate } from "../formats/index.ts";
import type { Authority } from "./authority.ts";
import { checkName } from "./names.ts";
import { sshSerial } from "./serial.ts";
import type { SshHostCertificate, SshHostCertificateRequest } from "./types.ts";
import { validityFor } from "./validity.ts";

/** A certificate of a host's own key, with no X.509 beside it: a host is no gateway (reference §3.2). */
export function issueSshHost(request: SshHostCertificateRequest, authority: Authority, clock: Clock, random: Random): SshHostCertificate {
  const { keyId } = request;
  checkName(keyId, "a key id");
  const principals = [...new Set(request.principals.map((name) => name.toLowerCase()))];
  for (const name of principals) {
    checkName(name, "a host's name");
    // OpenSSH takes names in host certificates for patterns.
    if (/[*?,!\s]/.test(name)) throw new GatehouseError("bad_parameter", `${JSON.stringify(name)} cannot be a host's name in a certificate`);
  }
  const validity = validityFor(request.ttl, Number.MAX_SAFE_INTEGER, clock, authority);
  const serial = sshSerial(random);
  const ssh = signSshCertificate(
    {
      type: "host",
      publicKey: parseAuthorizedKey(request.publicKey).blob,
      serial,
      keyId,
      principals,
      validAfter: validity.validAfter,
      validBefore: validity.validBefore,
      criticalOptions: new Map(),
      extensions: new Map([
        ["x-teleport-authority", authority.trust.clusterName],
        ["x-teleport-role", "Node"],
      ]),
    },
    authority.sshKey,
    random,
  );
  return { ssh, serial, expires: validity.expires };
}
