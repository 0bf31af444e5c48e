import { realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { GatehouseError, errorMessage, systemErrorCode } from "../../base/index.ts";
import { ensurePrivateDirectory, readFileLimited, withLock, writeFileAtomic, type Environment } from "../lean/index.ts";
import { blockIn, placeBlock } from "./config-block.ts";

const maxConfig = 4 * 1024 * 1024;
const lockWait = 10_000;

/** The person's own configuration of ssh. */
export const sshConfigPath = (env: Environment): string => join(env["HOME"] !== undefined && env["HOME"] !== "" ? env["HOME"] : homedir(), ".ssh", "config");

async function target(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return path;
    throw new GatehouseError("internal", `could not read ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

/** The block of this name in a file, or undefined. Throws `internal` for a file that cannot be read. */
export async function readSshBlock(path: string, name: string): Promise<string | undefined> {
  return blockIn((await readFileLimited(await target(path), { limit: maxConfig })) ?? "", name);
}

/**
 * Puts the block into a file, or takes it out where it is undefined, whole or not at all; the file is its owner's alone afterwards. A link stays a link.
 * Resolves with whether anything changed. Throws `internal` where the file cannot be written.
 */
export async function writeSshConfig(path: string, name: string, block: string | undefined): Promise<boolean> {
  const directory = dirname(path);
  const present = await stat(directory).then(() => true, () => false);
  if (!present) {
    if (block === undefined) return false;
    await ensurePrivateDirectory(directory);
  }
  const result = await withLock(`${path}.lock`, { wait: lockWait, purpose: `change ${path}` }, async () => {
    const file = await target(path);
    const before = (await readFileLimited(file, { limit: maxConfig })) ?? "";
    const after = placeBlock(before, name, block);
    if (after === before) return false;
    await writeFileAtomic(file, after, 0o600);
    return true;
  });
  return result === true;
}
