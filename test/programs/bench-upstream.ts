import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** An API server that upgrades whatever asks for it and then says nothing, for streams that only lie there; in a WebSocket it echoes keystrokes. */
const { key, cert, ca } = JSON.parse(process.argv[2] ?? "{}") as { key: string; cert: string; ca: string };
const body = "x".repeat(5 * 1024);
const server = createServer({ key, cert, ca, requestCert: true }, (_, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
});
/** A keystroke of a WebSocket client, masked with zeros, and its echo. */
const keystroke = 8;
const echo = Buffer.from([0x82, 2, 1, 0x78]);
server.on("upgrade", (request, socket: Socket) => {
  socket.on("error", () => socket.destroy());
  socket.on("end", () => socket.end());
  if (request.headers.upgrade?.toLowerCase() === "websocket") {
    let left = 0;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      for (left += bytes.length; left >= keystroke; left -= keystroke) socket.write(echo);
    });
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n");
    return;
  }
  socket.resume();
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n");
});
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => process.exit(0));
