import { GatehouseError } from "@gatehouse/core/base";
import type { Store, StoredItem } from "@gatehouse/core/store";

/** A store that forgets: enough for certificate authorities, where the real one's native binding cannot be loaded. */
export function createMemoryStore(): Store {
  const items = new Map<string, StoredItem>();
  let revision = 0;
  const key = (kind: string, name: string): string => `${kind}/${name}`;
  return {
    get: async (kind, name) => items.get(key(kind, name)),
    list: async (kind) => [...items.values()].filter((item) => item.kind === kind),
    async transact(operations) {
      for (const { kind, name, expect } of operations) {
        if (expect === "absent" && items.has(key(kind, name))) throw new GatehouseError("already_exists", `${kind}/${name} exists`);
      }
      return operations.flatMap((operation) => {
        if (operation.op !== "put") return [];
        const { kind, name, value, secret } = operation;
        const item: StoredItem = { kind, name, value, secret, revision: ++revision };
        items.set(key(kind, name), item);
        return [item];
      });
    },
    subscribe: () => () => undefined,
    feedReadAt: () => Date.now(),
    lease: async (name, holder, ttlMs) => ({ name, holder, expires: Date.now() + ttlMs }),
    close: async () => undefined,
  };
}
