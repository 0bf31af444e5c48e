import type { Connector } from "./types.ts";

/** Kinds of connectors. */
export const connectorKinds = ["github", "oidc", "saml"] as const satisfies readonly Connector["kind"][];

/** Whether a kind is one of a connector. */
export function isConnectorKind(kind: string): kind is Connector["kind"] {
  return (connectorKinds as readonly string[]).includes(kind);
}
