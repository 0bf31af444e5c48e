import { keepCompiled, keychainIsStuck } from "@gatehouse/core/client/lean";
import { credentials } from "./credentials.ts";
import { printVersion } from "./version.ts";

const wantsHelp = (argv: readonly string[]): boolean => argv.some((word) => word === "--help" || word === "-h");

/** The commands that kubectl and scripts wait for: they load nothing that they do not need. Returns their exit code; undefined for every other command. */
async function leanCommand(argv: readonly string[]): Promise<number | undefined> {
  if (wantsHelp(argv)) return undefined;
  if (argv[0] === "version" || argv[0] === "--version") return printVersion(argv.slice(1));
  if (argv[0] === "kube" && argv[1] === "credentials") return credentials(argv.slice(2));
  return undefined;
}

/** Runs tsh with these arguments. */
export async function start(argv: readonly string[]): Promise<void> {
  try {
    const code = await leanCommand(argv);
    if (code === undefined) {
      keepCompiled(process.env);
      await (await import("./main.ts")).main(argv);
      return;
    }
    process.exitCode = code;
  } catch (error) {
    await (await import("./main.ts")).report(error, argv);
  }
  // A thread that the keychain never answered would hold this process for ever.
  if (keychainIsStuck()) process.kill(process.pid, "SIGKILL");
}
