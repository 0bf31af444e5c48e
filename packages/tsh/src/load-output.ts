import type { Output } from "@gatehouse/core/client/terminal";

/** How this process speaks to people, for who runs without the framework and has something to say after all. */
export async function loadOutput(): Promise<Output> {
  const [{ createOutput }, { default: chalk }] = await Promise.all([import("@gatehouse/core/client/terminal"), import("chalk")]);
  return createOutput({ stdout: process.stdout, stderr: process.stderr, env: process.env, style: chalk });
}
