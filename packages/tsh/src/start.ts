import { systemClock } from "@gatehouse/core/base";
import { heldCredentials } from "@gatehouse/core/client/lean";
import { credentialsFlags } from "./credentials-flags.ts";
import { writeOut } from "./write-out.ts";

/** kubectl's usual question, answered from the local agent with no more code than that takes. False for everything else: nothing has been said then. */
async function answered(argv: readonly string[]): Promise<boolean> {
  if (argv[0] !== "kube" || argv[1] !== "credentials" || process.env["TSH_IDENTITY_FILE"] !== undefined) return false;
  let flags: ReturnType<typeof credentialsFlags>;
  try {
    flags = credentialsFlags(argv.slice(2));
  } catch {
    // Help, or a mistake, which is told where there are words for it.
    return false;
  }
  if (flags.identity !== undefined) return false;
  const text = await heldCredentials({ env: process.env, clock: systemClock, proxy: flags.proxy });
  if (text === undefined) return false;
  writeOut(1, text);
  return true;
}

async function run(argv: readonly string[]): Promise<void> {
  // Nothing is open any more, and kubectl need not wait until Node has found that out.
  if (await answered(argv)) process.exit(0);
  await (await import("./lean.ts")).start(argv);
}

run(process.argv.slice(2)).catch((error: unknown) => {
  // Not even the report could be made.
  console.error(error);
  process.exitCode = 1;
});
