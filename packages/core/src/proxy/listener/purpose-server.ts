import { randomBytes } from "node:crypto";
import type { ServerOptions } from "node:https";
import { createServer as createHttpsServer } from "node:https";
import type { Server as NetServer, Socket } from "node:net";
import { createServer as createNetServer } from "node:net";
import { TLSSocket } from "node:tls";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { answerRaw, answerUnacceptable, answerUnreadable, unacceptable } from "../../relay/index.ts";
import { defaultServerLimits } from "./defaults.ts";
import { listenOn, peerOf } from "./listen.ts";
import type { PurposeServer, PurposeServerOptions, ServerLimits, TlsMaterial } from "./types.ts";

const ticketKeysLength = 48;
const drainStep = 50;

/** A {@link PurposeServer}. Throws `bad_parameter` for key or certificates that TLS cannot use. */
export function createPurposeServer(options: PurposeServerOptions): PurposeServer {
  const { name, logger } = options;
  const limits: ServerLimits = { ...defaultServerLimits, ...options.limits };
  const http = usable(name, () => createHttpsServer(serverOptions(options, limits)));
  // Node starts to watch over headersTimeout when a server listens; this one is handed its connections and never does.
  http.emit("listening");

  const ports = new Set<NetServer>();
  /** TCP connections in their handshake, oldest first, by the addresses of their ends. */
  const handshaking = new Map<string, Socket>();
  const open = new Set<TLSSocket>();
  /** Open connections that have not asked for anything yet: Node does not count these as idle. */
  const unused = new Set<Socket>();
  let closing = false;

  const accept = (socket: Socket): void => {
    if (closing || open.size + handshaking.size >= limits.connections) {
      if (!closing) logger.warn({ server: name, remote: peerOf(socket), connections: open.size }, "connection refused: too many are open");
      socket.destroy();
      return;
    }
    if (handshaking.size >= limits.handshakes) evictOldest(handshaking);
    const key = connectionKey(socket);
    handshaking.set(key, socket);
    socket.once("close", () => {
      if (handshaking.get(key) === socket) handshaking.delete(key);
    });
    http.emit("connection", socket);
  };

  http.on("secureConnection", (socket) => {
    handshaking.delete(connectionKey(socket));
    open.add(socket);
    unused.add(socket);
    socket.once("close", () => {
      open.delete(socket);
      unused.delete(socket);
    });
    options.onConnection?.(socket);
  });
  http.on("tlsClientError", (error, socket) => {
    logger.debug({ server: name, remote: peerOf(socket), error: errorMessage(error) }, "TLS handshake failed");
    socket.destroy();
  });
  http.on("clientError", (error, socket) => {
    if (socket instanceof TLSSocket && open.has(socket)) answerUnreadable(error, socket, options.errorAnswer);
    else socket.destroy();
  });
  // One more than is taken, so that surplus is seen and not silently dropped.
  http.maxHeadersCount = limits.headers + 1;
  http.on("request", (request, response) => {
    unused.delete(request.socket);
    const refused = unacceptable(request, limits.headers);
    if (refused !== undefined) {
      answerUnacceptable(response, refused, options.errorAnswer);
      return;
    }
    options.onRequest(request, response);
  });
  const { onUpgrade } = options;
  if (onUpgrade !== undefined) {
    http.on("upgrade", (request, socket, head: Buffer) => {
      // Node takes its own listener off an upgraded socket; without one a reset would end the process.
      unused.delete(request.socket);
      socket.on("error", (error) => logger.debug({ server: name, error: errorMessage(error) }, "upgraded connection failed"));
      const refused = unacceptable(request, limits.headers);
      if (!(socket instanceof TLSSocket)) socket.destroy();
      else if (refused !== undefined) answerRaw(socket, refused, options.errorAnswer);
      else onUpgrade(request, socket, head);
    });
  }

  return {
    name,
    http,
    get connections() {
      return open.size + handshaking.size;
    },
    accept,
    async listen(address) {
      const port = createNetServer({ noDelay: true }, accept);
      const actual = await listenOn(port, name, address);
      port.on("error", (error) => logger.error({ server: name, error: errorMessage(error) }, "listener failed"));
      ports.add(port);
      return actual;
    },
    setTls(tls) {
      usable(name, () => http.setSecureContext(contextOptions(name, tls)));
    },
    async close({ drainMs }) {
      closing = true;
      for (const port of ports) port.close();
      ports.clear();
      for (const socket of [...handshaking.values(), ...unused]) socket.destroy();
      for (const end = performance.now() + drainMs; open.size > 0 && performance.now() < end; ) {
        http.closeIdleConnections();
        await new Promise((resolve) => setTimeout(resolve, Math.min(drainStep, drainMs)));
      }
      for (const socket of open) socket.destroy();
      http.close();
    },
  };
}

function serverOptions(options: PurposeServerOptions, limits: ServerLimits): ServerOptions {
  return {
    ...contextOptions(options.name, options.tls),
    requestCert: options.tls.clientAuthorities !== undefined,
    // Whether a certificate is good is told in an HTTP answer with its cause, not by a broken handshake.
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: limits.handshakeTimeout,
    maxHeaderSize: limits.headerSize,
    // Missing ones are answered in the words of this purpose.
    requireHostHeader: false,
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: Math.max(50, Math.min(5000, limits.headersTimeout / 2)),
  };
}

/** Sessions of one purpose must not open another, nor outlive a change of certificates: own session context, new ticket keys each time. */
function contextOptions(name: string, tls: TlsMaterial): ServerOptions {
  return {
    key: tls.key,
    cert: tls.cert,
    ...(tls.clientAuthorities === undefined ? {} : { ca: [...tls.clientAuthorities] }),
    minVersion: "TLSv1.2",
    ticketKeys: randomBytes(ticketKeysLength),
    sessionIdContext: name,
    honorCipherOrder: true,
  };
}

function usable<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw new GatehouseError("bad_parameter", `TLS of ${name} cannot be set up: ${errorMessage(error)}`, {
      hint: "check that the private key belongs to the first certificate and that both are PEM",
      cause: error,
    });
  }
}

/** Both the TCP socket and the TLS socket over it have this key. */
function connectionKey(socket: Pick<Socket, "remoteAddress" | "remotePort" | "localAddress" | "localPort">): string {
  return `${peerOf(socket)} ${socket.localAddress ?? ""} ${String(socket.localPort ?? 0)}`;
}


function evictOldest(sockets: Map<string, Socket>): void {
  for (const [key, socket] of sockets) {
    sockets.delete(key);
    socket.destroy();
    return;
  }
}
