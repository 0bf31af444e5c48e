import { lstat } from "node:fs/promises";
import { GatehouseError, escapeLine, systemErrorCode } from "../../base/index.ts";
import { writeFileAtomic } from "../lean/index.ts";
import type { IdentityFile } from "./formats.ts";

/** Writes each file, or replaces it whole, for its owner's eyes alone. */
export async function writeIdentityFiles(files: readonly IdentityFile[]): Promise<void> {
  for (const { path, text } of files) await writeFileAtomic(path, text, 0o600);
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
