import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer as createHttpServer, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect } from "node:tls";
import { stringify } from "yaml";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { adminServerName, createAdminClient, createWebClient, kubeServerName, sshLoginResponse, type AdminClient, type SshLoginResponse, type Transport } from "@gatehouse/core/api";
import { nullLogger } from "@gatehouse/core/base";
import { hostFacts, parseGatewayOptions, type ConfigOverrides } from "@gatehouse/core/config";
import { formatAuthorizedKey, open, spkiPin, sshPublicKey } from "@gatehouse/core/formats";
import { startGateway, type Gateway } from "@gatehouse/core/proxy";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import { githubConnector, startGithub, type Github } from "../stand-ins/github.ts";
import { startKubeApi, type KubeApi } from "../stand-ins/kube-api.ts";
import { createBrowser, type Page } from "../support/browser.ts";
import { people, teams } from "../support/world.ts";

const passwordCost = { memoryCost: 1024, timeCost: 1, parallelism: 1 };
const podsPath = "/api/v1/namespaces/default/pods";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gateway-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
}

/** Reads an answer to its end for whoever waits. */
function answerTo(resolve: (answer: Answer) => void, reject: (error: unknown) => void): (response: IncomingMessage) => void {
  return (response) => {
    let body = "";
    response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    response.once("error", reject).once("end", () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
  };
}

function fetchTls(options: RequestOptions, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    httpsRequest({ agent: false, ...options }, answerTo(resolve, reject))
      .on("error", reject)
      .end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function split(address: string): { host: string; port: number } {
  const url = new URL(`https://${address}`);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) };
}

/** These tests ask for nothing that does not end. */
const stream: Transport["stream"] = () => Promise.reject(new Error("not here"));

function tlsTransport(address: string, ca: string, more: RequestOptions = {}): Transport {
  return {
    stream,
    request: ({ method, path, body }) =>
      fetchTls({ ...split(address), ca, method, path, ...(body === undefined ? {} : { headers: { "content-type": "application/json" } }), ...more }, body),
  };
}

/** The local administrator: socket and nonce of the data directory. */
function localTransport(dataDir: string, nonce?: string): Transport {
  return {
    stream,
    async request({ method, path, body }) {
      const bearer = nonce ?? (await readFile(join(dataDir, "admin.nonce"), "utf8")).trim();
      const headers = { authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { "content-type": "application/json" }) };
      return new Promise((resolve, reject) => {
        httpRequest({ socketPath: join(dataDir, "admin.sock"), method, path, headers }, answerTo(resolve, reject))
          .on("error", reject)
          .end(body === undefined ? undefined : JSON.stringify(body));
      });
    },
  };
}

interface Running {
  readonly gateway: Gateway;
  readonly dataDir: string;
  readonly local: AdminClient;
  /** The host authority's certificate, PEM. */
  readonly ca: string;
}

const opened: Gateway[] = [];
afterEach(async () => {
  for (const gateway of opened.splice(0)) await gateway.close({ drainMs: 0 });
});

async function gatewayOf(name: string, file: Record<string, unknown> = {}, overrides: ConfigOverrides = {}): Promise<Running> {
  const dataDir = join(folder, name);
  const config = parseGatewayOptions({
    text: stringify(file),
    filename: "teleport.yaml",
    overrides: { dataDir, clusterName: "example", webListenAddr: "127.0.0.1:0", kubeListenAddr: "127.0.0.1:0", adminListenAddr: "127.0.0.1:0", ...overrides },
    host: hostFacts(),
  });
  const gateway = await startGateway(config, { logger: nullLogger, passwordCost });
  const local = createAdminClient(localTransport(dataDir));
  const { tls } = await local.exportAuthority("host");
  return { gateway, dataDir, local, ca: tls[0]! };
}

