const suffix = ".teleport.cluster.local";
const kubeSuffix = `.kube${suffix}`;

/** TLS server name of a cluster's admin API: lower-case hex of the name (reference §4.5). */
export function adminServerName(clusterName: string): string {
  return `${Buffer.from(clusterName).toString("hex")}${suffix}`;
}

/** TLS server name under which a cluster's gateway takes connections to hosts, on the web port; its certificate covers `*.teleport.cluster.local`. */
export function sshServerName(clusterName: string): string {
  return `s${Buffer.from(clusterName).toString("hex")}${suffix}`;
}

/** TLS server name that chooses one Kubernetes cluster on a shared listener; the gateway's certificate covers `*.kube.teleport.cluster.local`. */
export function kubeServerName(kubeCluster: string): string {
  return `k${Buffer.from(kubeCluster).toString("hex")}${kubeSuffix}`;
}

/**
 * The cluster that a server name (or Host) of {@link kubeServerName}'s form chooses, or undefined for any other name. A name under the suffix that
 * is not of the form chooses the cluster of that very name, which there is not: never in silence the default one.
 */
export function parseKubeServerName(serverName: string): string | undefined {
  const name = serverName.toLowerCase().replace(/\.$/, "");
  if (!name.endsWith(kubeSuffix)) return undefined;
  const hex = /^k((?:[0-9a-f]{2})+)$/.exec(name.slice(0, -kubeSuffix.length))?.[1];
  return hex === undefined ? name : Buffer.from(hex, "hex").toString("utf8");
}
