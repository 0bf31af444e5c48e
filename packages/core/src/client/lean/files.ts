import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { chmod, lstat, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GatehouseError, randomHex, syncDirectory, systemErrorCode, systemRandom } from "../../base/index.ts";

/** Age in ms after which a temporary file was left by a writer that was killed. */
const leftoverAge = 60_000;

/** Makes a directory (and its parents) that only its owner can enter. Throws where the path is something else, or open to others. */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const info = await stat(path);
  if (process.platform !== "win32" && (info.mode & 0o077) !== 0) await chmod(path, info.mode & 0o700);
}

function openForRead(path: string): number | undefined {
  try {
    // Without O_NONBLOCK a FIFO in the file's place would hold the process for ever.
    return openSync(path, constants.O_RDONLY | (process.platform === "win32" ? 0 : constants.O_NONBLOCK));
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw new GatehouseError("internal", `could not read ${path}: ${systemErrorCode(error) ?? String(error)}`, { cause: error });
  }
}

/** What {@link readFileLimited} checks. */
export interface ReadOptions {
  /** Bytes. */
  readonly limit: number;
  /** Refuse a file that group or others may read. */
  readonly secret?: boolean;
}

function readLimited(path: string, options: ReadOptions): string | undefined {
  const file = openForRead(path);
  if (file === undefined) return undefined;
  try {
    const info = fstatSync(file);
    if (!info.isFile()) throw new GatehouseError("internal", `${path} is not a regular file`);
    if (options.secret === true && process.platform !== "win32" && (info.mode & 0o077) !== 0) {
      throw new GatehouseError("internal", `${path} holds a private key and can be read by others`, { hint: `make it yours alone: chmod 600 ${path}, then log in again: the key may be known` });
    }
    if (info.size > options.limit) throw new GatehouseError("limit_exceeded", `${path} is larger than ${options.limit} bytes`);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

/**
 * The text of a regular file, or undefined where there is none. Throws `limit_exceeded`, and `internal` for what is not a readable regular file. Read in one go:
 * Node's promises over files cost kubectl 3 ms a call before they have read a byte.
 */
export function readFileLimited(path: string, options: ReadOptions): Promise<string | undefined> {
  return new Promise((resolve) => resolve(readLimited(path, options)));
}

async function removeLeftovers(directory: string, prefix: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(prefix) || !name.endsWith(".tmp")) continue;
    const path = join(directory, name);
    const info = await stat(path).catch(() => undefined);
    if (info && Date.now() - info.mtimeMs > leftoverAge) await rm(path, { force: true });
  }
}

/**
 * Replaces a file whole: after a crash at any moment there is the old text or the new, never a part. `mode` is what the file has afterwards.
 * Throws `internal` where something that is not a regular file stands in the way, or the directory cannot be written.
 */
export async function writeFileAtomic(path: string, text: string, mode: number): Promise<void> {
  const directory = dirname(path);
  const prefix = `.${basename(path)}.`;
  const temporary = join(directory, `${prefix}${randomHex(systemRandom, 6)}.tmp`);
  try {
    const present = await lstat(path).catch((error: unknown) => {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (present && !present.isFile()) throw new GatehouseError("internal", `will not write ${path}: it is not a regular file`);
    await removeLeftovers(directory, prefix);
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(text);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(directory);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (error instanceof GatehouseError) throw error;
    throw new GatehouseError("internal", `could not write ${path}: ${systemErrorCode(error) ?? String(error)}`, { cause: error });
  }
}