describe("a gateway with GitHub and Kubernetes", () => {
  let github: Github;
  let api: KubeApi;
  let running: Running;

  beforeAll(async () => {
    github = await startGithub({ users: people });
    api = await startKubeApi();
    const kubeconfigFile = join(folder, "kubeconfig");
    await writeFile(kubeconfigFile, api.kubeconfig, { mode: 0o600 });
    running = await gatewayOf(
      "main",
      { auth_service: { authentication: { type: "github" } }, teleport: { diag_addr: "127.0.0.1:0" } },
      { kubeconfigFile },
    );
    await running.local.put(githubConnector(github, new URL(running.gateway.publicUrl).host, teams), "create");
  });
  afterAll(async () => {
    await running.gateway.close({ drainMs: 0 });
    await github.close();
    await api.close();
  });

  interface Login {
    readonly answer: SshLoginResponse;
    readonly cert: string;
    readonly key: string;
    readonly page: Page;
    readonly admin: AdminClient;
  }

  /** A whole login as `tsh` makes it: a terminal that listens on loopback, and a browser. */
  async function logIn(user: string): Promise<Login> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const secret = randomBytes(32);
    let arrived: URLSearchParams | undefined;
    const terminal = createHttpServer((request, response) => {
      arrived = new URL(request.url ?? "/", "http://terminal").searchParams;
      response.writeHead(302, { location: `${running.gateway.publicUrl}/web/msg/${arrived.has("response") ? "info/login_success" : "error/login_failed"}` }).end();
    });
    await new Promise<void>((resolve) => terminal.listen(0, "127.0.0.1", resolve));
    try {
      const web = createWebClient(tlsTransport(running.gateway.addresses.web, running.ca));
      const { redirect_url } = await web.consoleLogin("github", {
        redirect_url: `http://127.0.0.1:${String((terminal.address() as AddressInfo).port)}/callback?secret=${encodeURIComponent(secret.toString("base64"))}`,
        public_key: Buffer.from(formatAuthorizedKey(sshPublicKey(publicKey))).toString("base64"),
        cert_ttl: 3_600_000_000_000,
        connector_id: "github",
      });
      const page = await createBrowser({ ca: running.ca, user }).open(redirect_url);
      const sealed = arrived?.get("response");
      if (typeof sealed !== "string") throw new Error(`no response, but ${open(secret, arrived?.get("error") ?? "").toString()}`);
      const answer = sshLoginResponse.parse(JSON.parse(open(secret, sealed).toString()));
      const cert = Buffer.from(answer.tls_cert, "base64").toString();
      const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      const admin = createAdminClient(tlsTransport(running.gateway.addresses.web, running.ca, { cert, key, servername: adminServerName("example") }));
      return { answer, cert, key, page, admin };
    } finally {
      terminal.close();
    }
  }

  const kube = (login: { cert: string; key: string }, path: string, more: RequestOptions = {}): Promise<Answer> =>
    fetchTls({ ...split(running.gateway.addresses.kube!), ca: running.ca, cert: login.cert, key: login.key, servername: kubeServerName("example"), path, ...more });

  it("answers pings with where it can be reached", async () => {
    const ping = await createWebClient(tlsTransport(running.gateway.addresses.web, running.ca)).ping();
    expect(ping.auth).toEqual({ type: "github", github: { name: "github", display: "GitHub" } });
    expect(ping.proxy.kube).toEqual({ enabled: true, public_addr: running.gateway.addresses.kube });
    expect(ping.proxy.ssh.public_addr).toBe(running.gateway.addresses.web);
  });

  it("shows a chain that its pin is in", async () => {
    const chain = await new Promise<string[]>((resolve, reject) => {
      const socket = tlsConnect({ ...split(running.gateway.addresses.web), rejectUnauthorized: false }, () => {
        const pins: string[] = [];
        for (let certificate = socket.getPeerCertificate(true); ; certificate = certificate.issuerCertificate) {
          pins.push(spkiPin(certificate.raw));
          if (certificate.issuerCertificate === certificate) break;
        }
        socket.destroy();
        resolve(pins);
      });
      socket.on("error", reject);
    });
    expect(chain).toContain(running.gateway.caPin);
  });

  it("turns a GitHub login into certificates, and the person into one that both APIs know", async () => {
    const ana = await logIn("ana");
    expect(ana.page.body).toContain("You are logged in");
    expect(ana.answer.username).toBe("ana");
    const me = await ana.admin.whoami();
    expect(me).toMatchObject({
      username: "ana",
      cluster: "example",
      roles: ["access"],
      logins: ["ana", "deploy"],
      kubernetes: { enabled: true, public_addr: running.gateway.addresses.kube, clusters: [{ name: "example", server_name: kubeServerName("example"), groups: ["developers"] }] },
    });
    const pods = await kube(ana, podsPath);
    expect(pods.status).toBe(200);
    expect(api.requests.at(-1)).toMatchObject({ user: "ana", groups: ["developers", "system:authenticated"] });
  });

  it("serves the admin API and Kubernetes on the web port by server name, and on their own", async () => {
    const bo = await logIn("bo");
    const web = await fetchTls({ ...split(running.gateway.addresses.web), ca: running.ca, cert: bo.cert, key: bo.key, servername: kubeServerName("example"), path: podsPath });
    expect(web.status).toBe(200);
    const own = createAdminClient(tlsTransport(running.gateway.addresses.admin, running.ca, { cert: bo.cert, key: bo.key, servername: adminServerName("example") }));
    expect((await own.whoami()).username).toBe("bo");
  });

  it("lets a person see and change no more than their roles allow", async () => {
    const ana = await logIn("ana");
    const cy = await logIn("cy");
    await expect(ana.admin.get({ kind: "role" }, false)).rejects.toMatchObject({ code: "access_denied" });
    await expect(ana.admin.status()).rejects.toMatchObject({ code: "access_denied" });
    await expect(ana.admin.put({ kind: "role", version: "v3", metadata: { name: "mine" }, spec: {} }, "create")).rejects.toMatchObject({ code: "access_denied" });
    expect((await cy.admin.get({ kind: "role", name: "access" }, false))[0]?.resource).toMatchObject({ kind: "role", metadata: { name: "access" } });
    const status = await cy.admin.status();
    expect(status).toMatchObject({ cluster: "example", ca_pin: running.gateway.caPin, kubernetes: [{ name: "example", healthy: true }] });
    expect(status.authorities.map(({ fingerprint }) => fingerprint)).toEqual([expect.stringMatching(/^SHA256:/), expect.stringMatching(/^SHA256:/), expect.stringMatching(/^SHA256:/)]);
  });

  it("refuses callers without a certificate, and those who logged out", async () => {
    const nobody = createAdminClient(tlsTransport(running.gateway.addresses.web, running.ca, { servername: adminServerName("example") }));
    await expect(nobody.whoami()).rejects.toMatchObject({ code: "unauthenticated", hint: expect.stringContaining("tsh login") as string });
    const ana = await logIn("ana");
    expect((await kube(ana, podsPath)).status).toBe(200);
    await ana.admin.logout();
    await expect(ana.admin.whoami()).rejects.toMatchObject({ code: "unauthenticated" });
    expect((await kube(ana, podsPath)).status).toBe(401);
  });

  it("puts a change in force for the next request", async () => {
    const ana = await logIn("ana");
    const connector = (await running.local.get({ kind: "role", name: "access" }, false))[0]!;
    const role = connector.resource as unknown as { spec: { deny?: Record<string, unknown> } };
    const changed = { ...connector.resource, spec: { ...role.spec, deny: { kubernetes_groups: ["developers"] } } };
    expect(await running.local.put(changed, "update", connector.revision)).toMatchObject({ kind: "role", name: "access", outcome: "updated" });
    const refused = await kube(ana, podsPath);
    expect([refused.status, (JSON.parse(refused.body) as { kind: string }).kind]).toEqual([403, "Status"]);
    expect((await ana.admin.whoami()).kubernetes.clusters[0]).toMatchObject({ groups: [], refused: expect.any(String) as string });
    await expect(running.local.put(changed, "update", connector.revision)).rejects.toMatchObject({ code: "compare_failed" });
    await running.local.put(connector.resource, "upsert");
    expect((await kube(ana, podsPath)).status).toBe(200);
  });

  it("invites a local user, who chooses a password and logs in with it", async () => {
    const { url, user } = await running.local.invite("alice", { roles: ["access"], traits: { logins: ["alice"], kubernetes_groups: ["viewers"] }, ttl: 3_600_000 });
    expect([user, url.startsWith(`${running.gateway.publicUrl}/web/newuser/`)]).toEqual(["alice", true]);
    const form = await createBrowser({ ca: running.ca }).open(url);
    expect(form.body).toContain("Choose a password for alice");
    const { pathname } = new URL(url);
    const post = (password: string): Promise<Answer> =>
      new Promise((resolve, reject) => {
        httpsRequest({ ...split(running.gateway.addresses.web), ca: running.ca, method: "POST", path: pathname, headers: { "content-type": "application/x-www-form-urlencoded" }, agent: false }, answerTo(resolve, reject))
          .on("error", reject)
          .end(new URLSearchParams({ password, repeat: password }).toString());
      });
    expect((await post("short")).status).toBe(400);
    expect((await post("correct horse battery")).status).toBe(200);
    expect((await post("another password")).status).toBe(404);
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const web = createWebClient(tlsTransport(running.gateway.addresses.web, running.ca));
    const request = { user: "alice", pub_key: Buffer.from(formatAuthorizedKey(sshPublicKey(publicKey))).toString("base64"), ttl: 3_600_000_000_000 };
    expect((await web.localLogin({ ...request, password: "correct horse battery" })).username).toBe("alice");
    await expect(web.localLogin({ ...request, password: "wrong" })).rejects.toMatchObject({ code: "access_denied" });
  });

  it("keeps its socket, its nonce and its keys to the owner, and wants the nonce", async () => {
    for (const [file, mode] of [["admin.sock", 0o600], ["admin.nonce", 0o600], ["secret.key", 0o600], ["gatehouse.db", 0o600], ["", 0o700]] as const) {
      expect([file, (await stat(join(running.dataDir, file))).mode & 0o777]).toEqual([file, mode]);
    }
    const stranger = createAdminClient(localTransport(running.dataDir, "0".repeat(64)));
    await expect(stranger.get({ kind: "role" }, false)).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(running.local.whoami()).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it("tells its health and its numbers", async () => {
    const diag = split(running.gateway.addresses.diag!);
    const get = (path: string): Promise<Answer> =>
      new Promise((resolve, reject) => httpRequest({ ...diag, path, agent: false }, answerTo(resolve, reject)).on("error", reject).end());
    expect(await get("/healthz")).toMatchObject({ status: 200, body: '{"status":"ok"}\n' });
    expect(await get("/readyz")).toMatchObject({ status: 200, body: '{"status":"ok"}\n' });
    const { body } = await get("/metrics");
    expect(body).toMatch(/^gatehouse_kubernetes_up\{cluster="example"\} 1$/m);
    expect(body).toMatch(/^gatehouse_streams \d+$/m);
    expect((await get("/nope")).status).toBe(404);
  });

  it("writes every login and every request down", async () => {
    const log = await readFile(join(running.dataDir, "log/events.log"), "utf8");
    const events = log.trimEnd().split("\n").map((line) => JSON.parse(line) as { event: string; user?: string; success?: boolean });
    expect(events).toContainEqual(expect.objectContaining({ event: "user.login", user: "ana", success: true }));
    expect(events).toContainEqual(expect.objectContaining({ event: "kube.request", user: "ana" }));
    expect(log).not.toContain(github.clientSecret);
  });
});

describe("starting and stopping", () => {
  const start = async (...args: Parameters<typeof gatewayOf>): Promise<Running> => {
    const running = await gatewayOf(...args);
    opened.push(running.gateway);
    return running;
  };

  it("keeps identity, pin and users over a restart", async () => {
    const first = await start("again");
    expect(first.gateway.firstStart).toBe(true);
    await first.local.invite("alice", { roles: ["access"], traits: {}, ttl: 3_600_000 });
    await opened.pop()!.close({ drainMs: 0 });
    const second = await start("again");
    expect([second.gateway.caPin, second.gateway.hostId, second.gateway.firstStart]).toEqual([first.gateway.caPin, first.gateway.hostId, false]);
  });

  it("refuses a second gateway on the same data directory, and the first goes on", async () => {
    const first = await start("twice");
    await expect(gatewayOf("twice")).rejects.toMatchObject({ code: "already_exists", message: expect.stringMatching(/another gateway \(process \d+\) runs on the data directory/) as string });
    expect((await first.local.status()).cluster).toBe("example");
  });

  it("refuses another cluster's data directory, by both names", async () => {
    await start("named");
    await opened.pop()!.close({ drainMs: 0 });
    await expect(gatewayOf("named", {}, { clusterName: "other" })).rejects.toThrow(/"example".*"other"/);
  });

  it("names an address that is taken, and leaves nothing open behind it", async () => {
    const squatter = createTcpServer();
    await new Promise<void>((resolve) => squatter.listen(0, "127.0.0.1", resolve));
    const { port } = squatter.address() as AddressInfo;
    try {
      await expect(gatewayOf("taken", {}, { adminListenAddr: `127.0.0.1:${String(port)}` })).rejects.toMatchObject({
        code: "unavailable",
        message: expect.stringContaining(`127.0.0.1:${String(port)}: another process listens there`) as string,
      });
    } finally {
      squatter.close();
    }
    expect((await start("taken")).gateway.clusterName).toBe("example");
  });

  it("refuses a data directory that others may enter", async () => {
    const dataDir = join(folder, "open");
    const { mkdir, chmod } = await import("node:fs/promises");
    await mkdir(dataDir);
    await chmod(dataDir, 0o755);
    await expect(gatewayOf("open")).rejects.toMatchObject({ code: "access_denied", hint: `chmod 700 ${dataDir}` });
  });

  it("serves the operator's certificate on the web, and its own elsewhere", async () => {
    const authority = createTestAuthority("operator");
    const pair = authority.server(["gw.example.com"], ["127.0.0.1"]);
    const files = { https_key_file: join(folder, "web.key"), https_cert_file: join(folder, "web.pem") };
    await writeFile(files.https_key_file, pair.key, { mode: 0o600 });
    await writeFile(files.https_cert_file, pair.cert + authority.cert);
    const running = await start("operator", { proxy_service: { ...files, public_addr: "gw.example.com:3080" } });
    const { host, port } = split(running.gateway.addresses.web);
    expect(running.gateway.publicUrl).toBe("https://gw.example.com:3080");
    const web = await fetchTls({ host, port, ca: authority.cert, servername: "gw.example.com", path: "/webapi/ping/local" });
    expect(web.status).toBe(200);
    const admin = await fetchTls({ host, port, ca: running.ca, servername: adminServerName("example"), path: "/gatehouse/v1/whoami" });
    expect(admin.status).toBe(401);
  });

  it("refuses a web certificate whose key is another's", async () => {
    const authority = createTestAuthority("operator");
    const files = { https_key_file: join(folder, "other.key"), https_cert_file: join(folder, "other.pem") };
    await writeFile(files.https_key_file, authority.server(["a"], []).key, { mode: 0o600 });
    await writeFile(files.https_cert_file, authority.server(["a"], []).cert);
    await expect(gatewayOf("mismatch", { proxy_service: files })).rejects.toThrow(`the key in ${files.https_key_file} does not belong to the certificate in ${files.https_cert_file}`);
  });

  it("says which kubeconfig cannot be read", async () => {
    await expect(gatewayOf("nokube", {}, { kubeconfigFile: join(folder, "missing") })).rejects.toThrow(/kubeconfig .*missing/);
  });

  it("starts all the same where a cluster does not answer, and says so", async () => {
    const api = await startKubeApi();
    const file = join(folder, "dead-kubeconfig");
    await writeFile(file, api.kubeconfig, { mode: 0o600 });
    await api.close();
    const { gateway } = await start("dead", {}, { kubeconfigFile: file });
    expect(gateway.kubernetes).toMatchObject([{ cluster: "example", ok: false, problem: expect.any(String) as string }]);
  });
});
