import { isConnectorKind, parseResource, type Connector } from "../resources/index.ts";
import { GatehouseError } from "../base/index.ts";
import type { Context } from "./context.ts";
import type { ConnectorInUse } from "./sso-providers.ts";
import type { SsoRequest } from "./sso-request.ts";

/** The connector that a login under test goes through. Throws `internal` for a record that holds none. */
function testedConnector({ secret }: SsoRequest): Connector {
  const resource = parseResource(secret.connector, { redacted: true });
  if (!isConnectorKind(resource.kind)) throw new GatehouseError("internal", "a test of a connector has no connector");
  return resource as Connector;
}

/** Works with the provider of a login under way: the stored connector's, or that of the one under test, which lives no longer than this. */
export async function withProvider<T>(context: Context, request: SsoRequest, work: (inUse: ConnectorInUse) => Promise<T>): Promise<T> {
  const { kind, connector: name, purpose } = request.record;
  if (purpose.type !== "test") return work(await context.providers.find(kind, name));
  const connector = testedConnector(request);
  const provider = await context.providers.open(connector);
  try {
    return await work({ revision: 0, connector, provider });
  } finally {
    await provider.close();
  }
}
