import type { AdminClient } from "@gatehouse/core/api";
import { GatehouseError } from "@gatehouse/core/base";
import { connectorKinds, isConnectorKind, parseResources, type Connector, type Resource } from "@gatehouse/core/resources";
import { getNamed, oneRef, readItems } from "./resources.ts";
import type { Source } from "./source.ts";

const isConnector = (resource: Resource): resource is Connector => isConnectorKind(resource.kind);

/** The one connector of a file, and how many resources beside it the file has. Throws `bad_parameter` for none or several, and for what is no resource. */
export function connectorOf({ text, name }: Source): { readonly connector: Connector; readonly others: number } {
  const resources = parseResources(text, name).map(({ resource }) => resource);
  const [connector, ...more] = resources.filter(isConnector);
  if (!connector) throw new GatehouseError("bad_parameter", `${name} has no connector in it`, { hint: `a connector is of kind ${connectorKinds.join(", ")}` });
  if (more.length > 0) throw new GatehouseError("bad_parameter", `${name} has ${String(more.length + 1)} connectors in it`, { hint: "a test is of one" });
  return { connector, others: resources.length - 1 };
}

/** A stored connector by its name, or by `kind/name`; without its secrets. Throws `not_found`, and `usage` where several have that name. */
export async function storedConnector(admin: AdminClient, word: string): Promise<Connector> {
  const ref = word.includes("/") ? oneRef([word]) : { kind: "connectors" as const, name: word };
  const found = readItems(await getNamed(admin, ref, false)).map(({ resource }) => resource).filter(isConnector);
  const [connector, ...more] = found;
  if (!connector) throw new GatehouseError("usage", `"${word}" is no connector`, { hint: "tctl get connectors lists them" });
  if (more.length > 0) throw new GatehouseError("usage", `several connectors are called "${word}"`, { hint: `say which: ${found.map(({ kind, metadata }) => `${kind}/${metadata.name}`).join(", ")}` });
  return connector;
}
