import { constants } from "node:fs";
import { chmod, link, lstat, mkdir, open, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { GatehouseError, randomHex, syncDirectory, systemErrorCode, type Logger, type Random } from "../base/index.ts";

const keySize = 32;
const others = 0o077;

const octal = (mode: number): string => `0${(mode & 0o7777).toString(8)}`;

/** Whether a path exists. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw new GatehouseError("unavailable", `cannot look at ${path}`, { cause: error });
  }
}

/** Makes the directory (0700) if it is missing. Throws `unavailable` if others can write to it. */
export async function prepareDirectory(directory: string, logger: Logger): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { mode } = await stat(directory);
    if ((mode & 0o022) !== 0) {
      throw new GatehouseError("unavailable", `others may write to ${directory} (mode ${octal(mode)})`, { hint: `chmod 0700 ${directory}` });
    }
    if ((mode & others) !== 0) logger.warn({ directory, mode: octal(mode) }, "others may look into the store's directory: chmod 0700");
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    throw new GatehouseError("unavailable", `cannot make the directory ${directory}`, { cause: error, hint: "check its parent's owner and mode" });
  }
}

/** Makes the database file, 0600 before SQLite writes to it (its journals take its mode), and narrows the mode of one that is wider. */
export async function prepareDatabaseFile(path: string, logger: Logger): Promise<void> {
  try {
    const file = await open(path, constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o600);
    try {
      const { mode } = await file.stat();
      if ((mode & others) !== 0) {
        await chmod(path, 0o600);
        logger.warn({ path, mode: octal(mode) }, "others could read the database file; its mode is 0600 now");
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new GatehouseError("unavailable", `cannot open the database ${path}`, { cause: error, hint: "check its owner, mode and file system" });
  }
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw new GatehouseError("unavailable", `cannot read the key file ${path}`, { cause: error, hint: "it must be a regular file that this user owns, mode 0600" });
  }
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new GatehouseError("unavailable", `the key file ${path} is not a regular file`);
    if (process.getuid && info.uid !== process.getuid() && info.uid !== 0) {
      throw new GatehouseError("unavailable", `the key file ${path} belongs to another user (uid ${info.uid})`, { hint: "it must belong to the user that runs the gateway" });
    }
    if ((info.mode & others) !== 0) {
      throw new GatehouseError("unavailable", `others may read the key file ${path} (mode ${octal(info.mode)})`, { hint: `chmod 0600 ${path}` });
    }
    const key = new Uint8Array(keySize + 1);
    const { bytesRead } = await file.read(key, 0, key.length, 0);
    if (bytesRead !== keySize) {
      throw new GatehouseError("unavailable", `the key file ${path} does not hold ${keySize} bytes`, { hint: "restore it from a backup" });
    }
    return key.subarray(0, keySize);
  } finally {
    await file.close();
  }
}

/** Written aside and then linked to its name, so that the name never holds part of a key, and of two makers one wins. */
async function createKey(path: string, random: Random): Promise<void> {
  const draft = `${path}.${randomHex(random, 8)}.new`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(random(keySize));
      await file.sync();
    } finally {
      await file.close();
    }
    try {
      await link(draft, path);
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST") throw error;
    } finally {
      await unlink(draft);
    }
    await syncDirectory(dirname(path));
  } catch (error) {
    throw new GatehouseError("unavailable", `cannot make the key file ${path}`, { cause: error, hint: "check the owner and mode of its directory" });
  }
}

/**
 * The 32 bytes that secrets are sealed with; made at first start, when `databasePath` does not exist either. Throws `unavailable` for a key file
 * that is missing while the database is there, that others may read, or that has another size.
 */
export async function openKeyFile(path: string, databasePath: string, random: Random): Promise<Uint8Array> {
  const key = await readKey(path);
  if (key) return key;
  const databaseExists = await exists(databasePath);
  if (databaseExists) {
    // Another gateway may be at its first start: it makes the key first.
    const late = await readKey(path);
    if (late) return late;
    throw new GatehouseError("unavailable", `the key file ${path} is missing, and the database ${databasePath} is sealed with it`, {
      hint: "restore the key file from a backup",
    });
  }
  await createKey(path, random);
  const made = await readKey(path);
  if (!made) throw new GatehouseError("unavailable", `the key file ${path} disappeared while it was made`);
  return made;
}
