import { isIP } from "node:net";
import { adminServerName, sshServerName } from "../../api/index.ts";
import { newKeyPair, type Authorities } from "../../ca/index.ts";
import type { GatewayConfig } from "../../config/index.ts";
import { isWildcard, listenerIps } from "./addresses.ts";
import type { ServerMaterial } from "./web-certificate.ts";

const day = 24 * 3_600_000;
const lifetime = 90 * day;
/** A host certificate is replaced when less than this is left of it. */
export const renewBefore = 30 * day;

/** Every name and address under which clients may meet this gateway (reference §4.4). */
export function hostNames(config: GatewayConfig, clusterName: string): { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] } {
  const publicHosts = [config.web, config.ssh, config.admin, config.kubernetes].flatMap(({ publicAddrs }) => publicAddrs.map(({ host }) => host));
  const listenHosts = [config.web, config.ssh, config.admin, config.kubernetes].map(({ listen }) => listen.host);
  const named = [config.nodeName, "localhost", ...publicHosts, ...listenHosts.filter((host) => !isWildcard(host))];
  return {
    dnsNames: [
      ...new Set([
        ...named.filter((host) => isIP(host) === 0),
        adminServerName(clusterName),
        sshServerName(clusterName),
        "*.kube.teleport.cluster.local",
        "*.teleport.cluster.local",
        "teleport.cluster.local",
      ]),
    ],
    ipAddresses: [...new Set(["127.0.0.1", "::1", ...named.filter((host) => isIP(host) !== 0), ...listenHosts.flatMap(listenerIps)])],
  };
}

/** What hosts may not be called, since this gateway is. */
export function gatewayNames(config: GatewayConfig, hostId: string): readonly string[] {
  const publicHosts = [config.web, config.admin, config.kubernetes, config.ssh].flatMap(({ publicAddrs }) => publicAddrs.map(({ host }) => host));
  return [...new Set([hostId, config.nodeName, ...publicHosts])];
}

/**
 * A server certificate of the cluster's host authority, its chain with the authority's own certificate, so that a client can find the pin in it.
 * The key is new each time and never leaves memory.
 */
export async function issueHostMaterial(options: {
  readonly authorities: Authorities;
  readonly config: GatewayConfig;
  readonly hostId: string;
}): Promise<ServerMaterial> {
  const { authorities, config, hostId } = options;
  const { privateKey, publicKey } = await newKeyPair();
  const issued = authorities.issueHost({
    publicKey,
    hostId,
    nodeName: config.nodeName,
    role: "Proxy",
    principals: [],
    ...hostNames(config, authorities.clusterName),
    ttl: lifetime,
  });
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: [issued.tls, ...authorities.trust("host").tlsCertificates].map((pem) => pem.trimEnd()).join("\n") + "\n",
    expires: issued.expires,
  };
}
