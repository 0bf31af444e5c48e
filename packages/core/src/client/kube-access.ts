import type { AdminClient, PingResponse, WhoamiResponse } from "../api/index.ts";
import { GatehouseError } from "../base/index.ts";
import { joinHostPort, parseProxyAddress, type LoginRecord } from "./lean/index.ts";

/** The person as the gateway sees them now, as far as profile and kubeconfig want to know. */
export interface Account {
  readonly roles: readonly string[];
  readonly logins: readonly string[];
  /** `host:port` of the Kubernetes listener; undefined where the gateway has none. */
  readonly kubeAddress: string | undefined;
  readonly kubeClusters: WhoamiResponse["kubernetes"]["clusters"];
  /** The gateway's default one; undefined where it has none, or does not say. */
  readonly defaultCluster: string | undefined;
}

const defaultKubePort = 3026;

/** The address that clients reach: an unspecified host (`0.0.0.0`) is the web listener's own. */
function reachable(publicAddress: string | undefined, proxy: string): string {
  const { host } = parseProxyAddress(proxy);
  if (publicAddress === undefined || publicAddress === "") return joinHostPort(host, defaultKubePort);
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(publicAddress);
  const named = match?.[1] ?? match?.[2];
  if (!match?.[3]) return publicAddress.includes(":") ? publicAddress : joinHostPort(publicAddress, defaultKubePort);
  return named === undefined || named === "" || named === "0.0.0.0" || named === "::" ? joinHostPort(host, Number(match[3])) : publicAddress;
}

/** What a gateway says of somebody, as far as it matters here; `proxy` is `host:port` of its web listener. */
export function accountOf(who: WhoamiResponse, proxy: string, ping?: PingResponse): Account {
  const { enabled, public_addr, clusters, default_cluster: defaultCluster } = who.kubernetes;
  return { defaultCluster, roles: who.roles, logins: who.logins, kubeAddress: enabled ? reachable(public_addr ?? ping?.proxy.kube.public_addr, proxy) : undefined, kubeClusters: enabled ? clusters : [] };
}

/** Asks the gateway who this login is. A gateway without that call (Teleport's own) is taken by what its ping says. */
export async function readAccount(admin: AdminClient, record: LoginRecord, ping: PingResponse | undefined): Promise<Account> {
  try {
    return accountOf(await admin.whoami(), record.proxy, ping);
  } catch (error) {
    if (!(error instanceof GatehouseError) || error.code !== "not_found") throw error;
    const enabled = ping?.proxy.kube.enabled === true;
    return { defaultCluster: undefined, roles: [], logins: [], kubeAddress: enabled ? reachable(ping.proxy.kube.public_addr, record.proxy) : undefined, kubeClusters: [] };
  }
}
