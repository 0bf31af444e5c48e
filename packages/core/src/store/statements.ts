import { sql, type Kysely } from "kysely";
import type { ErrorCode } from "../base/index.ts";
import type { Expectation, Operation } from "./types.ts";
import type { Database } from "./schema.ts";
import { statement } from "./dialect.ts";
import type { Statement } from "./worker-client.ts";

/**
 * How far behind its newest change the feed reaches, in revisions. A reader further behind reloads; every process that shares a
 * database must use the same number, since writers prune by it.
 */
export const feedLength = 10_000;

const revision = sql<number>`(select value from counters where name = 'revision')`;
const live = (now: number) => sql<boolean>`(expires is null or expires > ${now})`;

/** Reads one item, or all of a kind by name, secrets opened. */
export function selectItems(db: Kysely<Database>, now: number, kind: string, name?: string) {
  const all = db
    .selectFrom("items")
    .select(["kind", "name", "value", "revision", "expires"])
    .select(sql<string | null>`unseal(secret, kind, name, revision)`.as("secret"))
    .where("kind", "=", kind)
    .where(live(now));
  return name === undefined ? all.orderBy("name") : all.where("name", "=", name);
}

/** The step that fails unless the expectation holds, and the error that failing it means. */
export function guard(db: Kysely<Database>, now: number, kind: string, name: string, expect: Expectation): { readonly step: Statement; readonly code: ErrorCode } {
  const found = db.selectFrom("items").select("revision").where("kind", "=", kind).where("name", "=", name).where(live(now));
  if (expect === "absent") return { step: statement(found, "none"), code: "already_exists" };
  if (expect === "present") return { step: statement(found, "some"), code: "not_found" };
  return { step: statement(found.where("revision", "=", expect), "some"), code: "compare_failed" };
}

function advance(db: Kysely<Database>): Statement {
  return statement(db.updateTable("counters").set({ value: sql<number>`value + 1` }).where("name", "=", "revision"));
}

/** Writes an item under a new revision and tells the feed. The last step returns the revision. */
export function putSteps(db: Kysely<Database>, now: number, operation: Extract<Operation, { op: "put" }>, nonce: Uint8Array): readonly Statement[] {
  const { kind, name, value } = operation;
  const secret = sql<string | null>`seal(${operation.secret ?? null}, ${nonce}, ${kind}, ${name}, ${revision})`;
  return [
    advance(db),
    statement(
      db.insertInto("changes").columns(["sequence", "kind", "name", "deleted", "at"]).values({ sequence: revision, kind, name, deleted: 0, at: now }),
    ),
    statement(
      db
        .insertInto("items")
        .values({ kind, name, value, secret, revision, expires: operation.expires ?? null })
        .onConflict((conflict) =>
          conflict.columns(["kind", "name"]).doUpdateSet((row) => ({
            value: row.ref("excluded.value"),
            secret: row.ref("excluded.secret"),
            revision: row.ref("excluded.revision"),
            expires: row.ref("excluded.expires"),
          })),
        )
        .returning("revision"),
    ),
  ];
}

/** Deletes an item, if it is there, and tells the feed. With `expiredBy` (ms since the epoch) only if it has expired by then. */
export function deleteSteps(db: Kysely<Database>, now: number, kind: string, name: string, expiredBy?: number): readonly Statement[] {
  const target = db.selectFrom("items").where("kind", "=", kind).where("name", "=", name);
  const found = expiredBy === undefined ? target : target.where("expires", "<=", expiredBy);
  const row = found.select([revision.as("sequence"), "kind", "name", sql<number>`1`.as("deleted"), sql<number>`${now}`.as("at")]);
  const removal = db.deleteFrom("items").where("kind", "=", kind).where("name", "=", name);
  return [
    advance(db),
    statement(db.insertInto("changes").columns(["sequence", "kind", "name", "deleted", "at"]).expression(row)),
    statement(expiredBy === undefined ? removal : removal.where("expires", "<=", expiredBy)),
  ];
}

/** Keeps the feed at its length; the last step of every transaction that wrote. */
export function pruneStep(db: Kysely<Database>): Statement {
  return statement(db.deleteFrom("changes").where("sequence", "<=", sql<number>`${revision} - ${feedLength}`));
}

/** Reads the newest revision, and the changes after one, oldest first. To be run as one snapshot. */
export function feedSteps(db: Kysely<Database>, after: number, limit: number): readonly Statement[] {
  return [
    statement(db.selectFrom("counters").select("value").where("name", "=", "revision")),
    statement(
      db.selectFrom("changes").select(["sequence", "kind", "name", "deleted"]).where("sequence", ">", after).orderBy("sequence").limit(limit),
    ),
  ];
}

/** Names of items that have expired by now, at most `limit`. */
export function selectExpired(db: Kysely<Database>, now: number, limit: number) {
  return db.selectFrom("items").select(["kind", "name"]).where("expires", "is not", null).where("expires", "<=", now).limit(limit);
}

/** Takes a lease that is free, expired or already the holder's; returns a row if it was taken. */
export function leaseQuery(db: Kysely<Database>, now: number, name: string, holder: string, expires: number) {
  return db
    .insertInto("leases")
    .values({ name, holder, expires })
    .onConflict((conflict) =>
      conflict
        .column("name")
        .doUpdateSet((row) => ({ holder: row.ref("excluded.holder"), expires: row.ref("excluded.expires") }))
        .where((row) => row.or([row("leases.holder", "=", holder), row("leases.expires", "<=", now)])),
    )
    .returning("name");
}
