/** One stored thing: a resource, an authority, a login session. `value` is JSON text; `secret` is kept encrypted at rest. */
export interface StoredItem {
  readonly kind: string;
  readonly name: string;
  /** JSON text that may be logged and listed. */
  readonly value: string;
  /** Text encrypted under the key file (which is not in the database). */
  readonly secret?: string | undefined;
  /** Grows with every write of this item; unique within the store. */
  readonly revision: number;
  /** ms since the epoch; an expired item is as good as absent, and is swept. */
  readonly expires?: number | undefined;
}

/** What must be true of an item for the whole transaction to happen. A number is an exact revision. */
export type Expectation = "absent" | "present" | number;

/** One step of a transaction. */
export type Operation =
  | {
      readonly op: "put";
      readonly kind: string;
      readonly name: string;
      readonly value: string;
      readonly secret?: string | undefined;
      readonly expires?: number | undefined;
      readonly expect?: Expectation | undefined;
    }
  | { readonly op: "delete"; readonly kind: string; readonly name: string; readonly expect?: "present" | number | undefined }
  | { readonly op: "check"; readonly kind: string; readonly name: string; readonly expect: Expectation };

/** Kind (and name) of the change that stands for "too much changed to tell: read everything again". */
export const reloadKind = "*";

/** Whether a change means that the reader has missed others, and must read what it keeps again. */
export function isReload(change: Change): boolean {
  return change.kind === reloadKind;
}

/** A committed change, as the feed tells it. Expiry sweeps appear as deletions; a reader that fell behind gets {@link isReload} alone. */
export interface Change {
  /** Position in the feed: strictly growing. */
  readonly sequence: number;
  readonly kind: string;
  readonly name: string;
  readonly deleted: boolean;
}

/** A name that only one gateway holds at a time. */
export interface Lease {
  readonly name: string;
  readonly holder: string;
  /** ms since the epoch. */
  readonly expires: number;
}

/**
 * Transactions and a change feed. Every method is asynchronous and does its I/O off the caller's thread.
 * Throws `unavailable` when the database cannot be used.
 */
export interface Store {
  get(kind: string, name: string): Promise<StoredItem | undefined>;
  /** All unexpired items of a kind, by name. */
  list(kind: string): Promise<readonly StoredItem[]>;
  /**
   * All operations or none. Returns the items put, in order. Throws `already_exists` (expected absent),
   * `not_found` (expected present) or `compare_failed` (expected another revision).
   */
  transact(operations: readonly Operation[]): Promise<readonly StoredItem[]>;
  /**
   * Calls the listener with every batch of changes committed after now, by this process or another, in order, at the latest
   * 100 ms (the poll interval) after the commit; own commits at once. Returns the function that stops it.
   */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** When the change feed was last read without error, ms since the epoch: the caller decides when stale is too stale. */
  feedReadAt(): number;
  /** Takes or renews a lease; undefined where another holder has it. */
  lease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;
  close(): Promise<void>;
}
