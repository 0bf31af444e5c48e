import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { version } from "@gatehouse/core/base";

/**
 * What tells this build of the program from others: its version, and when the file that this runs from was written. A command and an agent that say the same are
 * the same program. Read once where it matters: a file may be replaced while what it held still runs.
 */
export async function agentBuild(): Promise<string> {
  const { mtimeMs, size } = await stat(import.meta.filename);
  return createHash("sha256").update(`${version} ${mtimeMs} ${size}`).digest("hex").slice(0, 16);
}
