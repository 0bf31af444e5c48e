import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { tshPath } from "../support/world.ts";

/** The environment of a person whose agent has this runtime directory, which is made. */
export async function withAgent(env: NodeJS.ProcessEnv, runtime: string): Promise<NodeJS.ProcessEnv> {
  await mkdir(runtime, { mode: 0o700 });
  return { ...env, XDG_RUNTIME_DIR: runtime, TSH_AGENT: "" };
}

/** Starts an agent in such an environment. The caller ends it. */
export async function startAgent(env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const agent = spawn(process.execPath, [tshPath, "agent", "run"], { env, stdio: ["ignore", "ignore", "pipe"] });
  const ended = once(agent, "exit").then(() => Promise.reject(new Error("the agent ended before it was ready")));
  ended.catch(() => undefined);
  await Promise.race([once(agent.stderr, "data"), ended]);
  return agent;
}
