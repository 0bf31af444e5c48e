import { chmod, mkdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { GatehouseError, errorMessage, systemErrorCode } from "../../base/index.ts";

type Database = InstanceType<typeof DatabaseSync>;

/** A data directory that this process alone runs a gateway on. */
export interface DataDir {
  readonly path: string;
  release(): Promise<void>;
}

/** Makes a directory and its parents. Node's own recursive mkdir never ends where the system says ENOENT to every attempt, as below /proc. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EEXIST" && (await exists(path))) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || (await exists(parent))) throw error;
    await makeDirectory(parent);
    await makeDirectory(path);
  }
}

const exists = (path: string): Promise<boolean> => stat(path).then(() => true, () => false);

async function checkDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    throw new GatehouseError("unavailable", `cannot make the data directory ${path}: ${errorMessage(error)}`, {
      hint: "choose another one with --data-dir, or run as a user who may write there",
      cause: error,
    });
  }
  const found = await stat(path);
  if (!found.isDirectory()) throw new GatehouseError("bad_parameter", `the data directory ${path} is not a directory`);
  const uid = process.getuid?.();
  if (uid !== undefined && found.uid !== uid) {
    throw new GatehouseError("access_denied", `the data directory ${path} belongs to another user (uid ${String(found.uid)}; this process runs as uid ${String(uid)})`, {
      hint: "run the gateway as that user, or choose another data directory with --data-dir",
    });
  }
  if (uid !== undefined && (found.mode & 0o077) !== 0) {
    throw new GatehouseError("access_denied", `others than its owner may enter the data directory ${path} (mode ${(found.mode & 0o777).toString(8)}); it will hold keys`, {
      hint: `chmod 700 ${path}`,
    });
  }
}

/**
 * The lock is SQLite's on an empty database: the kernel drops it with the process, however that ends, and it holds across containers that
 * share the directory.
 */
async function lock(path: string): Promise<Database> {
  const file = join(path, "gateway.lock");
  await chmod(file, 0o600).catch((error: unknown) => {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  });
  // SQLite would make it, and the journal after it, readable by all. Not made by hand: closing a file drops this process's locks on it.
  const mask = process.umask(0o077);
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA busy_timeout = 0");
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (error) {
    database.close();
    throw error;
  } finally {
    process.umask(mask);
  }
}

/**
 * Makes the directory (0700) or checks the one that is there, and locks it for this process. Throws `already_exists` where another gateway
 * runs on it, `access_denied` where it is another user's or open to others, `unavailable` where it cannot be used.
 */
export async function openDataDir(path: string): Promise<DataDir> {
  await checkDirectory(path);
  const pidFile = join(path, "gateway.pid");
  let held: Database;
  try {
    held = await lock(path);
  } catch (error) {
    if (!/locked|busy/i.test(errorMessage(error))) {
      throw new GatehouseError("unavailable", `cannot lock the data directory ${path}: ${errorMessage(error)}`, { cause: error });
    }
    const pid = (await readFile(pidFile, "utf8").catch(() => "")).trim();
    throw new GatehouseError("already_exists", `another gateway${/^\d+$/.test(pid) ? ` (process ${pid})` : ""} runs on the data directory ${path}`, {
      hint: "stop it first, or give this one its own --data-dir",
      cause: error,
    });
  }
  await writeFile(pidFile, `${String(process.pid)}\n`, { mode: 0o600 });
  return {
    path,
    async release() {
      try {
        await unlink(pidFile);
      } catch (error) {
        if (systemErrorCode(error) !== "ENOENT") throw error;
      } finally {
        held.close();
      }
    },
  };
}
