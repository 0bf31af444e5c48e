const wantsHelp = (argv: readonly string[]): boolean => argv.some((word) => word === "--help" || word === "-h");

const isVersion = (argv: readonly string[]): boolean => argv[0] === "version" || argv[0] === "--version";

/** The commands that kubectl, ssh and scripts wait for skip the command framework, and load nothing that they do not need. Returns their exit code. */
async function fastPath(argv: readonly string[]): Promise<number | undefined> {
  if (wantsHelp(argv)) return undefined;
  if (isVersion(argv)) return (await import("./version.ts")).printVersion(argv.slice(1));
  if (argv[0] === "kube" && argv[1] === "credentials") return (await import("./credentials.ts")).credentials(argv.slice(2));
  if (argv[0] === "proxy" && argv[1] === "ssh") return (await import("./proxy-ssh.ts")).proxySsh(argv.slice(2));
  return undefined;
}

async function run(argv: readonly string[]): Promise<void> {
  const code = await fastPath(argv);
  if (code !== undefined) {
    process.exitCode = code;
    return;
  }
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  const [{ runProgram }, { tsh }] = await Promise.all([import("@gatehouse/core/client/command"), import("./commands.ts")]);
  await runProgram(tsh, argv);
}

async function report(error: unknown, argv: readonly string[]): Promise<void> {
  const [{ createOutput, explainThrown, reportError }, { default: chalk }] = await Promise.all([import("@gatehouse/core/client/terminal"), import("chalk")]);
  const output = createOutput({ stdout: process.stdout, stderr: process.stderr, env: process.env, style: chalk });
  const explained = explainThrown(error);
  process.exitCode = explained === undefined ? 130 : reportError(output, explained, { debug: argv.includes("-d") || argv.includes("--debug") });
}

/** A thread that the keychain never answered would hold this process for ever. */
async function endIfStuck(): Promise<void> {
  const { keychainIsStuck } = await import("@gatehouse/core/client/lean");
  if (keychainIsStuck()) process.kill(process.pid, "SIGKILL");
}

/** Runs tsh with the process's arguments. */
async function main(): Promise<void> {
  const argv = process.argv.slice(2);
  try {
    await run(argv);
  } catch (error) {
    await report(error, argv);
  }
  if (!isVersion(argv)) await endIfStuck();
}

await main();
