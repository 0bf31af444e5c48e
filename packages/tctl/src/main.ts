import { explainThrown, processOutput, runProgram } from "@gatehouse/core/client/command";
import { reportError } from "@gatehouse/core/client/terminal";
import { tctl } from "./commands.ts";

/** Runs tctl with the process's arguments. */
async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  try {
    await runProgram(tctl, argv);
  } catch (error) {
    const explained = explainThrown(error);
    process.exitCode = explained === undefined ? 130 : reportError(processOutput(), explained, { debug: argv.includes("-d") || argv.includes("--debug") });
  }
}

process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
await main();
