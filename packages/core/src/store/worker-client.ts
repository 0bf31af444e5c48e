import { Worker } from "node:worker_threads";
import { GatehouseError, errorMessage, type Logger } from "../base/index.ts";

/** One statement of a batch. `require` rolls the whole batch back when the statement returns no row ("some") or any ("none"). */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly require?: "some" | "none" | undefined;
}

/** `single`: each statement by itself. `read`: one snapshot. `write`: one transaction that takes the write lock first. */
export type BatchMode = "single" | "read" | "write";

/** What a batch did: the rows of each statement, or the index of the statement whose requirement did not hold (then nothing happened). */
export type BatchResult =
  | { readonly rows: readonly (readonly unknown[])[]; readonly failed?: undefined }
  | { readonly rows?: undefined; readonly failed: number };

/** The worker thread that owns the database. Every method throws `unavailable` when the database cannot be used. */
export interface WorkerClient {
  run(mode: BatchMode, statements: readonly Statement[]): Promise<BatchResult>;
  /** What was sent before is answered first; calls after it are refused. */
  close(): Promise<void>;
}

type Answer =
  | { readonly id: number; readonly rows: readonly (readonly unknown[])[] }
  | { readonly id: number; readonly failed: number }
  | { readonly id: number; readonly error: { readonly message: string; readonly sqliteCode?: number | undefined } };

interface Pending {
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: GatehouseError) => void;
}

const maxPending = 10_000;
/** A thread that answers nothing for this many checks is given up. */
const stallChecks = 6;
const stallCheckMs = 5000;
const closeMs = 10_000;

/**
 * SQLite's primary result codes that mean that the database cannot be used now, their texts, and what to do (sqlite.org/rescode.html). The
 * binding leaves the code out of errors of statements that return rows; the text is what remains.
 */
const unusable: readonly { readonly code: number; readonly text: string; readonly hint: string | undefined }[] = [
  { code: 3, text: "access permission denied", hint: "check the owner and mode of the database file" },
  { code: 5, text: "database is locked", hint: "another process holds the database: wait, or find it with fuser" },
  { code: 6, text: "database table is locked", hint: undefined },
  { code: 7, text: "out of memory", hint: undefined },
  { code: 8, text: "attempt to write a readonly database", hint: "the database or its file system is read-only: check owner, mode and mount" },
  { code: 10, text: "disk I/O error", hint: "the disk reports an error: check the system's log" },
  { code: 11, text: "database disk image is malformed", hint: "the database is damaged: restore it from a backup" },
  { code: 13, text: "database or disk is full", hint: "the disk is full: make room" },
  { code: 14, text: "unable to open database file", hint: "check the path, and the owner and mode of its directories" },
  { code: 15, text: "locking protocol", hint: undefined },
  { code: 26, text: "file is not a database", hint: "the file is not a SQLite database: check the path" },
];

function sqliteError(message: string, code: number | undefined): GatehouseError {
  const known = unusable.find((entry) => (code === undefined ? message.startsWith(entry.text) : entry.code === (code & 0xff)));
  if (!known) return new GatehouseError("internal", `the store failed: ${message}`);
  return new GatehouseError("unavailable", `the store cannot be used: ${message}`, { hint: known.hint });
}

/** How long a statement waits for another process's lock, ms. */
const defaultBusyMs = 5000;

/** Starts the thread and opens the database in it. `key` (32 bytes) seals secrets. Throws `unavailable`. */
export async function startWorker(options: {
  readonly path: string;
  readonly key: Uint8Array;
  readonly logger: Logger;
  readonly busyMs?: number | undefined;
}): Promise<WorkerClient> {
  const worker = new Worker(new URL("./sqlite-worker.mjs", import.meta.url), {
    name: "gatehouse-store",
    workerData: { path: options.path, key: options.key, busyMs: options.busyMs ?? defaultBusyMs },
  });
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let stalled = 0;
  let closing = false;
  let refusal: GatehouseError | undefined;

  const terminate = (): void => {
    worker.terminate().catch((error: unknown) => options.logger.error({ error: errorMessage(error) }, "the store's thread did not end"));
  };
  const fail = (error: GatehouseError): void => {
    refusal ??= error;
    clearInterval(watchdog);
    for (const call of pending.values()) call.reject(refusal);
    pending.clear();
  };
  const watchdog = setInterval(() => {
    stalled = pending.size === 0 ? 0 : stalled + 1;
    if (stalled < stallChecks) return;
    fail(new GatehouseError("unavailable", "the store's thread does not answer", { hint: "check the disk, then restart the gateway" }));
    terminate();
  }, stallCheckMs);
  watchdog.unref();

  const answered = (answer: Answer): void => {
    stalled = 0;
    const call = pending.get(answer.id);
    pending.delete(answer.id);
    if (pending.size === 0 && !closing) worker.unref();
    if (!call) return;
    if ("error" in answer) call.reject(sqliteError(answer.error.message, answer.error.sqliteCode));
    else call.resolve("failed" in answer ? { failed: answer.failed } : { rows: answer.rows });
  };
  worker.on("message", answered);
  worker.on("error", (error) => {
    options.logger.error({ error: errorMessage(error) }, "the store's thread failed");
    fail(new GatehouseError("unavailable", `the store's thread failed: ${errorMessage(error)}`, { cause: error, hint: "restart the gateway" }));
  });
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", () => {
      fail(new GatehouseError("unavailable", "the store's thread has ended", { hint: "restart the gateway" }));
      resolve();
    });
  });
  // The thread's first answer, under id 0, says whether the database opened.
  await new Promise<BatchResult>((resolve, reject) => pending.set(0, { resolve, reject }));

  return {
    run(mode, statements) {
      if (refusal) return Promise.reject(refusal);
      if (pending.size >= maxPending) {
        return Promise.reject(new GatehouseError("unavailable", `the store has ${maxPending} calls waiting`, { hint: "try again later" }));
      }
      return new Promise((resolve, reject) => {
        const id = nextId++;
        if (pending.size === 0) worker.ref();
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, mode, statements });
      });
    },
    async close() {
      if (!closing && !refusal) {
        refusal = new GatehouseError("unavailable", "the store is closed");
        worker.ref();
        worker.postMessage("close");
      }
      closing = true;
      const limit = setTimeout(terminate, closeMs);
      await exited;
      clearTimeout(limit);
    },
  };
}
