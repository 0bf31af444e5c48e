import { createServer } from "node:net";
import type { Socket } from "node:net";
import { errorMessage } from "../../base/index.ts";
import { parseClientHello } from "../../formats/index.ts";
import { defaultFrontLimits } from "./defaults.ts";
import { listenOn, peerOf } from "./listen.ts";
import type { FrontLimits, FrontListener, FrontListenerOptions } from "./types.ts";

/** Fatal alert `unrecognized_name` (RFC 8446 §6): no server here has the name that was asked for. */
const unrecognizedName = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70]);
/** How every SSH client begins (RFC 4253 §4.2). */
const sshBegin = Buffer.from("SSH-");
const plainHttp = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT) /;
const plainHttpAnswer = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\nThis port speaks TLS: use https://\n";

/** A {@link FrontListener}. */
export function createFrontListener(options: FrontListenerOptions): FrontListener {
  const { name, logger } = options;
  const limits: FrontLimits = { ...defaultFrontLimits, ...options.limits };
  /** Oldest first. */
  const halfOpen = new Set<Socket>();

  const refuse = (socket: Socket, why: string, answer?: string | Buffer): void => {
    logger.debug({ listener: name, remote: peerOf(socket), why }, "connection refused");
    if (answer === undefined) {
      socket.destroy();
      return;
    }
    // Whoever has left meanwhile resets the connection under the answer.
    socket.on("error", () => socket.destroy());
    socket.end(answer, () => socket.destroy());
  };

  const hand = (socket: Socket, first: Buffer, hello: { readonly serverName?: string | undefined; readonly alpn: readonly string[] }): void => {
    const server = options.route({ serverName: hello.serverName, alpn: hello.alpn, remoteAddress: peerOf(socket) });
    if (server === undefined) {
      refuse(socket, "no server has that name", unrecognizedName);
      return;
    }
    socket.unshift(first);
    server.accept(socket);
  };

  const accept = (socket: Socket): void => {
    if (halfOpen.size >= limits.halfOpen) evictOldest(halfOpen);
    halfOpen.add(socket);
    const timer = setTimeout(() => refuse(socket, "no ClientHello in time"), limits.helloTimeout);
    let first: Buffer = Buffer.alloc(0);

    const failed = (error: Error): void => refuse(socket, errorMessage(error));
    const settle = (): void => {
      clearTimeout(timer);
      halfOpen.delete(socket);
      socket.off("data", read).off("close", settle).off("end", ended);
    };
    const ended = (): void => {
      settle();
      refuse(socket, "ended before its ClientHello");
    };
    const read = (chunk: Buffer): void => {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      if (options.ssh !== undefined && sshBegin.subarray(0, first.length).equals(first.subarray(0, sshBegin.length))) {
        if (first.length < sshBegin.length) return;
        settle();
        socket.pause();
        socket.off("error", failed);
        socket.unshift(first);
        options.ssh(socket);
        return;
      }
      const parsed = parseClientHello(first);
      if (parsed.state === "incomplete" && first.length <= limits.helloSize) return;
      settle();
      socket.pause();
      if (parsed.state === "hello") {
        socket.off("error", failed);
        hand(socket, first, parsed);
      } else if (plainHttp.test(first.toString("latin1", 0, 8))) refuse(socket, "plain HTTP", plainHttpAnswer);
      else refuse(socket, parsed.state === "incomplete" ? "ClientHello is too large" : parsed.reason);
    };
    socket.on("error", failed).on("data", read).on("end", ended).on("close", settle);
  };

  const server = createServer({ noDelay: true }, accept);
  return {
    get halfOpen() {
      return halfOpen.size;
    },
    async listen(address) {
      const actual = await listenOn(server, name, address);
      server.on("error", (error) => logger.error({ listener: name, error: errorMessage(error) }, "listener failed"));
      return actual;
    },
    close() {
      // The port is free at once; the callback would wait for connections that belong to purpose servers now.
      server.close();
      for (const socket of halfOpen) socket.destroy();
    },
  };
}

function evictOldest(sockets: Set<Socket>): void {
  for (const socket of sockets) {
    sockets.delete(socket);
    socket.destroy();
    return;
  }
}
