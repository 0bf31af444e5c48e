import type { IncomingMessage, ServerResponse } from "node:http";
import type { Server as HttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Logger } from "../../base/index.ts";
import type { ErrorAnswer } from "../../relay/index.ts";

/** Key and certificates of one TLS server. All PEM. */
export interface TlsMaterial {
  readonly key: string;
  /** Leaf first, then its chain. */
  readonly cert: string;
  /** Authorities whose client certificates are asked for; without them no client certificate is asked for. A certificate of another authority does not fail the handshake: the request handler decides. */
  readonly clientAuthorities?: readonly string[] | undefined;
}

/** Where to listen. Port 0 chooses a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Limits of one purpose server. Times in ms, sizes in bytes; 0 means none for times. */
export interface ServerLimits {
  /** Request line and headers. Over it: 431. */
  readonly headerSize: number;
  /** Number of headers. Over it: 431. */
  readonly headers: number;
  /** From the first byte of a request to the end of its headers. Over it: 408. */
  readonly headersTimeout: number;
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeout: number;
  /** Idle connections are closed after this. */
  readonly keepAliveTimeout: number;
  /** From accept to the end of the TLS handshake. */
  readonly handshakeTimeout: number;
  /** Connections that have not finished their handshake; at the bound the oldest is closed. */
  readonly handshakes: number;
  /** Open connections, upgraded ones included; at the bound new ones are closed. */
  readonly connections: number;
}

/** An answer to a request that could not be parsed (400, 408, 431), so that each purpose can speak its own error format. */
export interface PurposeServerOptions {
  /** Name in logs; also separates TLS sessions of one purpose from those of another. At most 32 characters. */
  readonly name: string;
  readonly tls: TlsMaterial;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  /** Requests that ask for an upgrade. Without it they are answered as ordinary requests. `head` is what came after the headers. */
  readonly onUpgrade?: ((request: IncomingMessage, socket: TLSSocket, head: Buffer) => void) | undefined;
  /** Called once per connection after the handshake. */
  readonly onConnection?: ((socket: TLSSocket) => void) | undefined;
  readonly errorAnswer?: ((status: number, message: string) => ErrorAnswer) | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  readonly logger: Logger;
}

/** One TLS server for one purpose (web, kube, admin): its own certificate, its own ticket keys, HTTP/1.1 alone, TLS 1.2 or later. */
export interface PurposeServer {
  readonly name: string;
  /** The HTTP server inside. It never listens itself; `request` and `upgrade` are taken. For Fastify: `onRequest: (request, response) => app.routing(request, response)`. */
  readonly http: HttpsServer;
  /** Open connections, upgraded ones included. */
  readonly connections: number;
  /** Takes a TCP connection over; bytes already read must have been unshifted. */
  accept(socket: Socket): void;
  /** Listens on an address of its own. Throws `bad_parameter` or `unavailable` with the address and the cause. */
  listen(address: ListenAddress): Promise<AddressInfo>;
  /** New connections get this certificate from now on. Throws what `tls.createSecureContext` throws. */
  setTls(tls: TlsMaterial): void;
  /** Stops listening and accepting, lets requests finish for at most `drainMs`, then closes what is left. */
  close(options: { readonly drainMs: number }): Promise<void>;
}

/** What the front listener knows of a connection when it chooses. */
export interface ConnectionHello {
  /** SNI, as sent. */
  readonly serverName: string | undefined;
  readonly alpn: readonly string[];
  /** `ip:port` of the peer. */
  readonly remoteAddress: string;
}

/** Limits of the front listener. */
export interface FrontLimits {
  /** Bytes of ClientHello. */
  readonly helloSize: number;
  /** From accept to a whole ClientHello, ms. */
  readonly helloTimeout: number;
  /** Connections without a whole ClientHello; at the bound the oldest is closed. */
  readonly halfOpen: number;
}

export interface FrontListenerOptions {
  readonly name: string;
  /** The server for this connection; undefined refuses it with the TLS alert `unrecognized_name`. */
  readonly route: (hello: ConnectionHello) => PurposeServer | undefined;
  /** Takes connections that begin as SSH does; without it they are refused as what is no TLS. What was read is unshifted. */
  readonly ssh?: ((socket: Socket) => void) | undefined;
  readonly logger: Logger;
  readonly limits?: Partial<FrontLimits> | undefined;
}

/** Listens on one port and hands each connection to the purpose server that its ClientHello asks for, or to the SSH proxy where it begins as SSH. */
export interface FrontListener {
  /** Connections without a whole ClientHello. */
  readonly halfOpen: number;
  listen(address: ListenAddress): Promise<AddressInfo>;
  /** Stops listening and drops half-open connections; those handed on belong to their purpose servers. */
  close(): void;
}
