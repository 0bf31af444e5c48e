import { createServer, type Server, type Socket } from "node:net";

/** Who speaks with an agent. */
export interface AgentClients {
  /** Not listening yet. */
  readonly server: Server;
  /** Connected now. */
  readonly count: number;
  /** Takes nobody any more and ends who is connected. */
  close(): void;
}

/** Takes at most `max` clients at once; those beyond are cut off. A dialogue that throws is one client's end, which its socket shows. */
export function agentClients(max: number, dialogue: (socket: Socket) => Promise<void>): AgentClients {
  const clients = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    if (clients.size >= max) {
      socket.destroy();
      return;
    }
    clients.add(socket);
    socket.once("close", () => clients.delete(socket));
    dialogue(socket).catch(() => socket.destroy());
  });
  return {
    server,
    get count() {
      return clients.size;
    },
    close() {
      server.close();
      for (const socket of clients) socket.destroy();
    },
  };
}
