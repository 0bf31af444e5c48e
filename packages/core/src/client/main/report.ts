import type { Output } from "../terminal/index.ts";

/** How this process speaks to people, for who runs without the framework and has something to say after all. */
export async function loadOutput(): Promise<Output> {
  const [{ createOutput }, { default: chalk }] = await Promise.all([import("../terminal/index.ts"), import("chalk")]);
  return createOutput({ stdout: process.stdout, stderr: process.stderr, env: process.env, style: chalk });
}

/** Says on standard error what the command of these words threw, with its causes where they ask for them. Returns the exit code: 130 where the person stopped it. */
export async function reportThrown(thrown: unknown, argv: readonly string[]): Promise<number> {
  const [{ explainThrown, reportError }, output] = await Promise.all([import("../terminal/index.ts"), loadOutput()]);
  const explained = explainThrown(thrown);
  return explained === undefined ? 130 : reportError(output, explained, { debug: argv.includes("-d") || argv.includes("--debug") });
}
