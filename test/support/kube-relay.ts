import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ClientRequest, IncomingMessage } from "node:http";
import { createServer, request as httpsRequest } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StreamEnd, StreamTap } from "@gatehouse/core/formats";
import { createSpdyTap, createWebSocketTap } from "@gatehouse/core/formats";
import { parse } from "yaml";
import { z } from "zod";
import { createTestAuthority } from "../stand-ins/certificates.ts";

/** One upgraded connection through the relay. */
export interface RelayedStream {
  readonly path: string;
  readonly protocol: string;
  readonly tap: StreamTap;
  /** Ends it as a gateway would: the reason at the next boundary, then the connection. */
  end(why: StreamEnd): void;
}

/** A TLS relay in front of a Kubernetes API server that attaches a tap to every upgraded connection. */
export interface KubeRelay {
  /** A kubeconfig file that reaches the cluster through the relay. */
  readonly kubeconfig: string;
  readonly streams: readonly RelayedStream[];
  close(): void;
}

const pem = z.string().transform((text) => Buffer.from(text, "base64").toString());
const kubeconfigShape = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.url(), "certificate-authority-data": pem }) })]),
  users: z.tuple([z.object({ user: z.object({ "client-certificate-data": pem, "client-key-data": pem }) })]),
});

/** Address and credentials in a kubeconfig with one cluster and one user, both inline. */
export function readKubeconfig(path: string): { readonly server: URL; readonly ca: string; readonly cert: string; readonly key: string } {
  const { clusters, users } = kubeconfigShape.parse(parse(readFileSync(path, "utf8")));
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  return { server: new URL(cluster.server), ca: cluster["certificate-authority-data"], cert: user["client-certificate-data"], key: user["client-key-data"] };
}

/** Starts a relay to the cluster of an admin kubeconfig. */
export async function startKubeRelay(adminKubeconfig: string): Promise<KubeRelay> {
  const { server: target, ca, cert, key } = readKubeconfig(adminKubeconfig);
  const streams: RelayedStream[] = [];
  const sockets = new Set<Socket>();
  const authority = createTestAuthority("relay");
  const tls = authority.server(["localhost"], ["127.0.0.1"]);

  const forward = (request: IncomingMessage): ClientRequest => {
    const headers = { ...request.headers };
    delete headers.authorization;
    return httpsRequest({ host: target.hostname, port: target.port, ca, cert, key, path: request.url, method: request.method, headers, agent: false });
  };

  const server = createServer({ ...tls, ALPNProtocols: ["http/1.1"] }, (request, response) => {
    const onward = forward(request);
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  server.on("secureConnection", (socket) => sockets.add(socket));
  server.on("upgrade", (request: IncomingMessage, client: Socket, clientHead: Buffer) => {
    const onward = forward(request);
    onward.on("response", (answer) => {
      client.write(rawHead(answer));
      answer.pipe(client);
    });
    onward.on("error", () => client.destroy());
    onward.on("upgrade", (answer, upstream, head: Buffer) => {
      sockets.add(upstream);
      const webSocket = (answer.headers.upgrade ?? "").toLowerCase() === "websocket";
      const purpose = (request.url ?? "").includes("/portforward") ? "portforward" : "command";
      const protocol = String(answer.headers[webSocket ? "sec-websocket-protocol" : "x-stream-protocol-version"] ?? "");
      const tap = webSocket ? createWebSocketTap({ subprotocol: protocol, purpose }) : createSpdyTap({ protocol });
      let ending: StreamEnd | undefined;
      let ended = false;
      const finish = (why: StreamEnd): void => {
        ended = true;
        const frames = tap.endFrames(why);
        upstream.destroy();
        // All that was written before gets there first, however slowly it is read, and its reader has time for the reason before the connection ends.
        client.write(frames ?? "", () => setTimeout(() => client.destroy(), 3000).unref());
      };
      const fromServer = (chunk: Buffer): void => {
        if (ended) return;
        const boundary = tap.fromServer(chunk);
        if (ending === undefined || boundary < 0) client.write(chunk);
        else {
          client.write(chunk.subarray(0, boundary));
          finish(ending);
        }
      };
      const fromClient = (chunk: Buffer): void => {
        tap.fromClient(chunk);
        if (!ended) upstream.write(chunk);
      };
      client.write(rawHead(answer));
      if (head.length > 0) fromServer(head);
      if (clientHead.length > 0) fromClient(clientHead);
      client.on("data", fromClient).on("close", () => upstream.destroy()).on("error", () => upstream.destroy());
      upstream.on("data", fromServer).on("end", () => client.end()).on("error", () => client.destroy());
      streams.push({
        path: request.url ?? "",
        protocol,
        tap,
        end(why) {
          if (tap.atBoundary) finish(why);
          else ending = why;
        },
      });
    });
    onward.end();
  });

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const folder = mkdtempSync(join(tmpdir(), "gatehouse-relay-"));
  const kubeconfig = join(folder, "kubeconfig");
  const { port } = server.address() as AddressInfo;
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "relay",
      clusters: [{ name: "relay", cluster: { server: `https://127.0.0.1:${String(port)}`, "certificate-authority-data": Buffer.from(authority.cert).toString("base64") } }],
      users: [{ name: "relay", user: { token: "kubectl-asks-for-a-name-without-one" } }],
      contexts: [{ name: "relay", context: { cluster: "relay", user: "relay" } }],
    }),
  );
  return {
    kubeconfig,
    streams,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      rmSync(folder, { recursive: true });
    },
  };
}

function rawHead(answer: IncomingMessage): string {
  const headers: string[] = [];
  for (let index = 0; index < answer.rawHeaders.length; index += 2) headers.push(`${answer.rawHeaders[index] ?? ""}: ${answer.rawHeaders[index + 1] ?? ""}\r\n`);
  return `HTTP/1.1 ${String(answer.statusCode)} ${answer.statusMessage ?? ""}\r\n${headers.join("")}\r\n`;
}
