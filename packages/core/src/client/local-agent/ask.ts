import { connect, type Socket } from "node:net";
import { GatehouseError, systemErrorCode } from "../../base/index.ts";
import { checkAgentSocket, type AgentPlace } from "./place.ts";
import { agentLimits, formatAgentRequest, parseAgentAnswer, type AgentVerb, type AgentVerbs } from "./protocol.ts";

/** Nobody listens there, or whoever did is gone. */
const gone = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/** The first line that comes; undefined where the other side ends before. */
function readLine(socket: Socket, time: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new GatehouseError("internal", `the local agent did not answer within ${time / 1000} s`, { hint: "restart it: tsh agent stop" }));
    }, time);
    socket.on("data", (chunk: Buffer) => {
      const end = chunk.indexOf(0x0a);
      pieces.push(end < 0 ? chunk : chunk.subarray(0, end));
      size += chunk.length;
      if (end >= 0) resolve(Buffer.concat(pieces).toString("utf8"));
      else if (size > agentLimits.answer) reject(new GatehouseError("limit_exceeded", "the local agent's answer is too long"));
      else return;
      socket.destroy();
    });
    socket.once("error", (error) => (gone.has(systemErrorCode(error) ?? "") ? resolve(undefined) : reject(new GatehouseError("internal", `cannot speak with the local agent: ${error.message}`, { cause: error }))));
    socket.once("close", () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}

/**
 * Asks this person's agent one thing, in one round trip. Undefined where none runs, or one of another version of the protocol. `time` in ms.
 * Throws the agent's refusal, `access_denied` where the socket is not this person's alone, `internal` where it does not answer in time.
 */
export async function askAgent<V extends AgentVerb>(place: Pick<AgentPlace, "directory" | "control">, verb: V, request: AgentVerbs[V]["request"], time: number = agentLimits.answerTime): Promise<AgentVerbs[V]["answer"] | undefined> {
  if (!(await checkAgentSocket(place.directory, place.control))) return undefined;
  const socket = connect(place.control);
  // Waits for the connection by itself.
  socket.write(formatAgentRequest(verb, request));
  const line = await readLine(socket, time);
  return line === undefined ? undefined : (parseAgentAnswer(line) as AgentVerbs[V]["answer"] | undefined);
}
