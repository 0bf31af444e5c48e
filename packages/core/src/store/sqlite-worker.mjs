/**
 * The thread that owns the SQLite database: it runs batches of statements in order, one message at a time, and seals secrets.
 * Plain JavaScript, because a worker is started from this very file, from source and beside the bundle alike.
 *
 * @typedef {{ sql: string, parameters: readonly unknown[], require?: "some" | "none" }} Statement
 * @typedef {{ id: number, mode: "single" | "read" | "write", statements: readonly Statement[] }} Batch
 * @typedef {{ id: number, rows: unknown[][] } | { id: number, failed: number } | { id: number, error: { message: string, sqliteCode?: number } }} Answer
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { DatabaseSync } from "@photostructure/sqlite";

const cachedStatements = 200;

/** A row belongs to one item at one revision: moved to another, it does not open. */
const context = (kind, name, revision) => Buffer.from(JSON.stringify([kind, name, revision]));

/** AES-256-GCM as base64 of nonce (12), ciphertext, tag (16). NULL stays NULL. */
function seal(plain, nonce, kind, name, revision) {
  if (plain === null) return null;
  const cipher = createCipheriv("aes-256-gcm", workerData.key, nonce, { authTagLength: 16 });
  cipher.setAAD(context(kind, name, revision));
  return Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]).toString("base64");
}

function unseal(sealed, kind, name, revision) {
  if (sealed === null) return null;
  const bytes = Buffer.from(sealed, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", workerData.key, bytes.subarray(0, 12), { authTagLength: 16 });
    decipher.setAAD(context(kind, name, revision));
    decipher.setAuthTag(bytes.subarray(-16));
    return decipher.update(bytes.subarray(12, -16), undefined, "utf8") + decipher.final("utf8");
  } catch (error) {
    throw new Error(`the secret of ${kind}/${name} does not open under this key file`, { cause: error });
  }
}

/** Changing the journal mode does not wait for locks by itself, and gateways may start together. */
function enterWal(database) {
  for (let waited = 0; ; waited += 50) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (error?.errcode !== 5 || waited >= workerData.busyMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
  }
}

function open() {
  const database = new DatabaseSync(workerData.path, { timeout: workerData.busyMs, enableForeignKeyConstraints: true });
  enterWal(database);
  database.exec("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 67108864");
  database.function("seal", { directOnly: true }, seal);
  database.function("unseal", { directOnly: true }, unseal);
  return database;
}

let database;
const prepared = new Map();

function run({ sql, parameters }) {
  let statement = prepared.get(sql);
  if (!statement) {
    if (prepared.size >= cachedStatements) prepared.clear();
    statement = database.prepare(sql);
    prepared.set(sql, statement);
  }
  return statement.all(...parameters);
}

/** @param {Batch} batch @returns {Answer} */
function execute({ id, mode, statements }) {
  const rows = [];
  try {
    if (mode !== "single") database.exec(mode === "write" ? "BEGIN IMMEDIATE" : "BEGIN");
    for (const [index, statement] of statements.entries()) {
      const found = run(statement);
      if (statement.require && (statement.require === "some") !== found.length > 0) {
        database.exec("ROLLBACK");
        return { id, failed: index };
      }
      rows.push(found);
    }
    if (mode !== "single") database.exec("COMMIT");
    return { id, rows };
  } catch (error) {
    // A full disk and the like roll back by themselves.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

const failure = (error) => ({ message: error.message, sqliteCode: error.errcode });

parentPort.on("message", (message) => {
  if (message === "close") {
    database.close();
    parentPort.close();
    return;
  }
  try {
    parentPort.postMessage(execute(message));
  } catch (error) {
    parentPort.postMessage({ id: message.id, error: failure(error) });
  }
});

try {
  database = open();
  parentPort.postMessage({ id: 0, rows: [] });
} catch (error) {
  parentPort.postMessage({ id: 0, error: failure(error) });
  parentPort.close();
}
