import { access, constants, lstat } from "node:fs/promises";
import { dirname } from "node:path";
import { GatehouseError, escapeLine, systemErrorCode } from "../../base/index.ts";
import { writeFileAtomic } from "../lean/index.ts";
import type { IdentityFile } from "./formats.ts";

/** Writes each file, or replaces it whole, for its owner's eyes alone. */
export async function writeIdentityFiles(files: readonly IdentityFile[]): Promise<void> {
  for (const { path, text } of files) await writeFileAtomic(path, text, 0o600);
}

/**
 * Throws where one of these paths could not be written: before a login is asked for, whose one-use token would be gone and whose session would be nobody's. `not_found`
 * for a folder that is not there, `internal` for one that may not be written to, and for what is no file.
 */
export async function refuseUnwritable(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const folder = dirname(path);
    try {
      await access(folder, constants.W_OK | constants.X_OK);
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") throw new GatehouseError("not_found", `there is no folder ${escapeLine(folder)}`, { hint: `make it: mkdir -p ${escapeLine(folder)}` });
      throw new GatehouseError("internal", `cannot write to ${escapeLine(folder)}: ${systemErrorCode(error) ?? String(error)}`, { cause: error });
    }
    const found = await lstat(path).catch(() => undefined);
    if (found && !found.isFile()) throw new GatehouseError("internal", `will not write ${escapeLine(path)}: it is not a regular file`);
  }
}

/** Throws `already_exists` where one of these paths is there. */
export async function refuseExisting(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const found = await lstat(path).catch((error: unknown) => {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (found) throw new GatehouseError("already_exists", `${escapeLine(path)} is there already`, { hint: "--force writes over it" });
  }
}
