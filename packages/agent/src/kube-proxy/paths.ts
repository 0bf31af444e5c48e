import type { ProxiedCluster } from "./types.ts";

const marker = "/clusters/";

/** What stands before the paths of a cluster: nothing where it is the only one. */
export function prefixOf(cluster: ProxiedCluster, clusters: readonly ProxiedCluster[]): string {
  return clusters.length === 1 ? "" : `${marker}${encodeURIComponent(cluster.name)}`;
}

/** The cluster that a path chooses, and what is left of the path for it; undefined where it chooses none. */
export function findCluster(url: string, clusters: readonly ProxiedCluster[]): { readonly cluster: ProxiedCluster; readonly prefix: string; readonly target: string } | undefined {
  if (!url.startsWith("/")) return undefined;
  for (const cluster of clusters) {
    const prefix = prefixOf(cluster, clusters);
    if (!url.startsWith(prefix)) continue;
    const rest = url.slice(prefix.length);
    if (rest.startsWith("/")) return { cluster, prefix, target: rest };
    if (rest === "" || rest.startsWith("?")) return { cluster, prefix, target: `/${rest}` };
  }
  return undefined;
}
