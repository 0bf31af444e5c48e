/** Commands that people do not type: the shells' scripts, completion itself and the build run them. Their words may hold anything. */
async function hiddenCommand(argv: readonly string[]): Promise<number | undefined> {
  switch (argv[0]) {
    case "__complete":
      return (await import("./completion/complete.ts")).complete(argv.slice(1));
    case "__names":
      return (await import("./completion/fetch.ts")).fetchAndKeep(argv.slice(1));
    case "__commands":
      return (await import("./completion/commands.ts")).printCommands();
  }
  return undefined;
}

async function run(argv: readonly string[]): Promise<void> {
  const hidden = await hiddenCommand(argv);
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
    const [{ explainThrown, processOutput }, { reportError }] = await Promise.all([import("@gatehouse/core/client/command"), import("@gatehouse/core/client/terminal")]);
    const explained = explainThrown(error);
    process.exitCode = explained === undefined ? 130 : reportError(processOutput(), explained, { debug: argv.includes("-d") || argv.includes("--debug") });
  }
}
