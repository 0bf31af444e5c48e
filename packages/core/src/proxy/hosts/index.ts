/** What hosts ask the gateway for: to join, to renew, whom to trust. Without a client certificate: they prove their key themselves. */
export { hostRoutes, trustRoutes } from "./routes.ts";
export { nodeRoutes } from "./node-routes.ts";
