import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, type Compilable, type DatabaseConnection, type Driver, type QueryResult } from "kysely";
import { GatehouseError } from "../base/index.ts";
import type { Database } from "./schema.ts";
import type { Statement, WorkerClient } from "./worker-client.ts";

function connection(worker: WorkerClient): DatabaseConnection {
  return {
    async executeQuery<R>(query: { readonly sql: string; readonly parameters: readonly unknown[] }): Promise<QueryResult<R>> {
      const result = await worker.run("single", [{ sql: query.sql, parameters: query.parameters }]);
      if (result.failed !== undefined) throw new GatehouseError("internal", "a statement without a requirement failed one");
      return { rows: [...(result.rows[0] ?? [])] as R[] };
    },
    streamQuery() {
      throw new GatehouseError("not_implemented", "the store does not stream rows");
    },
  };
}

/** Between two messages to the thread other callers' statements run, so a transaction is one batch and never a conversation. */
function noConversation(): Promise<void> {
  return Promise.reject(new GatehouseError("internal", "transactions are batches: compile the statements and run them together"));
}

/** Kysely over the worker thread. */
export function openKysely(worker: WorkerClient): Kysely<Database> {
  const only = connection(worker);
  const driver: Driver = {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(only),
    releaseConnection: () => Promise.resolve(),
    beginTransaction: noConversation,
    commitTransaction: noConversation,
    rollbackTransaction: noConversation,
    destroy: () => worker.close(),
  };
  return new Kysely<Database>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
}

/** A built query as a step of a batch. */
export function statement(query: Compilable, require?: "some" | "none"): Statement {
  const { sql, parameters } = query.compile();
  return { sql, parameters, require };
}
