import { createServer } from "node:http";
import { connect } from "node:net";
import type { AddressInfo, Socket } from "node:net";

/** An HTTP proxy that knows CONNECT alone, as between an office and the world. */
export interface ConnectProxy {
  readonly url: string;
  /** `host:port` of every CONNECT. */
  readonly connected: readonly string[];
  close(): void;
}

/** Starts a proxy on loopback that connects to loopback alone. */
export async function startConnectProxy(): Promise<ConnectProxy> {
  const connected: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("connect", (request, client: Socket, head) => {
    const target = request.url ?? "";
    connected.push(target);
    const onward = connect(Number(target.slice(target.lastIndexOf(":") + 1)), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      client.pipe(onward).pipe(client);
    });
    client.on("error", () => onward.destroy());
    client.on("close", () => onward.destroy());
    onward.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    connected,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
