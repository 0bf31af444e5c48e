import { sql, type Kysely } from "kysely";
import { statement } from "./dialect.ts";
import type { Database } from "./schema.ts";
import type { WorkerClient } from "./worker-client.ts";

/** A stretch of a file of the audit log: whole lines from byte `start` to byte `stop`. */
export interface EventBlock {
  readonly server: string;
  readonly file: string;
  readonly start: number;
  readonly stop: number;
  /** Times of its events, ms since the epoch: the earliest and the latest. */
  readonly first: number;
  readonly last: number;
}

/** Which blocks are looked for. */
export interface EventBlockQuery {
  readonly server: string;
  /** One term of each list must be in the block. */
  readonly terms: readonly (readonly string[])[];
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly order: "asc" | "desc";
  /** Blocks that begin behind this place (or before it, descending). */
  readonly after?: { readonly file: string; readonly start: number } | undefined;
  readonly limit: number;
}

/** Where in the audit log something is: behind the log, and made from it again where it is lost. Throws `unavailable`. */
export interface EventIndex {
  /** Adds a block with the terms that are in it, in one transaction; one that is there already stays. */
  add(block: EventBlock, terms: readonly string[]): Promise<void>;
  /** How far each file is indexed. */
  ends(server: string): Promise<ReadonlyMap<string, number>>;
  find(query: EventBlockQuery): Promise<readonly EventBlock[]>;
  /** Forgets files that are gone, or are not what they were. */
  forget(server: string, files: readonly string[]): Promise<void>;
}

/** The index over an open database. */
export function createEventIndex(db: Kysely<Database>, worker: WorkerClient): EventIndex {
  return {
    async add(block, terms) {
      const { server, file, start } = block;
      const rows = terms.map((term) => ({ term, server, file, start }));
      await worker.run("write", [
        statement(db.insertInto("event_blocks").values(block).onConflict((conflict) => conflict.columns(["server", "file", "start"]).doNothing())),
        ...rows.map((row) => statement(db.insertInto("event_terms").values(row).onConflict((conflict) => conflict.columns(["term", "server", "file", "start"]).doNothing()))),
      ]);
    },
    async ends(server) {
      const rows = await db.selectFrom("event_blocks").select(["file", sql<number>`max(stop)`.as("stop")]).where("server", "=", server).groupBy("file").execute();
      return new Map(rows.map(({ file, stop }) => [file, stop]));
    },
    async find({ server, terms, from, to, order, after, limit }) {
      let query = db.selectFrom("event_blocks as block").selectAll("block").where("block.server", "=", server);
      if (from !== undefined) query = query.where("block.last", ">=", from);
      if (to !== undefined) query = query.where("block.first", "<", to);
      for (const any of terms) {
        query = query.where(({ exists, selectFrom }) =>
          exists(
            selectFrom("event_terms as entry")
              .select("entry.term")
              .whereRef("entry.server", "=", "block.server")
              .whereRef("entry.file", "=", "block.file")
              .whereRef("entry.start", "=", "block.start")
              .where("entry.term", "in", [...any]),
          ),
        );
      }
      if (after) {
        const { file, start } = after;
        const sign = order === "asc" ? ">" : "<";
        query = query.where((row) => row.or([row("block.file", sign, file), row.and([row("block.file", "=", file), row("block.start", sign, start)])]));
      }
      return query.orderBy("block.file", order).orderBy("block.start", order).limit(limit).execute();
    },
    async forget(server, files) {
      if (files.length === 0) return;
      await worker.run("write", [
        statement(db.deleteFrom("event_terms").where("server", "=", server).where("file", "in", [...files])),
        statement(db.deleteFrom("event_blocks").where("server", "=", server).where("file", "in", [...files])),
      ]);
    },
  };
}
