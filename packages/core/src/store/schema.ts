import type { ColumnType } from "kysely";

/** Tables. Times in ms since the epoch; text is UTF-8. */
export interface Database {
  items: {
    kind: string;
    name: string;
    value: string;
    /** base64, sealed for (kind, name, revision). */
    secret: string | null;
    revision: number;
    expires: number | null;
  };
  /** The newest changes (see `feedLength`). */
  changes: { sequence: number; kind: string; name: string; deleted: number; at: number };
  leases: { name: string; holder: string; expires: number };
  /** `revision`: the last number given out, to an item and to its change alike. */
  counters: { name: string; value: number };
  /** Stretches of the audit log, and what is in them: an index, made from the log. */
  event_blocks: { server: string; file: string; start: number; stop: number; first: number; last: number };
  event_terms: { term: string; server: string; file: string; start: number };
  meta: { name: string; value: string };
  migrations: { position: number; name: string; applied_at: ColumnType<number, number, never> };
}

/** One step of the schema. Applied ones are never edited; the statements are SQL that SQLite and PostgreSQL both take. */
export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}

/** The ledger of migrations: made before any of them. */
export const migrationsTable = "CREATE TABLE IF NOT EXISTS migrations (position BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, applied_at BIGINT NOT NULL)";

/** The schema, oldest step first. */
export const migrations: readonly Migration[] = [
  {
    name: "0001-items",
    statements: [
      `CREATE TABLE items (
        kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, secret TEXT,
        revision BIGINT NOT NULL UNIQUE, expires BIGINT, PRIMARY KEY (kind, name))`,
      "CREATE INDEX items_expires ON items (expires) WHERE expires IS NOT NULL",
      `CREATE TABLE changes (
        sequence BIGINT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
        deleted INTEGER NOT NULL, at BIGINT NOT NULL)`,
      "CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, expires BIGINT NOT NULL)",
      "CREATE TABLE counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
      "INSERT INTO counters (name, value) VALUES ('revision', 0)",
      "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ],
  },
  {
    name: "0002-events",
    statements: [
      `CREATE TABLE event_blocks (
        server TEXT NOT NULL, file TEXT NOT NULL, start BIGINT NOT NULL, stop BIGINT NOT NULL,
        first BIGINT NOT NULL, last BIGINT NOT NULL, PRIMARY KEY (server, file, start))`,
      `CREATE TABLE event_terms (
        term TEXT NOT NULL, server TEXT NOT NULL, file TEXT NOT NULL, start BIGINT NOT NULL,
        PRIMARY KEY (term, server, file, start))`,
      "CREATE INDEX event_terms_place ON event_terms (server, file, start)",
    ],
  },
];
