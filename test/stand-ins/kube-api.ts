import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { isIP, type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { stringify } from "yaml";
import { WebSocketServer } from "ws";
import { createTestAuthority } from "./certificates.ts";
import { discovery, podList, podTable, pods, type KubeObject } from "./kube-api-data.ts";
import { serveExec } from "./kube-api-exec.ts";
import { authenticate, forbidden, gatewayName, isAllowed, type Access, type Principal, type Refusal } from "./kube-api-rbac.ts";
import { readReview } from "./kube-api-review.ts";

/** One request that arrived, and as whom it was made. */
export interface KubeApiRequest {
  readonly method: string;
  readonly url: string;
  readonly user: string;
  readonly groups: readonly string[];
}

/** A small Kubernetes API for where no cluster is: pods, logs, exec over WebSocket, RBAC on impersonated groups. */
export interface KubeApi {
  /** Kubeconfig text with the gateway's own, impersonate-only credentials. */
  readonly kubeconfig: string;
  readonly url: string;
  /** The last thousand requests. */
  readonly requests: readonly KubeApiRequest[];
  close(): Promise<void>;
}

const logBound = 1000;
const bodyBound = 64 * 1024;
const execProtocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

class Refused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

function statusBody(refusal: Refusal): string {
  return JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: refusal.message, reason: refusal.reason, code: refusal.code });
}

function send(response: ServerResponse, status: number, body: KubeObject | string): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-cache, private" });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

function require(principal: Principal, access: Access): void {
  if (!isAllowed(principal, access)) throw new Refused(forbidden(principal, access));
}

function podOf(name: string): KubeObject {
  const found = pods.get(name);
  if (!found) throw new Refused({ code: 404, reason: "NotFound", message: `pods "${name}" not found` });
  return found;
}

/** `metadata.name=x` and `status.phase=y`, as `kubectl --field-selector` sends them. */
function selected(selector: string | null): readonly KubeObject[] {
  return [...pods.values()].filter((pod) => {
    const { metadata, status } = pod as { metadata: { name: string }; status: { phase: string } };
    const fields: Readonly<Record<string, string>> = { "metadata.name": metadata.name, "status.phase": status.phase };
    return (selector ?? "").split(",").filter(Boolean).every((term) => {
      const [field = "", value = ""] = term.split(/==?/);
      return fields[field] === value;
    });
  });
}

/** Keeps a response open, writing a line every second where there is one to write. */
function follow(response: ServerResponse, seconds: number, line?: (count: number) => string): void {
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    if (line) response.write(line(count));
    if (seconds > 0 && count >= seconds) response.end();
  }, 1000);
  response.once("close", () => clearInterval(timer));
}

function readPods(principal: Principal, request: IncomingMessage, response: ServerResponse, url: URL, name: string | undefined, namespace: string): void {
  const watch = ["true", "1"].includes(url.searchParams.get("watch") ?? "");
  require(principal, { verb: watch ? "watch" : name === undefined ? "list" : "get", resource: "pods", namespace, name });
  const asTable = /as=Table/.test(request.headers.accept ?? "");
  if (watch) {
    response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
    follow(response, Number(url.searchParams.get("timeoutSeconds") ?? 0));
    return;
  }
  const items = name === undefined ? selected(url.searchParams.get("fieldSelector")) : [podOf(name)];
  if (asTable) send(response, 200, podTable(items));
  else send(response, 200, name === undefined ? podList(items) : podOf(name));
}

function readLog(principal: Principal, response: ServerResponse, url: URL, name: string, namespace: string): void {
  require(principal, { verb: "get", resource: "pods/log", namespace, name });
  podOf(name);
  response.writeHead(200, { "content-type": "text/plain" });
  response.write(`${name} started\n`);
  if (url.searchParams.get("follow") === "true") follow(response, 0, (count) => `tick ${String(count)}\n`);
  else response.end();
}

async function reviewAccess(principal: Principal, request: IncomingMessage, response: ServerResponse): Promise<void> {
  require(principal, { verb: "create", resource: "selfsubjectaccessreviews", namespace: "", group: "authorization.k8s.io" });
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    if (chunks.reduce((total, { length }) => total + length, 0) > bodyBound) throw new Refused({ code: 413, reason: "RequestEntityTooLarge", message: "the review is too large" });
  }
  const allowed = isAllowed(principal, readReview(Buffer.concat(chunks)));
  send(response, 201, { kind: "SelfSubjectAccessReview", apiVersion: "authorization.k8s.io/v1", metadata: {}, spec: {}, status: { allowed } });
}

