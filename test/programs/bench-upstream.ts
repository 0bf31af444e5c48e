import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** An API server that upgrades whatever asks for it and then says nothing, for streams that only lie there. */
const { key, cert, ca } = JSON.parse(process.argv[2] ?? "{}") as { key: string; cert: string; ca: string };
const body = "x".repeat(5 * 1024);
const server = createServer({ key, cert, ca, requestCert: true }, (_, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
});
server.on("upgrade", (_, socket: Socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  socket.resume();
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n");
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => process.exit(0));
