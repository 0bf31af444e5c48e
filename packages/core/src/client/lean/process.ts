import { readFile } from "node:fs/promises";
import { systemErrorCode } from "../../base/index.ts";

/** Whether a process of this machine has this number; true also for one that belongs to somebody else. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== "ESRCH";
  }
}

/**
 * The group of processes that this one is in: of a shell's job, of a script, of `xargs`. Undefined where the system does not tell (other than Linux), or tells only with another program.
 */
export async function processGroup(): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  const text = await readFile("/proc/self/stat", "utf8").catch(() => undefined);
  // The command name, in parentheses, may hold spaces; after it state, parent and group (proc(5)).
  return text?.slice(text.lastIndexOf(")") + 2).split(" ")[2];
}