async function handle(principal: Principal, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "https://stand-in");
  const document = request.method === "GET" ? discovery[url.pathname] : undefined;
  if (document) return send(response, 200, document);
  if (request.method === "POST" && url.pathname === "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews") return reviewAccess(principal, request, response);
  const [, namespace, name, subresource] = /^\/api\/v1\/(?:namespaces\/([^/]+)\/)?pods(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  const isPods = url.pathname.startsWith("/api/v1/") && /\/pods(?:\/|$)/.test(url.pathname);
  if (isPods && request.method === "GET" && subresource === undefined) return readPods(principal, request, response, url, name, namespace ?? "");
  if (isPods && request.method === "GET" && subresource === "log" && name !== undefined) return readLog(principal, response, url, name, namespace ?? "");
  if (isPods && subresource === "exec" && name !== undefined) {
    require(principal, { verb: request.method === "GET" ? "get" : "create", resource: "pods/exec", namespace: namespace ?? "", name });
    throw new Refused({ code: 400, reason: "BadRequest", message: "Upgrade request required: this stand-in does exec over WebSocket alone (kubectl 1.31 or later)" });
  }
  const [resource = "", group = ""] = url.pathname.split("/").reverse();
  if (principal.name === gatewayName) throw new Refused(forbidden(principal, { verb: "get", resource, namespace: namespace ?? "", group: group === "v1" ? "" : group }));
  throw new Refused({ code: 404, reason: "NotFound", message: "the server could not find the requested resource" });
}

function principalOf(request: IncomingMessage): Principal {
  const found = authenticate(request);
  if ("code" in found) throw new Refused(found);
  return found;
}

/** Starts the stand-in on loopback. It binds nothing else. */
export async function startKubeApi(options: { readonly host?: string; readonly port?: number; readonly user?: string } = {}): Promise<KubeApi> {
  const { host = "127.0.0.1", port = 0, user = gatewayName } = options;
  if (isIP(host) === 0 || (host !== "::1" && !host.startsWith("127."))) throw new Error(`this stand-in binds loopback addresses alone, not ${host}`);
  const authority = createTestAuthority("stand-in kubernetes");
  const { key, cert } = authority.server(["localhost", "kubernetes"], ["127.0.0.1", "::1"]);
  const requests: KubeApiRequest[] = [];
  const record = (request: IncomingMessage, principal: Principal): void => {
    requests.push({ method: request.method ?? "", url: request.url ?? "", user: principal.name, groups: principal.groups });
    if (requests.length > logBound) requests.shift();
  };

  const server = createServer({ key, cert, ca: authority.cert, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const work = async (): Promise<void> => {
      const principal = principalOf(request);
      record(request, principal);
      await handle(principal, request, response);
    };
    work().catch((error: unknown) => {
      const refusal = error instanceof Refused ? error.refusal : { code: 500, reason: "InternalError", message: String(error) };
      if (!response.headersSent) send(response, refusal.code, statusBody(refusal));
      else response.destroy();
    });
  });

  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => execProtocols.find((protocol) => offered.has(protocol)) ?? false });
  const open = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    try {
      const principal = principalOf(request);
      record(request, principal);
      const url = new URL(request.url ?? "/", "https://stand-in");
      const [, namespace = "", name = ""] = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/exec$/.exec(url.pathname) ?? [];
      if (name === "") throw new Refused({ code: 404, reason: "NotFound", message: "the server could not find the requested resource" });
      // Older servers review a WebSocket's GET as "get", newer ones as "create"; a person must not gain by the difference.
      require(principal, { verb: "create", resource: "pods/exec", namespace, name });
      podOf(name);
      const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((part) => part.trim());
      if (request.headers.upgrade?.toLowerCase() !== "websocket" || !offered.some((protocol) => execProtocols.includes(protocol))) {
        throw new Refused({ code: 400, reason: "BadRequest", message: "unable to upgrade: this stand-in does exec over WebSocket alone (kubectl 1.31 or later)" });
      }
      sockets.handleUpgrade(request, socket, head, (accepted) => serveExec(accepted, url.searchParams.getAll("command"), url.searchParams.get("tty") === "true"));
    } catch (error) {
      const refusal = error instanceof Refused ? error.refusal : { code: 500, reason: "InternalError", message: String(error) };
      const body = statusBody(refusal);
      socket.end(`HTTP/1.1 ${String(refusal.code)} ${refusal.reason}\r\nContent-Type: application/json\r\nContent-Length: ${String(Buffer.byteLength(body))}\r\nConnection: close\r\n\r\n${body}`);
    }
  });

  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  const bound = server.address() as AddressInfo;
  const url = `https://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${String(bound.port)}`;
  const client = authority.client(user);
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return {
    url,
    requests,
    kubeconfig: stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "stand-in",
      clusters: [{ name: "stand-in", cluster: { server: url, "certificate-authority-data": base64(authority.cert) } }],
      contexts: [{ name: "stand-in", context: { cluster: "stand-in", user: gatewayName } }],
      users: [{ name: gatewayName, user: { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) } }],
    }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
        server.closeAllConnections();
      }),
  };
}
