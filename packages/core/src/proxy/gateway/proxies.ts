import { isIP, type AddressInfo } from "node:net";
import type { StreamCheck } from "../../auth/index.ts";
import { createKubeProxy, openClusters, type KubeProxy } from "../kube/index.ts";
import { createSshProxy, type SshProxy } from "../ssh/index.ts";
import { isWildcard } from "./addresses.ts";
import { hostNames } from "./host-certificate.ts";
import { startWait, type Base, type Live } from "./parts.ts";

/** What both proxies stand on. */
function common({ config, auth, authorities, recorder, sessions, clock, logger, random, certificates }: Base) {
  return { gatekeeper: auth.gatekeeper, authorities, recorder, sessions, clock, logger, random, tls: certificates.host, clientIdleTimeout: config.clientIdleTimeout };
}

/** The Kubernetes proxy, where it is on. */
export async function openKube(base: Base): Promise<KubeProxy | undefined> {
  const { config, logger, env } = base;
  if (!config.kubernetes.enabled) return undefined;
  const clusters = await openClusters(config.kubernetes, { logger, env, clusterName: config.clusterName, wait: startWait });
  return createKubeProxy({
    ...common(base),
    clusters,
    ...(config.maxConnections === undefined ? {} : { serverLimits: { connections: config.maxConnections } }),
  });
}

/** The SSH proxy, where it is on. */
export function openSsh(base: Base, live: Live): SshProxy | undefined {
  const { config, auth, hostId } = base;
  if (!config.ssh.enabled) return undefined;
  const { dnsNames, ipAddresses } = hostNames(config, config.clusterName);
  return createSshProxy({
    ...common(base),
    nodes: auth.nodes,
    revocations: auth.revocations,
    serverId: hostId,
    nodeName: config.nodeName,
    hostNames: [...dnsNames, ...ipAddresses],
    mode: config.ssh.recording,
    sourceAddresses: config.ssh.sourceAddresses,
    adminAddress: () => live.adminAddress && dialable(live.adminAddress),
    ...(config.maxConnections === undefined ? {} : { limits: { connections: config.maxConnections }, serverLimits: { connections: config.maxConnections } }),
  });
}

/** How this machine itself reaches what listens there. */
function dialable({ address, port }: AddressInfo): { readonly host: string; readonly port: number } {
  return { host: isWildcard(address) ? (isIP(address) === 6 ? "::1" : "127.0.0.1") : address, port };
}

/** Looks at everything under way anew. */
export function recheck({ kube, ssh }: Live): StreamCheck {
  const looked = [kube, ssh].map((proxy) => proxy?.streams.recheck());
  const sum = (of: (one: StreamCheck) => number): number => looked.reduce((all, one) => all + (one === undefined ? 0 : of(one)), 0);
  return { checked: sum(({ checked }) => checked), ended: sum(({ ended }) => ended) };
}
