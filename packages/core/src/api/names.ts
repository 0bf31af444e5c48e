const suffix = ".teleport.cluster.local";
const kubeSuffix = `.kube${suffix}`;

/** TLS server name of a cluster's admin API: lower-case hex of the name (reference §4.5). */
export function adminServerName(clusterName: string): string {
  return `${Buffer.from(clusterName).toString("hex")}${suffix}`;
}

/** TLS server name that chooses one Kubernetes cluster on a shared listener; the gateway's certificate covers `*.kube.teleport.cluster.local`. */
export function kubeServerName(kubeCluster: string): string {
  return `k${Buffer.from(kubeCluster).toString("hex")}${kubeSuffix}`;
}

/** The cluster that a server name (or Host) of {@link kubeServerName}'s form chooses, or undefined for any other name. */
export function parseKubeServerName(serverName: string): string | undefined {
  const lower = serverName.toLowerCase();
  if (!lower.startsWith("k") || !lower.endsWith(kubeSuffix)) return undefined;
  const hex = lower.slice(1, -kubeSuffix.length);
  return /^(?:[0-9a-f]{2})+$/.test(hex) ? Buffer.from(hex, "hex").toString("utf8") : undefined;
}
