import { reportThrown, runHidden, type HiddenCommands } from "@gatehouse/core/client/main";

const hiddenCommands: HiddenCommands = {
  complete: () => import("./completion/complete.ts"),
  fetch: () => import("./completion/fetch.ts"),
  describe: () => import("./completion/commands.ts"),
};

/** Runs any command but those that `start.ts` runs itself. Returns its exit code where the framework did not set one. */
async function run(argv: readonly string[]): Promise<number | undefined> {
  const hidden = await runHidden(argv, hiddenCommands);
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
  process.exitCode = await reportThrown(error, argv);
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
