import { GatehouseError } from "../base/index.ts";
import { anyHost, defaultPorts } from "./address.ts";
import type { KubernetesSection } from "./schema.ts";
import type { KubernetesClusterConfig, KubernetesConfig } from "./types.ts";
import { kubeNameProblem } from "./values.ts";

/** The one cluster of a file that names none goes by the gateway's own cluster's name. Throws `bad_parameter` where that name is too long. */
export function unnamedCluster(clusterName: string, kubeconfigFile: string | undefined, labels: Readonly<Record<string, string>>): KubernetesClusterConfig {
  const problem = kubeNameProblem(clusterName);
  if (problem !== undefined) {
    throw new GatehouseError("bad_parameter", `the Kubernetes cluster goes by the cluster's name, and "${clusterName}" ${problem}`, {
      hint: "give it a name of its own under proxy_service.kubernetes.clusters, or set a shorter auth_service.cluster_name",
    });
  }
  return { name: clusterName, kubeconfigFile, context: undefined, labels };
}

/** `proxy_service.kubernetes`, defaults filled in. */
export function kubernetesConfig(section: KubernetesSection | undefined, clusterName: string): KubernetesConfig {
  const enabled = section?.enabled ?? false;
  const labels = section?.labels ?? {};
  const named = (section?.clusters ?? []).map(
    (cluster): KubernetesClusterConfig => ({
      name: cluster.name ?? "",
      kubeconfigFile: cluster.kubeconfig_file ?? section?.kubeconfig_file,
      context: cluster.context,
      labels: { ...labels, ...cluster.labels },
    }),
  );
  const unnamed = named.length === 0;
  return {
    enabled,
    listen: section?.listen_addr ?? { host: anyHost, port: defaultPorts.kube },
    publicAddrs: section?.public_addr ?? [],
    clusters: !enabled ? [] : unnamed ? [unnamedCluster(clusterName, section?.kubeconfig_file, labels)] : named,
    labels,
    unnamed,
  };
}
