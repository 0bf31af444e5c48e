import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Keystore } from "./keystore.ts";
import { splitKeystore } from "./split-keystore.ts";

/** A keystore in memory that dies after so many writes. */
function memory(): Keystore & { readonly entries: Map<string, string>; writesLeft: number } {
  const entries = new Map<string, string>();
  const store = {
    entries,
    writesLeft: Infinity,
    getPassword: (account: string) => Promise.resolve(entries.get(account)),
    setPassword: (account: string, text: string) => {
      if (store.writesLeft-- <= 0) return Promise.reject(new Error("killed"));
      entries.set(account, text);
      return Promise.resolve();
    },
    deletePassword: (account: string) => {
      if (store.writesLeft-- <= 0) return Promise.reject(new Error("killed"));
      return Promise.resolve(entries.delete(account));
    },
  };
  return store;
}

describe("a login in parts", () => {
  it("comes back whole, no part is longer than the keystore takes, and nothing of it stays after deletion", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string({ maxLength: 120, unit: "binary" }), { minLength: 1, maxLength: 4 }), fc.integer({ min: 3, max: 40 }), async (texts, length) => {
        const inner = memory();
        const store = splitKeystore(inner, length);
        for (const text of texts) {
          await store.setPassword("gw", text);
          expect(await store.getPassword("gw")).toBe(text);
          for (const [account, part] of inner.entries) if (account !== "gw") expect(part.length).toBeLessThanOrEqual(length);
        }
        expect(await store.deletePassword("gw")).toBe(true);
        expect([...inner.entries.keys()]).toEqual([]);
        expect(await store.deletePassword("gw")).toBe(false);
      }),
    );
  });

  it("is the old one or the new one when the writer is killed after any write", async () => {
    const before = "old ".repeat(20);
    const after = "the new one ".repeat(15);
    for (let writes = 0; writes < 60; writes++) {
      const inner = memory();
      const store = splitKeystore(inner, 10);
      await store.setPassword("gw", before);
      inner.writesLeft = writes;
      await store.setPassword("gw", after).catch(() => undefined);
      inner.writesLeft = Infinity;
      expect([before, after]).toContain(await store.getPassword("gw"));
      await store.setPassword("gw", "third");
      expect(await store.getPassword("gw")).toBe("third");
    }
  });

  it("whose parts do not belong together is refused", async () => {
    const inner = memory();
    const store = splitKeystore(inner, 10);
    await store.setPassword("gw", "0123456789abcdefghij");
    inner.entries.set("gw a1", "ABCDEFGHIJ");
    await expect(store.getPassword("gw")).rejects.toMatchObject({ code: "unauthenticated" });
    inner.entries.delete("gw a1");
    await expect(store.getPassword("gw")).rejects.toMatchObject({ code: "unauthenticated" });
  });
});
