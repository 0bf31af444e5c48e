import { GatehouseError } from "../base/index.ts";
import { createGithubClient, type GithubClient, type GithubTimeouts } from "../connectors/index.ts";
import type { GithubConnector } from "../resources/index.ts";
import type { Store } from "../store/index.ts";
import { readConnector } from "./stored-resources.ts";

/** A connector as it is stored now, and a client for it. */
export interface ConnectorInUse {
  /** Of the connector in the store. */
  readonly revision: number;
  readonly connector: GithubConnector;
  readonly client: GithubClient;
}

/** Clients of the stored connectors. */
export interface GithubClients {
  /** Throws `not_found`. */
  find(name: string): Promise<ConnectorInUse>;
  close(): Promise<void>;
}

/** Keeps one client a connector, for as long as the connector does not change. */
export function createGithubClients(store: Store, timeouts: GithubTimeouts | undefined): GithubClients {
  const entries = new Map<string, ConnectorInUse>();

  return {
    async find(name) {
      const item = await store.get("github", name);
      const known = entries.get(name);
      if (known && known.revision === item?.revision) return known;
      entries.delete(name);
      if (!item) {
        await known?.client.close();
        throw new GatehouseError("not_found", `connector "${name}" does not exist`, { hint: "name one with --auth, or ask an administrator: tctl get connectors" });
      }
      const connector = readConnector(item);
      const entry: ConnectorInUse = { revision: item.revision, connector, client: createGithubClient(connector, { timeouts }) };
      entries.set(name, entry);
      // Logins that are on their way with the old one end with a refusal: its addresses or its secret may be what was wrong.
      await known?.client.close();
      return entry;
    },
    async close() {
      const open = [...entries.values()];
      entries.clear();
      await Promise.all(open.map((entry) => entry.client.close()));
    },
  };
}
