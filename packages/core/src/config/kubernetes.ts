import { anyHost, defaultPorts } from "./address.ts";
import type { KubernetesSection } from "./schema.ts";
import type { KubernetesClusterConfig, KubernetesConfig } from "./types.ts";
import { fitKubeName } from "./values.ts";

/** The cluster of a gateway that names none and has no kubeconfig: the one whose pod it runs in, by the name of the gateway's own cluster. */
export function ownCluster(clusterName: string, labels: Readonly<Record<string, string>>): KubernetesClusterConfig {
  return { name: fitKubeName(clusterName), kubeconfigFile: undefined, context: undefined, labels };
}

/** `proxy_service.kubernetes`, defaults filled in. */
export function kubernetesConfig(section: KubernetesSection | undefined, clusterName: string): KubernetesConfig {
  const enabled = section?.enabled ?? false;
  const labels = section?.labels ?? {};
  const kubeconfigFile = section?.kubeconfig_file;
  const named = (section?.clusters ?? []).map(
    (cluster): KubernetesClusterConfig => ({
      name: cluster.name ?? "",
      kubeconfigFile: cluster.kubeconfig_file ?? kubeconfigFile,
      context: cluster.context,
      labels: { ...labels, ...cluster.labels },
    }),
  );
  const unnamed = named.length === 0;
  return {
    enabled,
    listen: section?.listen_addr ?? { host: anyHost, port: defaultPorts.kube },
    publicAddrs: section?.public_addr ?? [],
    clusters: !enabled ? [] : unnamed && kubeconfigFile === undefined ? [ownCluster(clusterName, labels)] : named,
    kubeconfigFile,
    labels,
    unnamed,
  };
}
