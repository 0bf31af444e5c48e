import { GatehouseError, randomHex, type Random } from "../base/index.ts";
import type { Store } from "../store/index.ts";
import { kinds } from "./records.ts";

/**
 * A key that all gateways of the store know and nobody else, made at first use (64 hex digits): what stands in for users that do not exist is drawn
 * from it, so that it stays the same and cannot be told from what users have.
 */
export function createSharedKey(store: Store, random: Random): () => Promise<string> {
  const kind = kinds.strangers;
  const name = "key";
  let key: string | undefined;

  async function read(): Promise<string> {
    const stored = (await store.get(kind, name))?.secret;
    if (stored !== undefined) return stored;
    const made = randomHex(random, 32);
    try {
      await store.transact([{ op: "put", kind, name, value: "{}", secret: made, expect: "absent" }]);
      return made;
    } catch (error) {
      // Another gateway was faster.
      const other = error instanceof GatehouseError && error.code === "already_exists" ? (await store.get(kind, name))?.secret : undefined;
      if (other === undefined) throw error;
      return other;
    }
  }

  return async () => (key ??= await read());
}
