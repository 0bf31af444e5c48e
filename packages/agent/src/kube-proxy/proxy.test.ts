import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { dirname, join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, manualClock, systemClock, systemRandom } from "@gatehouse/core/base";
import { createLocalAuthority } from "./credentials.ts";
import { cluster, createTestAuthority, startTestGateway, startTestProxy, TestLogin, type TestGateway, type TestProxy } from "./test-gateway.ts";

let gateway: TestGateway;
let login: TestLogin;
let world: TestProxy;

beforeEach(async () => {
  gateway = await startTestGateway();
  login = new TestLogin(gateway.login("ana"));
  world = await startTestProxy(gateway, login);
});
afterEach(async () => {
  await world.close();
  await gateway.kill().catch(() => undefined);
});

/** A request whose answer is looked at as it comes. */
async function open(path: string): Promise<IncomingMessage> {
  const sent = httpsRequest({ host: "127.0.0.1", port: world.port, path, agent: false, ...world.credentials }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return response;
}

async function rawConnection(): Promise<TLSSocket> {
  const options = { host: "127.0.0.1", port: world.port, ...world.credentials, allowHalfOpen: true };
  const socket = connect(options);
  await once(socket, "secureConnect");
  return socket;
}

/** Everything that comes until the other side ends. */
async function readAll(socket: TLSSocket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += (chunk as Buffer).toString("latin1");
  return text;
}

describe("a request", () => {
  it("goes to the gateway as the login, by the cluster's server name, with its headers as they came", async () => {
    const headers = { Accept: "application/json", "Impersonate-User": "bo", Authorization: "Bearer x", "X-Remote-User": "root", Connection: "keep-alive, impersonate-user, x-hop", "X-Hop": "1", TE: "trailers" };
    const answer = await world.ask("/api/v1/pods?limit=5", { headers });
    expect(answer).toMatchObject({ status: 200, body: '{"kind":"PodList"}', headers: { "content-type": "application/json" } });
    const [asked] = gateway.asked;
    expect(asked).toMatchObject({ user: "ana", method: "GET", url: "/api/v1/pods?limit=5", serverName: cluster.serverName });
    const raw = asked?.headers ?? [];
    for (const pair of [["Impersonate-User", "bo"], ["Authorization", "Bearer x"], ["X-Remote-User", "root"], ["Accept", "application/json"]]) expect(raw.join("\n")).toContain(pair.join("\n"));
    expect(raw.join("\n")).not.toMatch(/x-hop|^te$/im);
    expect(raw[raw.findIndex((name) => name.toLowerCase() === "host") + 1]).toBe(gateway.address);
  });

  it("carries bodies of any size and answers of any status unchanged", async () => {
    gateway.onRequest = (request, response) => {
      response.writeHead(403, { "content-type": "application/json", "x-refusal": "1" });
      request.pipe(response);
    };
    for (const size of [10, 5_000_000]) {
      const body = Buffer.alloc(size, "x");
      const answer = await world.ask("/api/v1/pods", { method: "POST", body });
      expect(answer.status).toBe(403);
      expect(answer.body.length).toBe(size);
    }
    const chunked = await world.ask("/api/v1/pods", { method: "PUT", headers: { "transfer-encoding": "chunked" }, body: "abc" });
    expect(chunked.body).toBe("abc");
  });

  it("shares a few connections with all others", async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => world.ask("/api/v1/pods")));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(gateway.asked.length).toBe(60);
    expect(gateway.connections).toBeLessThanOrEqual(16);
  });

  it("with headers of 200 KiB passes, and with more is refused as Kubernetes would", async () => {
    expect((await world.ask("/api", { headers: { "x-large": "x".repeat(200 * 1024) } })).status).toBe(200);
    const refused = await world.ask("/api", { headers: { "x-large": "x".repeat(300 * 1024) } });
    expect(refused.status).toBe(431);
    expect(JSON.parse(refused.body)).toMatchObject({ kind: "Status", code: 431 });
  });

  it("that nobody reads holds the gateway back", async () => {
    let written = 0;
    let stopped = false;
    gateway.onRequest = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (written < 512 * 1024 * 1024) {
          written += chunk.length;
          if (response.write(chunk)) continue;
          stopped = true;
          response.once("drain", () => {
            stopped = false;
            more();
          });
          return;
        }
      };
      more();
    };
    const response = await open("/api/v1/pods/x/log?follow=true");
    response.pause();
    let before = -1;
    await expect.poll(() => {
      const same = stopped && written === before;
      before = written;
      return same;
    }, { interval: 300 }).toBe(true);
    expect(written).toBeLessThan(64 * 1024 * 1024);
    response.destroy();
  });

  it("ends at the gateway when its client leaves", async () => {
    const closed = new Promise<void>((resolve) => {
      gateway.onRequest = (_request, response) => {
        response.writeHead(200).write("{}\n");
        response.once("close", () => resolve());
      };
    });
    const response = await open("/api/v1/pods?watch=true");
    response.destroy();
    await closed;
    await expect.poll(() => world.proxy.requests.list(1)[0]).toMatchObject({ verb: "watch", what: "pods", status: 200, ended: expect.any(Number) as number });
  });
});

