import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { statusText } from "@gatehouse/core/formats";
import { answerUnreadable, refusalStatus, type ErrorAnswer } from "@gatehouse/core/relay";
import type { LocalAuthority, LocalPair } from "./credentials.ts";

/** What listens for this machine's tools, and who of them is let in. */
export interface LocalListener {
  readonly server: Server;
  /** When the right of this connection's client ends, ms since the epoch; undefined where it has none. */
  endOf(socket: Socket): number | undefined;
  /** Shows another certificate from now on. */
  renew(pair: LocalPair): void;
}

/** What a listener does with requests. */
export interface ListenerHandlers {
  readonly request: (request: IncomingMessage, response: ServerResponse) => void;
  readonly upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
}

/**
 * Header size: `kubectl exec` puts whole commands into the query, and one argument on Linux may have 128 KiB. Keep-alive outlasts client-go's 90 s, so that
 * the client is the one that hangs up. No limit on the time of a request: uploads and watches last.
 */
const http = (headerSize: number) => ({ maxHeaderSize: headerSize, requestTimeout: 0, headersTimeout: 10_000, keepAliveTimeout: 120_000, noDelay: true });
const maxConnections = 4096;

function errorAnswer(status: number, message: string): ErrorAnswer {
  return { contentType: "application/json", body: statusText(refusalStatus(status, message)) };
}

function prepare<S extends Server>(server: S, handlers: ListenerHandlers): S {
  // Node would drop the surplus in silence, and with it what the gateway has to see; their size is limited.
  server.maxHeadersCount = 0;
  server.maxConnections = maxConnections;
  server.on("request", handlers.request);
  server.on("upgrade", handlers.upgrade);
  server.on("clientError", (error, socket) => {
    if (socket instanceof Socket) answerUnreadable(error, socket, errorAnswer);
    else socket.destroy();
  });
  return server;
}

/** For a socket in a folder that one person can enter: whoever reaches it is that person. */
export function createSocketListener(handlers: ListenerHandlers, headerSize: number): LocalListener {
  return { server: prepare(createHttpServer(http(headerSize)), handlers), endOf: () => Infinity, renew: () => undefined };
}

/** For a port: nobody gets further than the handshake without a certificate of this authority. */
export function createPortListener(handlers: ListenerHandlers, authority: LocalAuthority, pair: LocalPair, headerSize: number): LocalListener {
  const secure = ({ key, certificate }: LocalPair) => ({ key, cert: certificate, ca: authority.certificate, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.2" as const, sessionIdContext: "kube-proxy" });
  const server = prepare(createHttpsServer({ ...secure(pair), ...http(headerSize), ALPNProtocols: ["http/1.1"], handshakeTimeout: 10_000 }), handlers);
  const ends = new WeakMap<Socket, number>();
  return {
    server,
    endOf(socket) {
      const known = ends.get(socket);
      if (known !== undefined) return known;
      const shown = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined;
      const end = shown && authority.endOf(shown.raw);
      if (end !== undefined) ends.set(socket, end);
      return end;
    },
    renew: (next) => server.setSecureContext(secure(next)),
  };
}
