import type { ProxyFacts } from "../web/index.ts";
import { formatAddress, publicAddress } from "./addresses.ts";
import type { Base, Live } from "./parts.ts";

/** How people reach the gateway; true once it listens. */
export interface Reach {
  readonly url: () => string;
  /** All public addresses. */
  readonly urls: () => readonly string[];
  readonly kubeAddr: () => string | undefined;
  readonly sshAddr: () => string | undefined;
}

/** The addresses that the configuration gives, or else those that are listened on. */
export function reachOf({ config }: Pick<Base, "config">, live: Live): Reach {
  const web = (): { readonly host: string; readonly port: number } =>
    publicAddress(config.web.publicAddrs, { host: config.web.listen.host, port: live.web?.port ?? config.web.listen.port }, config.nodeName);
  const url = (): string => `https://${formatAddress(web().host, web().port)}`;
  return {
    url,
    urls: () => [...new Set([url(), ...config.web.publicAddrs.map(({ host, port }) => `https://${formatAddress(host, port)}`)])],
    sshAddr: () => {
      if (!live.ssh) return undefined;
      const { publicAddrs, listen } = config.ssh;
      const { host, port } = publicAddress(publicAddrs, { host: listen.host, port: live.sshAddress?.port ?? listen.port }, web().host);
      return formatAddress(host, port);
    },
    kubeAddr: () => {
      if (!live.kube) return undefined;
      const { publicAddrs, listen } = config.kubernetes;
      const bound = { host: listen.host, port: live.kubeAddress?.port ?? listen.port };
      // Bound everywhere, it is reached by the same name as the web.
      const { host, port } = publicAddress(publicAddrs, bound, web().host);
      return formatAddress(host, port);
    },
  };
}

/** What the web API tells of the proxies. */
export function proxyFacts({ config }: Base, live: Live, reach: Reach): ProxyFacts {
  const { listen, publicAddrs } = config.ssh;
  const [ssh] = publicAddrs;
  return {
    kube: { enabled: live.kube !== undefined, publicAddr: reach.kubeAddr() },
    ssh: {
      listenAddr: formatAddress(listen.host, live.sshAddress?.port ?? listen.port),
      publicAddr: new URL(reach.url()).host,
      sshPublicAddr: ssh && formatAddress(ssh.host, ssh.port),
    },
  };
}