describe("the port", () => {
  const attempt = (credentials: { readonly cert?: string; readonly key?: string }): Promise<string> => world.ask("/api", { cert: undefined, key: undefined, ...credentials }).then(({ status }) => String(status), (error: unknown) => String(Reflect.get(error as object, "code")));

  it("lets nobody in without the certificate of its kubeconfig", async () => {
    const foreign = createTestAuthority("tsh proxy kube").issue("clientAuth", "kubeconfig");
    const otherRun = createLocalAuthority(systemClock, systemRandom).issue();
    for (const credentials of [{}, { cert: foreign.certificate, key: foreign.key }, { cert: otherRun.client.certificate, key: otherRun.client.key }]) expect(await attempt(credentials)).toMatch(/^(?:ERR_SSL|ECONNRESET|EPIPE)/);
    expect(gateway.asked).toEqual([]);
    expect((await world.ask("/api")).status).toBe(200);
  });

  it("takes a certificate no longer than it lasts, on connections that are open too", async () => {
    const clock = manualClock(Date.now());
    const other = await startTestProxy(gateway, login, { clock });
    expect((await other.ask("/api")).status).toBe(200);
    clock.advance(8 * 24 * 3_600_000);
    const late = await other.ask("/api/v1/pods");
    expect(late.status).toBe(401);
    expect(JSON.parse(late.body)).toMatchObject({ kind: "Status", reason: "Unauthorized" });
    await other.close();
    const past = createLocalAuthority(manualClock(Date.now() - 30 * 24 * 3_600_000), systemRandom);
    const { client } = past.issue();
    expect(await attempt({ cert: client.certificate, key: client.key })).toMatch(/^(?:ERR_SSL|ECONNRESET|EPIPE)/);
  });

  it("is in a kubeconfig that its owner alone can read, and that is gone with it", async () => {
    const { kubeconfig } = world.proxy;
    const file = await stat(kubeconfig!);
    const folder = await stat(dirname(kubeconfig!));
    expect([file.mode & 0o777, folder.mode & 0o777]).toEqual([0o600, 0o700]);
    await world.proxy.close();
    expect(await readdir(join(world.folder, "kube"))).toEqual([]);
  });
});

describe("clusters", () => {
  it("are told apart by the path, where there are several", async () => {
    const several = await startTestProxy(gateway, login, { clusters: [cluster, { name: "b c", serverName: "k622063.kube.teleport.cluster.local", context: "b" }] });
    expect(several.proxy.clusters.map(({ server }) => server.replace(/:\d+/, ""))).toEqual(["https://127.0.0.1/clusters/ex", "https://127.0.0.1/clusters/b%20c"]);
    gateway.onRequest = (_request, response) => response.writeHead(307, { location: "/api/v1/there" }).end();
    const answer = await several.ask("/clusters/b%20c/api/v1/pods?x=1");
    expect(answer.headers.location).toBe("/clusters/b%20c/api/v1/there");
    expect(gateway.asked).toMatchObject([{ url: "/api/v1/pods?x=1", serverName: "k622063.kube.teleport.cluster.local" }]);
    for (const path of ["/api/v1/pods", "/clusters/exx/api", "/clusters/"]) expect((await several.ask(path)).status).toBe(404);
    await several.close();
  });
});

