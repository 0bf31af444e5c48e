import { createServer, type Socket } from "node:net";
import { GatehouseError, errorMessage, type Random } from "@gatehouse/core/base";
import { agentLimits, formatAgentRefusal, type AgentVerb, type AgentVerbs } from "@gatehouse/core/client/local-agent";
import { takeOverPath } from "../take-over.ts";
import { answerLine } from "./answer.ts";
import { readLines } from "./lines.ts";
import { proveToCommand } from "./prove.ts";

/** Who answers each verb. What one throws is its refusal. */
export type ControlHandlers = { readonly [V in AgentVerb]: (request: AgentVerbs[V]["request"]) => AgentVerbs[V]["answer"] | Promise<AgentVerbs[V]["answer"]> };

/** How the socket is served. */
export interface ControlOptions {
  /** Path of the socket, in a directory of this person's alone; on Windows the name of a pipe. */
  readonly path: string;
  /** On Windows: what clients have to prove that they know. */
  readonly secret?: string | undefined;
  readonly handlers: ControlHandlers;
  readonly random: Random;
  readonly log: (text: string) => void;
  /** Told at every request. */
  readonly onRequest?: () => void;
  /** Connections at once; more are refused. */
  readonly clients?: number;
  /** ms that a client may take for the rest of a line, and for the next one. */
  readonly lineTime?: number;
}

/** The socket, served. */
export interface ControlServer {
  readonly clients: number;
  /** Takes the socket away: nobody new comes. Those who are connected stay until {@link close}. */
  leave(): Promise<void>;
  /** After {@link leave}: lets answers under way go out, then ends every connection. */
  close(): Promise<void>;
}

/** ms that a client has to take the last answer. */
const goodbye = 1000;

/** Whoever does not take the answer within `time` ms is gone. */
async function send(socket: Socket, line: string, time: number): Promise<void> {
  if (socket.write(line)) return;
  const timer = setTimeout(() => socket.destroy(), time);
  await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
  clearTimeout(timer);
}

/** Says goodbye, and waits for nobody who does not listen. */
function end(socket: Socket, line?: string): void {
  const timer = setTimeout(() => socket.destroy(), goodbye);
  socket.once("close", () => clearTimeout(timer)).end(line ?? "", () => socket.destroy());
}

/** Serves the agent's socket until it is closed. Throws what `takeOverPath` does. */
export async function serveControl(options: ControlOptions): Promise<ControlServer> {
  const { path, secret, handlers, log, onRequest, clients: most = agentLimits.clients, lineTime = 10_000 } = options;
  const clients = new Set<Socket>();
  const asking = new Set<Socket>();
  let closing = false;

  async function converse(socket: Socket): Promise<void> {
    const lines = readLines(socket, { limit: agentLimits.request, time: lineTime });
    if (secret !== undefined) await proveToCommand(lines, socket, secret);
    for await (const line of lines) {
      onRequest?.();
      asking.add(socket);
      await send(socket, await answerLine(line, handlers, log), lineTime);
      asking.delete(socket);
      if (closing) return;
    }
  }

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // Its end shows in what is read from it and written to it.
    socket.on("error", () => undefined);
    if (clients.size >= most) {
      end(socket, formatAgentRefusal(new GatehouseError("limit_exceeded", `the local agent has ${most} clients already`)));
      return;
    }
    clients.add(socket);
    socket.once("close", () => {
      clients.delete(socket);
      asking.delete(socket);
    });
    converse(socket).then(
      () => end(socket),
      (error: unknown) => (error instanceof GatehouseError && !socket.destroyed ? end(socket, formatAgentRefusal(error)) : socket.destroy()),
    );
  });
  const owned = await takeOverPath(server, path, options.random);
  server.on("error", (error) => log(`the socket failed: ${errorMessage(error)}`));

  return {
    get clients() {
      return clients.size;
    },
    async leave() {
      await owned.release();
      server.close();
    },
    async close() {
      const gone = [...clients].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      closing = true;
      for (const socket of clients) if (!asking.has(socket)) end(socket);
      const timer = setTimeout(() => {
        for (const socket of clients) socket.destroy();
      }, goodbye);
      await Promise.all(gone);
      clearTimeout(timer);
    },
  };
}
