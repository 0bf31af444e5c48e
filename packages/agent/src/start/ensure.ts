import { spawn, type ChildProcess } from "node:child_process";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { GatehouseError, systemErrorCode } from "@gatehouse/core/base";
import type { ClientHome, Environment } from "@gatehouse/core/client/lean";
import { agentIsOff, agentNodeFlags, agentPlace, askAgent, makeAgentDirectory, type AgentIdentityAnswer, type AgentPlace } from "@gatehouse/core/client/local-agent";
import { agentBuild } from "./build.ts";
import { agentEnvironment } from "./environment.ts";

/** What is run for an agent. */
export interface AgentProgram {
  readonly node: string;
  /** Absolute path of the command `tsh`. */
  readonly script: string;
}

/** For whom, and what is run. */
export interface StartOptions {
  readonly env: Environment;
  readonly home: ClientHome;
  readonly program: AgentProgram;
}

/** ms that a command which only makes sure that there is an agent waits for one that does not answer. */
const glance = 2000;
/** ms that an agent takes to start, at most. */
const startTime = 15_000;

/** Whether this agent is to stay: it is of this build, or goes only once it is unlocked, or has made the login that somebody waits for. */
const stays = (running: AgentIdentityAnswer | undefined, build: string): running is AgentIdentityAnswer =>
  running !== undefined && (running.build === build || running.locked === true || running.loggingIn === true);

/** Whether the person has turned it off: read by what knows YAML only where there is something to read. */
async function isTurnedOff(home: ClientHome): Promise<boolean> {
  if (!(await stat(join(home.path, "config", "config.yaml")).catch(() => undefined))) return false;
  return (await (await import("../settings/index.ts")).readSettings(home)).agent === "off";
}

/**
 * Whether commands start an agent by themselves here: not in CI, and not where the person has turned it off (`TSH_AGENT=off`, or the setting). Throws what
 * `readSettings` does.
 */
export async function wantsAgent(env: Environment, home: ClientHome): Promise<boolean> {
  const ci = env["CI"] ?? "";
  if ((ci !== "" && ci !== "false") || agentIsOff(env) || (env["HOME"] ?? env["USERPROFILE"] ?? "") === "") return false;
  return !(await isTurnedOff(home));
}

/** One process starts the agent at a time: forty commands at once need not start forty. The agent removes the mark; an old one is of an agent that did not come up. */
export const startMark = (place: AgentPlace): string => join(place.directory, "starting");

async function takeMark(place: AgentPlace): Promise<boolean> {
  const path = startMark(place);
  for (let tries = 0; tries < 2; tries++) {
    try {
      await (await open(path, "wx", 0o600)).close();
      return true;
    } catch (error) {
      if (systemErrorCode(error) !== "EEXIST") throw error;
      const info = await stat(path).catch(() => undefined);
      // One of the future is of a clock that was set back.
      if (info && Math.abs(Date.now() - info.mtimeMs) < startTime) return false;
      await rm(path, { force: true });
    }
  }
  return false;
}

/** Runs the agent detached: nothing is inherited but the environment it needs, and no core is ever dumped of it. */
function launch({ env, program }: StartOptions, place: AgentPlace): ChildProcess {
  const words = [program.node, ...agentNodeFlags(), program.script, "agent", "run", "--log-file"];
  const [file = "", args] = process.platform === "win32" ? [words[0], words.slice(1)] : ["/bin/sh", ["-c", 'ulimit -c 0; exec "$@"', "sh", ...words]];
  return spawn(file, args, { detached: true, stdio: "ignore", cwd: process.platform === "win32" ? place.directory : "/", env: agentEnvironment(env), windowsHide: true });
}

/**
 * Makes sure that an agent of this build runs, or is about to: starts one where there is none, and one that takes the place of another build's, unless that is locked or makes
 * a login. Waits for neither. Throws `access_denied` where its place is not this person's alone, `internal` where nothing can be started.
 */
export async function ensureAgent(options: StartOptions): Promise<void> {
  const place = agentPlace(options.env, options.home);
  const [running, build] = await Promise.all([askAgent(place, "hello", { sshAgent: options.env["SSH_AUTH_SOCK"] }, glance), agentBuild()]);
  if (stays(running, build)) return;
  await makeAgentDirectory(place.directory);
  if (!(await takeMark(place))) return;
  const child = launch(options, place);
  child.unref();
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve).once("error", (error) => reject(new GatehouseError("internal", `the local agent cannot be started: ${error.message}`, { cause: error })));
  });
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** As {@link ensureAgent}, and waits until it answers. Throws `internal` too where it does not within 15 s. */
export async function startAgent(options: StartOptions): Promise<AgentIdentityAnswer> {
  const place = agentPlace(options.env, options.home);
  const build = await agentBuild();
  await ensureAgent(options);
  const deadline = performance.now() + startTime;
  for (let pause = 10; performance.now() < deadline; pause = Math.min(pause * 2, 200)) {
    const running = await askAgent(place, "hello", {}, glance).catch((error: unknown) => {
      if (error instanceof GatehouseError && error.code === "internal") return undefined;
      throw error;
    });
    if (stays(running, build)) return running;
    await sleep(pause);
  }
  throw new GatehouseError("internal", "the local agent was started, and does not answer", { hint: `its log says why: ${place.log}; or run it here: tsh agent run` });
}