describe("the login", () => {
  it("that ended is told in Kubernetes' words, and requests succeed after a new one", async () => {
    login.outcome = new GatehouseError("unauthenticated", "your login to example ended 3 min ago; run: tsh login --proxy=example");
    const refused = await world.ask("/api/v1/pods");
    expect(refused.status).toBe(401);
    expect(JSON.parse(refused.body)).toMatchObject({ kind: "Status", message: "your login to example ended 3 min ago; run: tsh login --proxy=example" });
    // kubectl's first question, whose Status it does not read.
    const discovery = await world.ask("/apis", { headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" } });
    expect(discovery).toMatchObject({ status: 401, body: "your login to example ended 3 min ago; run: tsh login --proxy=example\n" });
    login.outcome = gateway.login("ana");
    expect((await world.ask("/api/v1/pods")).status).toBe(200);
  });

  it("that is replaced is used for what comes next, and what is under way goes on", async () => {
    let send: ((text: string) => void) | undefined;
    gateway.onRequest = (request, response) => {
      response.writeHead(200).write("one\n");
      if (request.url?.includes("watch") === true) send = (text) => response.end(text);
      else response.end();
    };
    const watch = await open("/api/v1/pods?watch=true");
    login.outcome = gateway.login("bo");
    await world.ask("/api/v1/pods");
    send?.("two\n");
    let text = "";
    for await (const chunk of watch) text += (chunk as Buffer).toString();
    expect(text).toBe("one\ntwo\n");
    expect(gateway.asked.map(({ user }) => user)).toEqual(["ana", "bo"]);
  });

  it("that the gateway refuses is doubted, and its words pass unchanged", async () => {
    gateway.onRequest = (_request, response) => response.writeHead(401, { "content-type": "application/json" }).end('{"kind":"Status","message":"session ended"}');
    expect(await world.ask("/api")).toMatchObject({ status: 401, body: '{"kind":"Status","message":"session ended"}' });
    expect(login.doubts).toBe(1);
  });

  it("of no use for TLS is told", async () => {
    login.outcome = { ...gateway.login("ana"), tlsCertificate: "nonsense" };
    expect(await world.ask("/api/v1/pods")).toMatchObject({ status: 401, body: expect.stringContaining("log in again") as string });
  });
});

describe("a gateway that is gone", () => {
  it("cuts what is under way, is told of, and is used again when it is back", async () => {
    gateway.onRequest = (_request, response) => void response.writeHead(200).write("{}\n");
    const watch = await open("/api/v1/pods?watch=true");
    const cut = once(watch, "error");
    watch.resume();
    await gateway.kill();
    await cut;
    const refused = await world.ask("/api/v1/pods");
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBeUndefined();
    expect(JSON.parse(refused.body)).toMatchObject({ kind: "Status", message: expect.stringContaining(`cannot reach the gateway ${gateway.address}: the connection was refused`) as string });
    gateway.onRequest = (_request, response) => response.writeHead(200).end("{}");
    await gateway.revive();
    expect((await world.ask("/api/v1/pods")).status).toBe(200);
  });

  it("is asked again where it closed a shared connection meanwhile", async () => {
    await world.ask("/api");
    let first = true;
    gateway.onRequest = (request, response) => {
      if (first) request.socket.destroy();
      else response.writeHead(200).end("{}");
      first = false;
    };
    expect((await world.ask("/api")).status).toBe(200);
  });

  it("that answers nobody of its name is not believed", async () => {
    login.outcome = { ...gateway.login("ana"), hostCertificates: [createTestAuthority("other").certificate] };
    expect(await world.ask("/api/v1/pods")).toMatchObject({ status: 503, body: expect.stringContaining("no authority known here vouches for its certificate") as string });
  });
});

describe("an upgrade", () => {
  const head = "GET /api/v1/namespaces/default/pods/x/exec?command=sh HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";
  const accept = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";

  it("passes bytes both ways, those right behind the headers too, and each side's end by itself", async () => {
    gateway.onUpgrade = (_request, socket, first) => {
      socket.allowHalfOpen = true;
      socket.write(`${accept}hello `);
      let text = first.toString();
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      // What it says after its client has ended must still arrive.
      socket.on("end", () => socket.end(`heard ${text}`));
    };
    const client = await rawConnection();
    client.write(`${head}early `);
    client.end("late");
    const text = await readAll(client);
    expect(text.replaceAll("\r\n", "\n")).toMatch(/^HTTP\/1.1 101 .*\n(?:.*\n)*X-Stream-Protocol-Version: v4.channel.k8s.io\n\nhello heard early late$/);
    const sent = gateway.asked[0]?.headers.join("\n") ?? "";
    expect(sent).toMatch(/^Upgrade\nSPDY\/3.1$/m);
    expect(sent).toMatch(/^Connection\nUpgrade$/m);
    expect(gateway.asked).toMatchObject([{ user: "ana", serverName: cluster.serverName }]);
    await expect.poll(() => world.proxy.requests.list(1)[0]).toMatchObject({ verb: "exec", what: "default/pods/x", status: 101, ended: expect.any(Number) as number });
  });

  it("lets a gateway that ends first be heard by a client that is slow to read", async () => {
    const size = 8 * 1024 * 1024;
    gateway.onUpgrade = (_request, socket) => {
      socket.write(accept);
      socket.end(Buffer.alloc(size, "x"));
    };
    const client = await rawConnection();
    client.write(head);
    await once(client, "readable");
    await new Promise((resolve) => setImmediate(resolve));
    // Pings of a client that does not know yet.
    client.write("ping");
    expect((await readAll(client)).length).toBe(accept.length + size);
    client.end();
  });

  it("that is refused passes the gateway's words, and so does one without an answer", async () => {
    const status = '{"kind":"Status","message":"pods \\"x\\" is forbidden"}';
    gateway.onUpgrade = (_request, socket) => socket.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: ${status.length}\r\n\r\n${status}`);
    const client = await rawConnection();
    client.write(head);
    const text = await readAll(client);
    expect(text).toMatch(/^HTTP\/1.1 403 Forbidden\r\n/);
    expect(text.endsWith(status)).toBe(true);
    gateway.onUpgrade = (_request, socket) => socket.destroy();
    const second = await rawConnection();
    second.write(head);
    expect(await readAll(second)).toMatch(/^HTTP\/1.1 503 [\s\S]*"kind":"Status"/);
  });

  it("ends with the proxy", async () => {
    gateway.onUpgrade = (_request, socket) => void socket.write(accept);
    const client = await rawConnection();
    client.on("error", () => undefined);
    client.write(head);
    await once(client, "data");
    const ended = once(client, "end");
    client.resume();
    await world.proxy.close();
    await ended;
    client.destroy();
  });
});
