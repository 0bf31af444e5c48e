import { passUnmasked } from "./stream-sink.ts";
import { endText } from "./stream-tap.ts";
import type { StreamEnd } from "./stream-tap.ts";
import type { Translation, Turn } from "./translation.ts";
import { webSocketClose, webSocketFrame, webSocketOpcode } from "./websocket-frames.ts";
import { WebSocketServer, closeCode, webSocketPing } from "./websocket-server.ts";

const empty = Buffer.alloc(0);

/**
 * {@link Translation} of kubectl's port-forward tunnel (`SPDY/3.1+portforward.k8s.io`): the client speaks SPDY itself, in binary messages that are
 * cut anywhere.
 */
export function createTunnelTranslation(): Translation {
  let done = false;
  let toServer: Buffer[] = [];
  const webSocket = new WebSocketServer({
    data(chunk, start, end, mask, maskIndex) {
      passUnmasked(chunk, start, end, mask, maskIndex, (bytes) => void toServer.push(Buffer.from(bytes)));
    },
    messageEnd: () => undefined,
  });
  const end = (code: number, reason: string): Turn => {
    if (done) return silence;
    done = true;
    return { ...silence, toClient: webSocketClose(code, reason) };
  };
  return {
    ready: true,
    get done() {
      return done;
    },
    open: () => silence,
    fromClient(chunk) {
      if (done) return silence;
      const { pong, close } = webSocket.feed(chunk);
      if (close !== undefined) done = true;
      const turn = { toClient: close ?? empty, toServer: Buffer.concat(toServer), pong: close === undefined ? pong : undefined };
      toServer = [];
      return turn;
    },
    fromServer: (chunk) => (done ? silence : { ...silence, toClient: webSocketFrame(webSocketOpcode.binary, Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)) }),
    serverEnded: (broken) => (broken ? end(closeCode.goingAway, "the API server broke off the connection") : end(closeCode.normal, "")),
    fail: (why: StreamEnd) => end(closeCode.policy, endText(why)),
    // Its own SPDY pings go through.
    keepAlive: () => (done ? silence : { ...silence, toClient: webSocketPing }),
  };
}

const silence: Turn = { toClient: empty, toServer: empty, pong: undefined };
