import { createServer } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { stringify } from "yaml";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import type { Pair } from "../stand-ins/certificates.ts";

/** A request as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly target: string;
  /** Raw pairs: names in lower case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly trailers: readonly string[];
}

/** An API server that lets everything happen and remembers what arrived. */
export interface RecordingUpstream {
  readonly url: string;
  readonly ca: string;
  /** The gateway's certificate towards it. */
  readonly client: Pair;
  readonly arrived: Arrived[];
  /** A kubeconfig with the gateway's credentials, for `kubeconfig_file`. */
  kubeconfig(): string;
  /** Groups that the next request has for this path, which `request` sends, sorted. */
  groupsSent(target: string, request: () => Promise<void>): Promise<readonly string[]>;
  close(): void;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startRecordingUpstream(): Promise<RecordingUpstream> {
  const authority = createTestAuthority("recording");
  const { key, cert } = authority.server(["localhost"], ["127.0.0.1"]);
  const arrived: Arrived[] = [];
  const sockets = new Set<Socket>();
  const record = (request: IncomingMessage): void => {
    const headers: [string, string][] = [];
    for (let index = 0; index < request.rawHeaders.length; index += 2) headers.push([(request.rawHeaders[index] ?? "").toLowerCase(), request.rawHeaders[index + 1] ?? ""]);
    // What the gateway asks for itself.
    if (request.url === "/version" && request.headers["impersonate-user"] === undefined) return;
    arrived.push({ method: request.method ?? "", target: request.url ?? "", headers, trailers: request.rawTrailers });
  };
  const server = createServer({ key, cert, ca: authority.cert, requestCert: true, rejectUnauthorized: true, maxHeaderSize: 1024 * 1024 }, (request, response) => {
    request.resume();
    request.on("end", () => {
      record(request);
      response.setHeader("content-type", "application/json").end('{"kind":"List"}\n');
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
    record(request);
    const protocol = request.headers["sec-websocket-protocol"];
    socket.on("error", () => undefined);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade ?? ""}\r\n` +
        `${protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`}\r\n`,
    );
    // The client ends it: a stream that is over before it is written down is none.
    socket.on("end", () => socket.end()).resume();
  });
  server.on("secureConnection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const client = authority.client("gateway");
  const b64 = (text: string): string => Buffer.from(text).toString("base64");
  return {
    url,
    ca: authority.cert,
    client,
    arrived,
    kubeconfig: () =>
      stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "recorded",
        clusters: [{ name: "recorded", cluster: { server: url, "certificate-authority-data": b64(authority.cert) } }],
        users: [{ name: "gateway", user: { "client-certificate-data": b64(client.cert), "client-key-data": b64(client.key) } }],
        contexts: [{ name: "recorded", context: { cluster: "recorded", user: "gateway" } }],
      }),
    async groupsSent(target, request) {
      const before = arrived.length;
      await request();
      const seen = arrived.slice(before).find((each) => each.target === target);
      return (seen?.headers ?? []).filter(([name]) => name === "impersonate-group").map(([, value]) => value).sort();
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
