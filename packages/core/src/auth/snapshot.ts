import { errorMessage, type Clock, type Logger } from "../base/index.ts";
import { isReload, type Change, type Store } from "../store/index.ts";
import { createTables, isSnapshotKind, snapshotKinds, type SnapshotKind, type Tables } from "./tables.ts";

/** Users, roles, identities and sessions in memory, kept true by the store's change feed. */
export interface Snapshot {
  readonly tables: Tables;
  /** Grows with every change that may alter a decision already made. */
  readonly generation: number;
  /** Since when this may be out of date, at worst; ms since the epoch. */
  freshAt(): number;
  onChange(listener: () => void): () => void;
  /** Resolves when what the feed has told so far is applied. */
  settled(): Promise<void>;
  close(): void;
}

const retryAfter = 200;
/** More changes than this at once are cheaper to read as whole tables. */
const maxSingleReads = 200;

interface Batch {
  /** When its first change was told. */
  readonly since: number;
  readonly reload: boolean;
  /** The last change of each item. */
  readonly changes: ReadonlyMap<string, Change>;
}

/** Joins what came before with what came after. */
function join(earlier: Batch | undefined, later: Batch): Batch {
  if (!earlier) return later;
  return { since: earlier.since, reload: earlier.reload || later.reload, changes: new Map([...earlier.changes, ...later.changes]) };
}

/** Loads everything and follows the feed from then on. */
export async function openSnapshot(options: { readonly store: Store; readonly clock: Clock; readonly logger: Logger }): Promise<Snapshot> {
  const { store, clock, logger } = options;
  const tables = createTables(logger);
  const listeners = new Set<() => void>();
  let generation = 1;
  let waiting: Batch | undefined;
  let working: Batch | undefined;
  let pump: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;
  let failing = false;
  let closed = false;

  const changed = (): void => {
    generation += 1;
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch (error) {
        logger.error({ error: errorMessage(error) }, "a listener to changed access failed");
      }
    }
  };

  async function readAll(): Promise<boolean> {
    const lists = await Promise.all(snapshotKinds.map((kind) => store.list(kind)));
    let relevant = false;
    for (const [index, kind] of snapshotKinds.entries()) {
      relevant = tables.replace(kind, lists[index] ?? [], clock.now()) || relevant;
    }
    return relevant;
  }

  async function readBatch(batch: Batch): Promise<boolean> {
    if (batch.reload || batch.changes.size > maxSingleReads) return readAll();
    const read = [...batch.changes.values()].map(async (change) => ({
      kind: change.kind as SnapshotKind,
      name: change.name,
      item: change.deleted ? undefined : await store.get(change.kind, change.name),
    }));
    let relevant = false;
    for (const { kind, name, item } of await Promise.all(read)) relevant = tables.apply(kind, name, item, clock.now()) || relevant;
    return relevant;
  }

  // One batch after the other: a late answer to an early question never overwrites what is newer.
  async function work(): Promise<void> {
    while (waiting && !closed) {
      working = waiting;
      waiting = undefined;
      try {
        if (await readBatch(working)) changed();
        failing = false;
      } catch (error) {
        again(working, error);
        return;
      } finally {
        working = undefined;
      }
    }
  }

  function again(batch: Batch, error: unknown): void {
    waiting = waiting ? join(batch, waiting) : batch;
    if (!failing) logger.warn({ error: errorMessage(error) }, "changes of access cannot be read from the store; trying again");
    failing = true;
    if (closed) return;
    retry = setTimeout(() => {
      retry = undefined;
      start();
    }, retryAfter);
    retry.unref();
  }

  function start(): void {
    if (pump || retry || closed) return;
    pump = work().finally(() => {
      pump = undefined;
      // What was told between the last look and now.
      if (waiting) start();
    });
  }

  const unsubscribe = store.subscribe((changes) => {
    const concerned = changes.filter((change) => isSnapshotKind(change.kind));
    const reload = changes.some(isReload);
    if (concerned.length === 0 && !reload) return;
    waiting = join(waiting, { since: clock.now(), reload, changes: new Map(concerned.map((change) => [`${change.kind}/${change.name}`, change])) });
    start();
  });
  try {
    await readAll();
  } catch (error) {
    unsubscribe();
    throw error;
  }

  return {
    tables,
    get generation() {
      return generation;
    },
    freshAt: () => Math.min(store.feedReadAt(), working?.since ?? Number.POSITIVE_INFINITY, waiting?.since ?? Number.POSITIVE_INFINITY),
    onChange(listener) {
      const own = (): void => listener();
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    async settled() {
      while (pump) await pump;
    },
    close() {
      closed = true;
      unsubscribe();
      clearTimeout(retry);
    },
  };
}
