/** A Kubernetes proxy on a person's machine: credentials of its own towards tools, the person's login towards the gateway. */
export { openLoginSource } from "./login-source.ts";
export type { LoginSourceOptions } from "./login-source.ts";
export { startKubeProxy } from "./proxy.ts";
export type { SeenRequest, SeenRequests } from "./requests.ts";
export type { KubeProxy, KubeProxyLimits, KubeProxyOptions, ListenPlace, LoginSource, ProxiedCluster, ServedCluster } from "./types.ts";
