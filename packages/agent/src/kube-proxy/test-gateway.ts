import { generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as httpsRequest, type RequestOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { GatehouseError, systemClock, systemRandom } from "@gatehouse/core/base";
import type { LoginRecord } from "@gatehouse/core/client/lean";
import { buildCertificate, parseCertificate } from "@gatehouse/core/formats";
import { startKubeProxy, type KubeProxy, type KubeProxyOptions, type ProxiedCluster } from "./index.ts";

/** For tests: a gateway that asks for client certificates, people with logins, and clients of a proxy's kubeconfig. */

const day = 24 * 3_600_000;
const serverName = "k6578.kube.teleport.cluster.local";
export const cluster: ProxiedCluster = { name: "ex", serverName, context: "ex" };

const newKey = (): { publicKey: KeyObject; privateKey: KeyObject } => generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
const serial = (): bigint => BigInt(`0x${randomBytes(12).toString("hex")}`) + 1n;

/** An authority of tests, of hosts and people alike. */
export function createTestAuthority(name = "gateway"): { readonly certificate: string; issue(usage: "serverAuth" | "clientAuth", commonName: string, dnsNames?: readonly string[]): { readonly key: string; readonly certificate: string } } {
  const own = newKey();
  const validity = { notBefore: Date.now() - day, notAfter: Date.now() + day };
  const certificate = buildCertificate({ serial: serial(), subject: { CN: [name] }, ...validity, publicKey: own.publicKey, ca: {}, keyUsage: ["keyCertSign"] }, { privateKey: own.privateKey });
  const signer = { privateKey: own.privateKey, certificate: parseCertificate(certificate) };
  return {
    certificate,
    issue(usage, commonName, dnsNames = []) {
      const { publicKey, privateKey } = newKey();
      return { key: pem(privateKey), certificate: buildCertificate({ serial: serial(), subject: { CN: [commonName] }, ...validity, publicKey, keyUsage: ["digitalSignature"], extendedKeyUsage: [usage], dnsNames }, signer) };
    },
  };
}

/** What came to the gateway. */
export interface Asked {
  readonly user: string;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  readonly serverName: unknown;
}

export interface TestGateway {
  readonly address: string;
  readonly asked: Asked[];
  /** Connections there have been. */
  readonly connections: number;
  onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  onUpgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
  login(user: string, expires?: number): LoginRecord;
  /** Cuts every connection and listens no more. */
  kill(): Promise<void>;
  /** Listens again where it did. */
  revive(): Promise<void>;
}

export async function startTestGateway(): Promise<TestGateway> {
  const authority = createTestAuthority();
  const own = authority.issue("serverAuth", "gateway", ["*.kube.teleport.cluster.local"]);
  const sockets = new Set<Socket>();
  const asked: Asked[] = [];
  let connections = 0;
  const note = (request: IncomingMessage): void => {
    const { socket } = request;
    if (!(socket instanceof TLSSocket)) throw new Error("a request came without TLS");
    asked.push({ user: String(socket.getPeerCertificate().subject.CN), method: request.method ?? "", url: request.url ?? "", headers: request.rawHeaders, serverName: Reflect.get(socket, "servername") });
  };
  const server = createServer({ key: own.key, cert: own.certificate, ca: authority.certificate, requestCert: true, rejectUnauthorized: true, maxHeaderSize: 256 * 1024 });
  server.on("secureConnection", (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
  });
  server.on("request", (request, response) => {
    note(request);
    gateway.onRequest(request, response);
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    note(request);
    gateway.onUpgrade(request, socket, head);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const gateway: TestGateway = {
    address: `127.0.0.1:${port}`,
    asked,
    get connections() {
      return connections;
    },
    onRequest: (_request, response) => response.writeHead(200, { "content-type": "application/json" }).end('{"kind":"PodList"}'),
    onUpgrade: (_request, socket) => socket.destroy(),
    login(user, expires = Date.now() + day) {
      const { key, certificate } = authority.issue("clientAuth", user);
      return { version: 1, proxy: "127.0.0.1:1", cluster: "example", username: user, privateKey: key, sshCertificate: "", tlsCertificate: certificate, hostKeys: [], hostCertificates: [authority.certificate], issued: Date.now(), expires };
    },
    async kill() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    async revive() {
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
    },
  };
  return gateway;
}

/** Says what it is told to say. */
export class TestLogin {
  outcome: LoginRecord | GatehouseError;
  doubts = 0;
  constructor(outcome: LoginRecord | GatehouseError) {
    this.outcome = outcome;
  }
  async current(): Promise<LoginRecord> {
    if (this.outcome instanceof GatehouseError) throw this.outcome;
    return Promise.resolve(this.outcome);
  }
  doubt(): void {
    this.doubts += 1;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type ClientCredentials = Pick<RequestOptions, "ca" | "cert" | "key">;

/** A proxy in front of a gateway, in a folder of its own. */
export interface TestProxy {
  readonly proxy: KubeProxy;
  readonly folder: string;
  readonly port: number;
  readonly credentials: ClientCredentials;
  ask(path: string, options?: RequestOptions & { readonly body?: string | Buffer }): Promise<Answer>;
  close(): Promise<void>;
}

export async function startTestProxy(gateway: TestGateway, login: TestLogin, options: Partial<KubeProxyOptions> = {}): Promise<TestProxy> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-kube-proxy-"));
  const proxy = await startKubeProxy({ clusters: [cluster], selected: "ex", gateway: gateway.address, login, listen: { port: 0 }, runs: join(folder, "kube"), clock: systemClock, random: systemRandom, ...options });
  const text = proxy.kubeconfig === undefined ? "" : await readFile(proxy.kubeconfig, "utf8");
  const field = (name: string): string => Buffer.from(new RegExp(`${name}: (\\S+)`).exec(text)?.[1] ?? "", "base64").toString();
  const credentials = { ca: field("certificate-authority-data"), cert: field("client-certificate-data"), key: field("client-key-data") };
  const port = Number(proxy.address.split(":")[1]);
  return {
    proxy,
    folder,
    port,
    credentials,
    ask: (path, { body, ...more } = {}) =>
      new Promise((resolve, reject) => {
        const sent = httpsRequest({ host: "127.0.0.1", port, path, agent: false, ...credentials, ...more }, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
          response.on("end", () => {
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text });
          });
          response.on("error", reject);
        });
        sent.on("error", reject).end(body);
      }),
    async close() {
      await proxy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
