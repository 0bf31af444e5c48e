import { sql, type Kysely } from "kysely";
import { GatehouseError, type Clock, type Random } from "../base/index.ts";
import { statement } from "./dialect.ts";
import { migrations, migrationsTable, type Database, type Migration } from "./schema.ts";
import type { Statement, WorkerClient } from "./worker-client.ts";

const plain = (text: string): Statement => ({ sql: text, parameters: [] });

/** Throws `unavailable` unless what was applied is how the known list begins. */
function checkLedger(applied: readonly string[], known: readonly Migration[]): void {
  for (const [position, name] of applied.entries()) {
    if (known[position]?.name === name) continue;
    throw new GatehouseError("unavailable", `the database was written by a newer version of Gatehouse (it has migration "${name}")`, {
      hint: "run that version, or restore a backup from before it",
    });
  }
}

/**
 * Brings the schema up to date, each step in one transaction with its line in the ledger; gateways may do it at the same time.
 * Throws `unavailable` for a database that a newer version has written.
 */
export async function migrate(db: Kysely<Database>, worker: WorkerClient, clock: Clock, known: readonly Migration[] = migrations): Promise<void> {
  await worker.run("write", [plain(migrationsTable)]);
  const ledger = db.selectFrom("migrations").select("name").orderBy("position");
  for (;;) {
    const applied = (await ledger.execute()).map((row) => row.name);
    checkLedger(applied, known);
    const position = applied.length;
    const next = known[position];
    if (!next) return;
    await worker.run("write", [
      statement(db.selectFrom("migrations").select("name").where("position", "=", position), "none"),
      ...next.statements.map(plain),
      statement(db.insertInto("migrations").values({ position, name: next.name, applied_at: clock.now() })),
    ]);
  }
}

/**
 * Remembers at first, and checks ever after, that this key file is the one that the database is sealed with.
 * Throws `unavailable` for another key.
 */
export async function checkKey(db: Kysely<Database>, random: Random, keyFile: string): Promise<void> {
  const name = "key-check";
  const sealed = sql<string>`seal('gatehouse', ${new Uint8Array(random(12))}, 'meta', ${name}, 0)`;
  await db
    .insertInto("meta")
    .values({ name, value: sealed })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
  try {
    await db.selectFrom("meta").select(sql`unseal(value, 'meta', name, 0)`.as("value")).where("name", "=", name).execute();
  } catch (error) {
    throw new GatehouseError("unavailable", `the key file ${keyFile} is not the one that this database is sealed with`, {
      cause: error,
      hint: "restore the key file that belongs to this database",
    });
  }
}
