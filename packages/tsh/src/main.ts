import { loadOutput } from "./load-output.ts";

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

/** Runs any command but those that `start.ts` runs itself. Returns its exit code where the framework did not set one. */
async function run(argv: readonly string[]): Promise<number | undefined> {
  const hidden = await hiddenCommand(argv);
  if (hidden !== undefined) return hidden;
  const help = argv.some((word) => word === "--help" || word === "-h");
  if (argv[0] === "proxy" && argv[1] === "ssh" && !help) return (await import("./proxy-ssh.ts")).proxySsh(argv.slice(2));
  if (argv[0] === "agent" && argv[1] === "run" && !help) return (await import("./agent-run.ts")).agentRun(argv.slice(2));
  if (argv[0] === "status" && !help) {
    const code = await (await import("./status.ts")).status(argv.slice(1));
    if (code !== undefined) return code;
  }
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  const [{ runProgram }, { tsh }] = await Promise.all([import("@gatehouse/core/client/command"), import("./commands.ts")]);
  await runProgram(tsh, argv);
  return undefined;
}

/** A thread that the keychain never answered would hold this process for ever. */
async function endIfStuck(): Promise<void> {
  const { keychainIsStuck } = await import("@gatehouse/core/client/lean");
  if (keychainIsStuck()) process.kill(process.pid, "SIGKILL");
}

/** Says what was thrown, and sets the exit code. */
export async function report(error: unknown, argv: readonly string[]): Promise<void> {
  const [{ explainThrown, reportError }, output] = await Promise.all([import("@gatehouse/core/client/terminal"), loadOutput()]);
  const explained = explainThrown(error);
  process.exitCode = explained === undefined ? 130 : reportError(output, explained, { debug: argv.includes("-d") || argv.includes("--debug") });
  await endIfStuck();
}

/** Runs tsh with these arguments, and sets the exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    const code = await run(argv);
    if (code !== undefined) process.exitCode = code;
  } catch (error) {
    await report(error, argv);
    return;
  }
  await endIfStuck();
}
