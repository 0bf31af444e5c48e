import { explainThrown, processOutput, runProgram } from "@gatehouse/core/client/command";
import { reportError } from "@gatehouse/core/client/terminal";
import { tctl } from "./commands.ts";

/** Runs tctl with these arguments, and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  try {
    await runProgram(tctl, argv);
  } catch (error) {
    const explained = explainThrown(error);
    process.exitCode = explained === undefined ? 130 : reportError(processOutput(), explained, { debug: argv.includes("-d") || argv.includes("--debug") });
  }
}
