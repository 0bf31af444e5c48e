/** What `tctl kubeconfig create` does: prepares a Kubernetes cluster for a gateway, with an administrator's own credentials. Loads a large library: import it when it runs. */
export { createGatewayAccess } from "./create.ts";
export type { GatewayAccess, SetupOptions, SetupProgress } from "./create.ts";
export { manifestsOf, manifestText, setupNameProblem } from "./manifests.ts";
export type { Manifest, SetupNames } from "./manifests.ts";
export { openAdminCluster } from "./admin-cluster.ts";
export type { AdminCluster } from "./admin-cluster.ts";
