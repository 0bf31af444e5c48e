import type { PingResponse } from "../../api/index.ts";
import { GatehouseError, version } from "../../base/index.ts";
import type { LoginSettings, ProxyFacts } from "./types.ts";

/** The oldest client that this gateway's wire format serves. */
const minClientVersion = "3.0.0";

function answer(auth: PingResponse["auth"], facts: ProxyFacts, minVersion: string): PingResponse {
  const { kube, ssh } = facts;
  return {
    auth,
    proxy: {
      kube: kube.enabled ? { enabled: true, ...(kube.publicAddr === undefined ? {} : { public_addr: kube.publicAddr }) } : {},
      ssh: {
        listen_addr: ssh.listenAddr,
        public_addr: ssh.publicAddr,
        ...(ssh.sshPublicAddr === undefined ? {} : { ssh_public_addr: ssh.sshPublicAddr }),
      },
    },
    server_version: version,
    min_client_version: minVersion,
  };
}

function connectorAuth(connector: LoginSettings["connectors"][number]): PingResponse["auth"] {
  return { type: connector.kind, [connector.kind]: { name: connector.name, display: connector.display } };
}

/** `GET /webapi/ping` (reference §1.5). Throws `bad_parameter` where the kind of login asked for has no connector. */
export function ping(settings: LoginSettings, facts: ProxyFacts): PingResponse {
  const { type, connectorName } = settings;
  if (type === "local") return answer({ type, second_factor: settings.secondFactor }, facts, minClientVersion);
  const ofType = settings.connectors.filter((connector) => connector.kind === type);
  const connector = connectorName === undefined ? ofType[0] : ofType.find((candidate) => candidate.name === connectorName);
  if (connector) return answer(connectorAuth(connector), facts, minClientVersion);
  if (connectorName !== undefined) {
    throw new GatehouseError("bad_parameter", `no ${type} connector named "${connectorName}" found`, {
      hint: `the gateway's configuration names it (authentication.connector_name): create it with tctl create -f ${type}.yaml`,
    });
  }
  throw new GatehouseError("bad_parameter", `no ${type} connectors found`, { hint: `an administrator creates one with tctl create -f ${type}.yaml` });
}

/** `GET /webapi/ping/:connector` (reference §1.5): `local`, or a connector's name. Throws `not_found` for any other. */
export function pingConnector(name: string, settings: LoginSettings, facts: ProxyFacts): PingResponse {
  if (name === "local") return answer({ type: "local", second_factor: settings.secondFactor }, facts, "");
  const connector = settings.connectors.find((candidate) => candidate.name === name);
  if (!connector) throw new GatehouseError("not_found", "invalid connector name", { hint: "tctl get connectors lists them; local users log in with --auth=local" });
  return answer(connectorAuth(connector), facts, "");
}
