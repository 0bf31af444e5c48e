/** The gateway: one process that serves the web API, the admin API and the Kubernetes proxy. */
export { startGateway } from "./gateway/gateway.ts";
export { describeCheck } from "./gateway/kube-health.ts";
export type { Gateway, GatewayAddresses, GatewayDependencies } from "./gateway/types.ts";
export { openLog } from "./gateway/log.ts";
export type { GatewayLog } from "./gateway/log.ts";
