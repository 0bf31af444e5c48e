import { join } from "node:path";
import { GatehouseError, systemErrorCode } from "@gatehouse/core/base";
import { describeProcess, isOwnAndRuns, parseProcess, readFileLimited, writeFileAtomic, type KnownProcess } from "@gatehouse/core/client/lean";
import { agentLimits, askAgent, type AgentPlace } from "@gatehouse/core/client/local-agent";

/** Names the process of an agent that may be past answering. It stays when the agent ends: it is of no use without that process. */
const recordOf = (place: AgentPlace): string => join(place.directory, "agent.pid");
const maxRecord = 1024;

/** Notes which process the agent is. Call it with the place's lock. */
export async function recordAgent(place: AgentPlace): Promise<void> {
  await writeFileAtomic(recordOf(place), await describeProcess(process.pid), 0o600);
}

/** How long an agent is waited for, ms: its answer, and its end after SIGTERM and after SIGKILL. */
export interface StopTimes {
  readonly answer: number;
  readonly end: number;
}

/** How an agent is ended. */
export interface StopOptions {
  /** Also one that is locked. */
  readonly force: boolean;
  readonly times?: StopTimes;
}

const usualTimes: StopTimes = { answer: agentLimits.answerTime, end: 2000 };

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether it has ended within the time. */
async function endsIn(agent: KnownProcess, time: number): Promise<boolean> {
  const deadline = performance.now() + time;
  while (await isOwnAndRuns(agent)) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Ends the process that the record names, where it is certain that it is the one that wrote it. False where that is not certain, or it does not end. */
async function endByForce(place: AgentPlace, time: number): Promise<boolean> {
  const text = await readFileLimited(recordOf(place), { limit: maxRecord });
  const agent = text === undefined ? undefined : parseProcess(text);
  if (!agent || !(await isOwnAndRuns(agent))) return false;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    try {
      process.kill(agent.pid, signal);
    } catch (error) {
      if (systemErrorCode(error) === "ESRCH") return true;
      throw error;
    }
    if (await endsIn(agent, time)) return true;
  }
  return false;
}

/**
 * Ends the agent: told to, and where it does not answer, its process. `none`: none ran; `unlocked`: it was locked, and nothing is any more. Throws `unauthenticated` where it is locked and
 * that is not to be given up, `access_denied` where the place is not this person's alone, `internal` where it does not answer and it is not certain which process it is.
 */
export async function stopAgent(place: AgentPlace, { force, times = usualTimes }: StopOptions): Promise<"none" | "ended" | "unlocked" | "forced"> {
  try {
    const isLocked = (await askAgent(place, "hello", {}, times.answer))?.locked === true;
    if (isLocked && !force) {
      throw new GatehouseError("unauthenticated", "the local agent is locked, and its lock would end with it: logins in a keychain or file could be used again without the passphrase", {
        hint: "unlock it first: tsh agent unlock; to end it all the same: tsh agent stop --force",
      });
    }
    if ((await askAgent(place, "stop", {}, times.answer)) === undefined) return "none";
    return isLocked ? "unlocked" : "ended";
  } catch (error) {
    if (!(error instanceof GatehouseError) || error.code !== "internal") throw error;
    if (await endByForce(place, times.end)) return "forced";
    throw new GatehouseError("internal", error.message, { hint: "find the process and end it: ps -C 'tsh agent' -o pid,lstart", cause: error });
  }
}
