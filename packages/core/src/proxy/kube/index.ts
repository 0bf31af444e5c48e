/** The Kubernetes proxy: mTLS in, a decision, impersonation, the API server's answer out; live streams end when a right is lost. */
export { createKubeProxy } from "./proxy.ts";
export { fixedClusters, openClusters } from "./clusters.ts";
export type { ClusterOptions, ClusterSettings } from "./clusters.ts";
export type * from "./types.ts";
