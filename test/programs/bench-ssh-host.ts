import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { encodeSshMessage, parseSshMessage } from "@gatehouse/core/formats";
import { serveTransport } from "@gatehouse/core/ssh";

/** A host of the bench that costs next to nothing: lets everybody in, opens every channel and grants every request; then nothing happens. */
const { key, certificate } = JSON.parse(process.argv[2] ?? "{}") as { readonly key: string; readonly certificate: string };
const hostKeys = [{ privateKey: createPrivateKey(key), certificate }];

async function serve(socket: Socket): Promise<void> {
  const transport = await serveTransport({ socket, hostKeys, authenticate: () => ({ accept: true }) });
  transport.start({
    onPayload: (payload) => {
      const message = parseSshMessage(payload);
      if (message.type === "channel_open") {
        transport.send(encodeSshMessage({ type: "channel_open_confirmation", channel: message.sender, sender: message.sender, window: 2 ** 21, maxPacket: 32_768, data: Buffer.alloc(0) }));
      } else if (message.type === "channel_request" && message.wantReply) {
        transport.send(encodeSshMessage({ type: "channel_success", channel: message.channel }));
      } else if (message.type === "global_request" && message.wantReply) {
        transport.send(encodeSshMessage({ type: "request_failure" }));
      }
    },
    onEnd: () => undefined,
  });
}

const server = createServer({ noDelay: true }, (socket) => {
  // The bench ends connections as it likes.
  serve(socket).catch(() => socket.destroy());
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.send?.({ port: (server.address() as AddressInfo).port });
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => process.exit(0));
