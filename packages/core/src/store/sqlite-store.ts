import type { Kysely } from "kysely";
import { GatehouseError, type Clock, type ErrorCode, type Logger, type Random } from "../base/index.ts";
import { createFeed, pageSize, type FeedPage } from "./feed.ts";
import { checkLease, checkName, checkOperations } from "./limits.ts";
import { startPolling } from "./polling.ts";
import type { Database } from "./schema.ts";
import { deleteSteps, feedSteps, guard, leaseQuery, pruneStep, putSteps, selectExpired, selectItems } from "./statements.ts";
import type { Expectation, Operation, Store, StoredItem } from "./types.ts";
import type { Statement, WorkerClient } from "./worker-client.ts";

/** Items that one sweep deletes in one transaction. */
const sweepSize = 100;

interface Row {
  readonly kind: string;
  readonly name: string;
  readonly value: string;
  readonly secret: string | null;
  readonly revision: number;
  readonly expires: number | null;
}

function toItem({ kind, name, value, revision, secret, expires }: Row): StoredItem {
  return { kind, name, value, revision, ...(secret === null ? {} : { secret }), ...(expires === null ? {} : { expires }) };
}

function expectationError(code: ErrorCode, kind: string, name: string, expect: Expectation): GatehouseError {
  const item = `${kind}/${name}`;
  if (code === "already_exists") return new GatehouseError(code, `${item} already exists`);
  if (code === "not_found") return new GatehouseError(code, `${item} does not exist`);
  return new GatehouseError(code, `${item} is not at revision ${expect} any more`, { hint: "read it again and repeat the change" });
}

/** A transaction as statements, with what to say when the requirement of one does not hold, and where the revisions come back. */
interface Plan {
  readonly steps: readonly Statement[];
  readonly failures: ReadonlyMap<number, GatehouseError>;
  readonly revisionSteps: readonly number[];
}

function plan(db: Kysely<Database>, now: number, random: Random, operations: readonly Operation[]): Plan {
  const steps: Statement[] = [];
  const failures = new Map<number, GatehouseError>();
  const revisionSteps: number[] = [];
  for (const operation of operations) {
    const { kind, name, expect } = operation;
    if (expect !== undefined) {
      const { step, code } = guard(db, now, kind, name, expect);
      failures.set(steps.length, expectationError(code, kind, name, expect));
      steps.push(step);
    }
    if (operation.op === "put") {
      steps.push(...putSteps(db, now, operation, new Uint8Array(random(12))));
      revisionSteps.push(steps.length - 1);
    } else if (operation.op === "delete") {
      steps.push(...deleteSteps(db, now, kind, name));
    }
  }
  steps.push(pruneStep(db));
  return { steps, failures, revisionSteps };
}

async function loadPage(db: Kysely<Database>, worker: WorkerClient, after: number): Promise<FeedPage> {
  const { rows } = await worker.run("read", feedSteps(db, after, pageSize));
  const newest = (rows?.[0]?.[0] as { value: number } | undefined)?.value;
  if (newest === undefined) throw new GatehouseError("internal", "the database has lost its revision counter");
  const changes = (rows?.[1] ?? []) as readonly { sequence: number; kind: string; name: string; deleted: number }[];
  return { newest, changes: changes.map(({ sequence, kind, name, deleted }) => ({ sequence, kind, name, deleted: deleted !== 0 })) };
}

/** The store over an open, migrated database. */
export async function createStore(options: {
  readonly db: Kysely<Database>;
  readonly worker: WorkerClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly pollIntervalMs: number;
  readonly logger: Logger;
}): Promise<Store> {
  const { db, worker, clock, random, logger } = options;
  const start = await loadPage(db, worker, Number.MAX_SAFE_INTEGER);
  const feed = createFeed({ start: start.newest, load: (after) => loadPage(db, worker, after), clock, logger });

  async function sweep(): Promise<void> {
    const now = clock.now();
    const expired = await selectExpired(db, now, sweepSize).execute();
    if (expired.length === 0) return;
    const steps = expired.flatMap(({ kind, name }) => deleteSteps(db, now, kind, name, now));
    await worker.run("write", [...steps, pruneStep(db)]);
    await feed.read();
  }

  const polling = startPolling({
    intervalMs: options.pollIntervalMs,
    logger,
    work: async () => {
      await feed.read();
      await sweep();
    },
  });

  return {
    async get(kind, name) {
      checkName(kind, name);
      const rows: readonly Row[] = await selectItems(db, clock.now(), kind, name).execute();
      return rows[0] && toItem(rows[0]);
    },
    async list(kind) {
      const rows: readonly Row[] = await selectItems(db, clock.now(), kind).execute();
      return rows.map(toItem);
    },
    async transact(operations) {
      checkOperations(operations);
      if (operations.length === 0) return [];
      const { steps, failures, revisionSteps } = plan(db, clock.now(), random, operations);
      const result = await worker.run("write", steps);
      if (result.failed !== undefined) throw failures.get(result.failed) ?? new GatehouseError("internal", "a step of the store failed that may not fail");
      // Own changes are told before the caller goes on. If that fails the commit still stands, and polling tells them, or says why not.
      await polling.tolerate(feed.read());
      const puts = operations.filter((operation) => operation.op === "put");
      return puts.map(({ kind, name, value, secret, expires }, index) => {
        const row = result.rows[revisionSteps[index] ?? -1]?.[0] as { revision: number } | undefined;
        if (!row) throw new GatehouseError("internal", `the store did not return the revision of ${kind}/${name}`);
        return toItem({ kind, name, value, revision: row.revision, secret: secret ?? null, expires: expires ?? null });
      });
    },
    subscribe: (listener) => feed.subscribe(listener),
    feedReadAt: () => feed.readAt(),
    async lease(name, holder, ttlMs) {
      checkLease(name, holder, ttlMs);
      const now = clock.now();
      const expires = now + ttlMs;
      const taken = await leaseQuery(db, now, name, holder, expires).execute();
      return taken.length > 0 ? { name, holder, expires } : undefined;
    },
    async close() {
      // The thread refuses from this moment on; what it was asked before it answers.
      await Promise.all([polling.stop(), worker.close()]);
      await db.destroy();
    },
  };
}
