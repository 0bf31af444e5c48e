import { adminServerName, parseKubeServerName, sshServerName } from "../../api/index.ts";
import { GatehouseError, type Logger } from "../../base/index.ts";
import { errorBody, type HttpHandler } from "../http/index.ts";
import { createPurposeServer, type ConnectionHello, type PurposeServer, type PurposeServerOptions, type TlsMaterial } from "../listener/index.ts";

/** One server per purpose; `kube` where the Kubernetes proxy is on. */
export interface Servers {
  readonly web: PurposeServer;
  readonly admin: PurposeServer;
  readonly kube: PurposeServer | undefined;
  /** For `tsh proxy ssh`, where the SSH proxy is on. */
  readonly ssh: PurposeServer | undefined;
}

/** A server of the web or the admin API: short requests, and failures of the protocol in the API's own shape. */
export function createApiServer(options: {
  readonly name: string;
  readonly handler: HttpHandler;
  readonly tls: TlsMaterial;
  readonly connections: number | undefined;
  readonly logger: Logger;
}): PurposeServer {
  const settings: PurposeServerOptions = {
    name: options.name,
    tls: options.tls,
    onRequest: options.handler,
    errorAnswer: (_status, message) => ({ contentType: "application/json", body: JSON.stringify(errorBody(new GatehouseError("bad_parameter", `request: ${message}`))) }),
    limits: {
      headerSize: 32 * 1024,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      ...(options.connections === undefined ? {} : { connections: options.connections }),
    },
    logger: options.logger,
  };
  return createPurposeServer(settings);
}

/** Which server a connection to the shared port wants, by its server name (DESIGN: one open port is enough). Undefined refuses it. */
export function routeOf(servers: Servers, clusterName: string): (hello: ConnectionHello) => PurposeServer | undefined {
  const adminName = adminServerName(clusterName);
  const sshName = sshServerName(clusterName);
  return ({ serverName }) => {
    const name = serverName?.toLowerCase().replace(/\.$/, "");
    if (name === undefined) return servers.web;
    if (name === adminName || name === "teleport.cluster.local") return servers.admin;
    if (name === sshName) return servers.ssh;
    return parseKubeServerName(name) === undefined ? servers.web : servers.kube;
  };
}
