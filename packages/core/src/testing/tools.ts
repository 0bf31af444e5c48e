import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * Whether a program is on PATH. Where it is missing, says how to get it and returns false, so that a test skips aloud; with `CI=true` it throws,
 * since there nothing may be skipped.
 */
export function requireTool(name: string, howToGet: string): boolean {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const found = folders.some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return true;
  const message = `${name} is not on PATH: ${howToGet}`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`skipping tests: ${message}`);
  return false;
}
