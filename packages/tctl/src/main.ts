import { reportThrown, runHidden, type HiddenCommands } from "@gatehouse/core/client/main";

const hiddenCommands: HiddenCommands = {
  complete: () => import("./completion/complete.ts"),
  fetch: () => import("./completion/fetch.ts"),
  describe: () => import("./completion/commands.ts"),
};

async function run(argv: readonly string[]): Promise<void> {
  const hidden = await runHidden(argv, hiddenCommands);
  if (hidden !== undefined) {
    process.exitCode = hidden;
    return;
  }
  const [{ runProgram }, { tctl }] = await Promise.all([import("@gatehouse/core/client/command"), import("./commands.ts")]);
  await runProgram(tctl, argv);
}

/** Runs tctl with these arguments, and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  try {
    await run(argv);
  } catch (error) {
    process.exitCode = await reportThrown(error, argv);
  }
}
