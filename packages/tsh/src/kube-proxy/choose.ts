import { GatehouseError, escapeLine } from "@gatehouse/core/base";
import { kubeContextName, kubeContextNames, kubeContexts, type Account } from "@gatehouse/core/client";
import type { Environment, LoginRecord } from "@gatehouse/core/client/lean";
import type { ProxiedCluster } from "@gatehouse/agent/kube-proxy";
import { chooseKubeCluster } from "../kube-choice.ts";
import { listNames } from "../text.ts";

/** Clusters to serve, and the context that is selected among theirs. */
export interface ChosenClusters {
  readonly clusters: readonly ProxiedCluster[];
  readonly selected: string;
}

type Cluster = Account["kubeClusters"][number];

/** The one that kubectl talks to now, the gateway's default one, or the only one. */
function usual(usable: readonly Cluster[], current: Cluster | undefined, account: Account): Cluster {
  const chosen = current ?? usable.find(({ name }) => name === account.defaultCluster) ?? (usable.length === 1 ? usable[0] : undefined);
  if (chosen) return chosen;
  throw new GatehouseError("usage", "which clusters?", { hint: `tsh proxy kube <cluster>…, or --all; you may use ${listNames(usable.map(({ name }) => escapeLine(name)))}` });
}

/** Reads which clusters are meant. Throws `usage`, `not_found`, `access_denied`. */
export async function chooseClusters(env: Environment, record: LoginRecord, account: Account, wanted: { readonly names: readonly string[]; readonly all: boolean; readonly namespace: string | undefined }): Promise<ChosenClusters> {
  const usable = account.kubeClusters.filter(({ groups }) => groups.length > 0);
  const [refused] = account.kubeClusters.flatMap((cluster) => cluster.refused ?? []);
  if (usable.length === 0) throw new GatehouseError("access_denied", `there is no Kubernetes cluster that you may use${refused === undefined ? "" : `: ${escapeLine(refused)}`}`, { hint: "tsh kube ls" });
  const gateway = { gatehouseCluster: record.cluster, proxy: record.proxy };
  const known = await kubeContexts(env, record.proxy);
  const contextOf = ({ name }: Cluster): string => kubeContextName(known.contexts, gateway, name) ?? kubeContextNames(gateway, name)[0];
  const current = usable.find((cluster) => contextOf(cluster) === known.current);
  const named = [...new Set(wanted.names.map((name) => chooseKubeCluster(account, record.cluster, name)))];
  const chosen = wanted.all ? usable : named.length > 0 ? named : [usual(usable, current, account)];
  const clusters = chosen.map((cluster) => ({ name: cluster.name, serverName: cluster.server_name, context: contextOf(cluster), namespace: wanted.namespace ?? known.namespaces.get(contextOf(cluster)) }));
  const preferred = chosen.find((cluster) => cluster === current) ?? (wanted.all ? chosen.find(({ name }) => name === account.defaultCluster) : undefined) ?? chosen[0];
  return { clusters, selected: preferred === undefined ? "" : contextOf(preferred) };
}
