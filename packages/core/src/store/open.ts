import { dirname, resolve } from "node:path";
import type { Clock, Logger, Random } from "../base/index.ts";
import { openKysely } from "./dialect.ts";
import { createEventIndex, type EventIndex } from "./event-index.ts";
import { openKeyFile, prepareDatabaseFile, prepareDirectory } from "./key-file.ts";
import { checkKey, migrate } from "./migrate.ts";
import { createStore } from "./sqlite-store.ts";
import type { Store } from "./types.ts";
import { startWorker } from "./worker-client.ts";

/** Where the store is and what it stands on. */
export interface StoreOptions {
  /** The SQLite file; made (0600) with its directory (0700) if missing. */
  readonly path: string;
  /** The file with the key that secrets are sealed with; made (0600) at first start. */
  readonly keyFile: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How often other processes' changes are looked for, ms; 100 by default. */
  readonly pollIntervalMs?: number | undefined;
}

/** The store with the index of the audit log beside it. */
export interface IndexedStore extends Store {
  readonly events: EventIndex;
}

/**
 * Opens the store, makes it at first start, and brings its schema up to date. Throws `unavailable`, saying what to do, for a key file that is
 * missing, open to others or another database's, and for a database that is damaged, not writable, or newer than this version.
 */
export async function openStore(options: StoreOptions): Promise<IndexedStore> {
  const { clock, random, logger, pollIntervalMs = 100 } = options;
  const path = resolve(options.path);
  const keyFile = resolve(options.keyFile);
  await prepareDirectory(dirname(path), logger);
  await prepareDirectory(dirname(keyFile), logger);
  const key = await openKeyFile(keyFile, path, random);
  await prepareDatabaseFile(path, logger);
  const worker = await startWorker({ path, key, logger });
  try {
    const db = openKysely(worker);
    await migrate(db, worker, clock);
    await checkKey(db, random, keyFile);
    return { ...(await createStore({ db, worker, clock, random, pollIntervalMs, logger })), events: createEventIndex(db, worker) };
  } catch (error) {
    await worker.close();
    throw error;
  }
}
