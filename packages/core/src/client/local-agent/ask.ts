import { connect } from "node:net";
import { proveBoth } from "./pipe-proof.ts";
import { checkAgentSocket, type AgentPlace } from "./place.ts";
import { agentLimits, formatAgentRequest, parseAgentAnswer, type AgentVerb, type AgentVerbs } from "./protocol.ts";
import { readLine } from "./read-line.ts";

/**
 * Asks this person's agent one thing, in one round trip. Undefined where none runs, or one of another version of the protocol. `time` in ms.
 * Throws the agent's refusal, `access_denied` where the socket is not this person's alone, `internal` where it does not answer in time.
 */
export async function askAgent<V extends AgentVerb>(place: Pick<AgentPlace, "directory" | "control"> & Partial<Pick<AgentPlace, "secret">>, verb: V, request: AgentVerbs[V]["request"], time: number = agentLimits.answerTime): Promise<AgentVerbs[V]["answer"] | undefined> {
  const { directory, control, secret } = place;
  if (!(await checkAgentSocket(directory, control))) return undefined;
  const socket = connect(control);
  // Told by whoever waits for a line; one that comes between two is told by the next.
  socket.on("error", () => undefined);
  try {
    if (secret !== undefined && !(await proveBoth(socket, { control, secret }, time))) return undefined;
    // Waits for the connection by itself.
    socket.write(formatAgentRequest(verb, request));
    const line = await readLine(socket, time);
    return line === undefined ? undefined : (parseAgentAnswer(line) as AgentVerbs[V]["answer"] | undefined);
  } finally {
    socket.destroy();
  }
}
