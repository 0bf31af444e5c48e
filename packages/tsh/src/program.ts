import { realpathSync } from "node:fs";

/** What runs now, for the launcher to run again: Node, and the real path of the command whatever link it was started by. */
export function runningProgram(): { readonly node: string; readonly script: string } {
  return { node: process.execPath, script: realpathSync(process.argv[1] ?? "") };
}
