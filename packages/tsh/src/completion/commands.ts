import { describeProgram } from "@gatehouse/core/client/command";
import { tsh } from "../commands.ts";

/** `tsh __commands`, which the build runs: every command with its flags, as completion reads them. Returns the exit code. */
export async function printCommands(): Promise<number> {
  process.stdout.write(`${JSON.stringify(await describeProgram(tsh))}\n`);
  return 0;
}
