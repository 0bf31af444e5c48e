import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock, nullLogger, systemRandom, type Clock } from "../base/index.ts";
import { openStore, type Change, type Store, type StoreOptions } from "./index.ts";

/** A directory for one test, with stores in it. Everything ends with {@link TestPlace.remove}. */
export interface TestPlace {
  readonly directory: string;
  readonly path: string;
  readonly keyFile: string;
  readonly clock: ReturnType<typeof manualClock>;
  open(options?: Partial<Omit<StoreOptions, "clock">> & { readonly clock?: Clock }): Promise<Store>;
  remove(): Promise<void>;
}

/** A fresh place; the clock stands at 1 000 000 ms. */
export async function createPlace(): Promise<TestPlace> {
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-store-"));
  const path = join(directory, "db", "gatehouse.db");
  const keyFile = join(directory, "secret.key");
  const clock = manualClock(1_000_000);
  const stores: Store[] = [];
  return {
    directory,
    path,
    keyFile,
    clock,
    async open(options = {}) {
      const store = await openStore({ path, keyFile, clock, random: systemRandom, logger: nullLogger, pollIntervalMs: 5, ...options });
      stores.push(store);
      return store;
    },
    async remove() {
      await Promise.all(stores.map((store) => store.close()));
      await rm(directory, { recursive: true });
    },
  };
}

/** Gathers a store's changes; `until` resolves when one fits. */
export function watch(store: Store): { readonly seen: Change[]; until(fits: (change: Change) => boolean): Promise<void>; stop(): void } {
  const seen: Change[] = [];
  let waiting: (() => void)[] = [];
  const stop = store.subscribe((changes) => {
    seen.push(...changes);
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    seen,
    stop,
    async until(fits) {
      while (!seen.some(fits)) await new Promise<void>((resolve) => (waiting = [...waiting, resolve]));
    },
  };
}
