import { connect } from "node:net";
import { GatehouseError, systemErrorCode } from "@gatehouse/core/base";
import { askAgent, checkAgentSocket, type AgentIdentityAnswer, type AgentPlace } from "@gatehouse/core/client/local-agent";

/** ms that an agent which is told to go takes, at most. */
const goingTime = 10_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Whether somebody listens at a socket that is there. */
function listens(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      const code = systemErrorCode(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      else reject(new GatehouseError("internal", `cannot speak with the local agent at ${path}: ${error.message}`, { cause: error }));
    });
  });
}

/**
 * Makes room for an agent of this build: takes over from one of another, with all that it held in memory. Resolves with the state that is to be restored, undefined where there
 * is none, or nobody listens at a socket that a crash left. Call it with the place's lock. Throws `already_exists` where an agent of this build runs,
 * `access_denied` where the place is not this person's alone, `unavailable` where somebody waits for a login that the other makes, `internal` where the one that is there does not go.
 */
export async function makeRoom(place: AgentPlace, build: string, log: (text: string) => void): Promise<string | undefined> {
  if (!(await checkAgentSocket(place.directory, place.control)) || !(await listens(place.control))) return undefined;
  const running: AgentIdentityAnswer | undefined = await askAgent(place, "hello", {});
  if (running?.build === build) throw new GatehouseError("already_exists", `the local agent runs already (process ${running.pid})`, { hint: "tsh agent status shows it" });
  const handed = running && (await askAgent(place, "handover", {}));
  log(running ? `takes over from process ${running.pid}, version ${running.version}` : "takes the place of an agent that speaks another protocol");
  // It may not know what was asked. All versions know this.
  if (!handed) await askAgent(place, "stop", {});
  const deadline = performance.now() + goingTime;
  while (await listens(place.control)) {
    if (performance.now() > deadline) throw new GatehouseError("internal", "the local agent that runs does not make room", { hint: "end it: tsh agent stop" });
    await sleep(50);
  }
  return handed?.state;
}
