/** Transactions, leases and a change feed over SQLite, with secrets sealed under a key file. */
export { openStore } from "./open.ts";
export type { IndexedStore, StoreOptions } from "./open.ts";
export { isReload, reloadKind } from "./types.ts";
export type { Change, Expectation, Lease, Operation, Store, StoredItem } from "./types.ts";
export type { EventBlock, EventBlockQuery, EventIndex } from "./event-index.ts";
