/** The Kubernetes proxy: mTLS in, a decision, impersonation, the API server's answer out; live streams end when a right is lost. */
export { createKubeProxy } from "./proxy.ts";
export { loadUpstreams } from "./upstreams.ts";
export type { LoadOptions, UpstreamConfig } from "./upstreams.ts";
export type * from "./types.ts";
