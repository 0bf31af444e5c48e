/** What login, logout and `tsh kube login` do to kubeconfig: entries added, replaced and removed, everything else left as it is. */
export { kubeconfigPaths } from "./files.ts";
export { renewEmbedded } from "./embedded.ts";
export { addKubeEntries, kubeContextName, kubeContextNames, kubeContexts, kubePlugins, removeKubeEntries, selectKubeContext } from "./update.ts";
export type { KubeEntries, KubeEntry, KubeUpdate } from "./update.ts";
export { readPluginPolicy } from "./plugin-policy.ts";
