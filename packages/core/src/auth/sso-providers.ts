import { GatehouseError } from "../base/index.ts";
import { openProvider, type Provider, type ProviderOptions } from "../connectors/index.ts";
import type { Connector } from "../resources/index.ts";
import type { Store } from "../store/index.ts";
import { readConnector } from "./stored-resources.ts";

/** A connector as it is stored now, and its provider. */
export interface ConnectorInUse {
  /** Of the connector in the store. */
  readonly revision: number;
  readonly connector: Connector;
  readonly provider: Provider;
}

/** Providers of the stored connectors. */
export interface SsoProviders {
  /** Throws `not_found`. */
  find(kind: Connector["kind"], name: string): Promise<ConnectorInUse>;
  /** The provider of a connector that is not stored; whoever asks closes it. */
  open(connector: Connector): Promise<Provider>;
  close(): Promise<void>;
}

interface Entry {
  readonly revision: number;
  readonly inUse: Promise<ConnectorInUse>;
}

/** Keeps one provider a connector, for as long as the connector does not change. */
export function createSsoProviders(store: Store, options: ProviderOptions): SsoProviders {
  const entries = new Map<string, Entry>();

  // Logins that are on their way with the old one end with a refusal: its addresses or its secret may be what was wrong.
  async function drop(entry: Entry | undefined): Promise<void> {
    const opened = await entry?.inUse.catch(() => undefined);
    await opened?.provider.close();
  }

  return {
    async find(kind, name) {
      const key = `${kind}/${name}`;
      const item = await store.get(kind, name);
      const known = entries.get(key);
      if (known && known.revision === item?.revision) return known.inUse;
      entries.delete(key);
      if (!item) {
        await drop(known);
        throw new GatehouseError("not_found", `connector "${name}" does not exist`, { hint: "name one with --auth, or ask an administrator: tctl get connectors" });
      }
      const { revision } = item;
      const connector = readConnector(item);
      const inUse = openProvider(connector, options).then((provider) => ({ revision, connector, provider }));
      const entry: Entry = { revision, inUse };
      entries.set(key, entry);
      inUse.catch(() => {
        if (entries.get(key) === entry) entries.delete(key);
      });
      await drop(known);
      return inUse;
    },
    open: (connector) => openProvider(connector, options),
    async close() {
      const open = [...entries.values()];
      entries.clear();
      await Promise.all(open.map(drop));
    },
  };
}
