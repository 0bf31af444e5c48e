import { GatehouseError } from "../../base/index.ts";
import { parseAuthorizedKey, sshFingerprint } from "../../formats/index.ts";
import { hostNameProblem } from "../../resources/index.ts";
import { authorize, callerName } from "../caller.ts";
import type { Context } from "../context.ts";
import type { Admin } from "../types.ts";
import { auditHostCertificate } from "./certificate.ts";
import { reservedHostName } from "./claims.ts";

const day = 24 * 3_600_000;
/** As long as a host may go without being looked after. */
const maxTtl = 366 * day;

/** `tctl auth sign --host`: a certificate for a host that an administrator looks after by hand. */
export function createHostSign(context: Context): Pick<Admin, "signHost"> {
  return {
    async signHost(caller, { names, publicKey, ttl, origin }) {
      await authorize(context, caller, "host_cert", ["create"]);
      const given = [...new Set(names.map((name) => name.toLowerCase()))];
      for (const name of given) {
        const bare = name.endsWith(`.${context.authorities.clusterName}`) ? name.slice(0, -context.authorities.clusterName.length - 1) : name;
        const problem = hostNameProblem(bare) ?? reservedHostName(context, bare);
        if (problem !== undefined) throw new GatehouseError("bad_parameter", `no host may be called ${JSON.stringify(name)}: it ${problem}`);
      }
      if (!(ttl > 0 && ttl <= maxTtl)) throw new GatehouseError("bad_parameter", "a host's certificate lives for a year at most");
      const { clusterName } = context.authorities;
      const principals = [...new Set(given.flatMap((name) => (name.includes(".") ? [name] : [name, `${name}.${clusterName}`])))];
      const certificate = context.authorities.issueSshHost({ publicKey, keyId: principals[0] ?? "", principals, ttl });
      const hostKey = sshFingerprint(parseAuthorizedKey(publicKey).blob);
      await auditHostCertificate(context, certificate, { user: callerName(caller), hostKey, principals, remoteAddress: origin.remoteAddress });
      return { certificate: certificate.ssh, principals, expires: certificate.expires };
    },
  };
}
