import type { Socket } from "node:net";
import { GatehouseError, systemErrorCode } from "../../base/index.ts";
import { agentLimits } from "./protocol.ts";

/** Nobody listens there, or whoever did is gone. */
const gone = new Set(["ENOENT", "ECONNREFUSED", "ECONNRESET", "EPIPE"]);

/** The next line that the agent sends, after which it waits; undefined where it ends before. `time` in ms. Throws `internal`, `limit_exceeded`. */
export function readLine(socket: Socket, time: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      socket.off("data", take).off("error", fail).off("close", closed);
      act();
    };
    const take = (chunk: Buffer): void => {
      const end = chunk.indexOf(0x0a);
      pieces.push(end < 0 ? chunk : chunk.subarray(0, end));
      size += chunk.length;
      if (end >= 0) settle(() => resolve(Buffer.concat(pieces).toString("utf8")));
      else if (size > agentLimits.answer) settle(() => reject(new GatehouseError("limit_exceeded", "the local agent's answer is too long")));
    };
    const fail = (error: Error): void =>
      settle(() => (gone.has(systemErrorCode(error) ?? "") ? resolve(undefined) : reject(new GatehouseError("internal", `cannot speak with the local agent: ${error.message}`, { cause: error }))));
    const closed = (): void => settle(() => resolve(undefined));
    let timer: NodeJS.Timeout | undefined;
    const arm = (): void => {
      timer = setTimeout(() => {
        settle(() => reject(new GatehouseError("internal", `the local agent did not answer within ${time / 1000} s`, { hint: "restart it: tsh agent stop" })));
      }, time);
    };
    // A Unix socket is connected at once or never: the first timer of a process is made while the agent is at work.
    if (socket.connecting && process.platform !== "win32") socket.once("connect", arm);
    else arm();
    socket.on("data", take).on("error", fail).on("close", closed);
  });
}
