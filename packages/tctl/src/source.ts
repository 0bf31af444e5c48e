import { GatehouseError, limits, readAll } from "@gatehouse/core/base";
import { readFileLimited } from "@gatehouse/core/client";

/** Resources as text, and what to call where they are from. */
export interface Source {
  readonly text: string;
  readonly name: string;
}

/**
 * Reads a file of resources; `-`, or no file where standard input is no terminal, is standard input. Throws `usage` with this hint where there is neither,
 * `not_found`, `limit_exceeded`.
 */
export async function readSource(file: string | undefined, hint: string): Promise<Source> {
  if (file !== undefined && file !== "-") {
    const text = await readFileLimited(file, { limit: limits.resourceFile });
    if (text === undefined) throw new GatehouseError("not_found", `${file} does not exist`);
    return { text, name: file };
  }
  if (file === undefined && process.stdin.isTTY) throw new GatehouseError("usage", "which file?", { hint });
  return { text: (await readAll(process.stdin, limits.resourceFile, "standard input")).toString("utf8"), name: "standard input" };
}
