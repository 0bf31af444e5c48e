import { createServer, connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { once } from "node:events";

/** A TCP relay that delivers everything late. */
export interface DelayRelay {
  readonly port: number;
  close(): void;
}

/** What may be under way in one direction of one connection, bytes. */
const window = 8 * 1024 * 1024;

/** Starts a relay to a host; each piece arrives `ms` after it was sent, either way. */
export async function startDelayRelay(host: string, port: number, ms: number): Promise<DelayRelay> {
  const sockets = new Set<Socket>();
  const pass = (from: Socket, to: Socket): void => {
    let underWay = 0;
    from.on("data", (piece: Buffer) => {
      underWay += piece.length;
      if (underWay > window) from.pause();
      setTimeout(() => {
        underWay -= piece.length;
        if (to.destroyed) return;
        if (to.write(piece) && underWay <= window) from.resume();
      }, ms);
    });
    to.on("drain", () => underWay <= window && from.resume());
    from.on("end", () => setTimeout(() => to.end(), ms));
    from.on("error", () => to.destroy());
    from.on("close", () => setTimeout(() => to.destroy(), 2 * ms));
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port, allowHalfOpen: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.once("close", () => sockets.delete(socket));
    }
    pass(client, upstream);
    pass(upstream, client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
