import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { connect } from "node:tls";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { kubeServerName } from "../../api/index.ts";
import { createTestWorld } from "./test-world.ts";
import type { TestWorld } from "./test-world.ts";

let world: TestWorld;
afterEach(() => world.close());

const pods = "/api/v1/namespaces/web/pods";
const status = (body: string) => JSON.parse(body) as { kind: string; reason: string; message: string; code: number };
const containing = (text: string): unknown => expect.stringContaining(text);
const named = (event: string) => world.events.filter((one) => one.event === event);

describe("an ordinary request", () => {
  it("arrives as the person, and is audited before the answer", async () => {
    world = await createTestWorld();
    let auditedFirst = false;
    world.audit = async () => {
      await sleep(20);
      auditedFirst = true;
    };
    const options = await world.options("ana", { path: `${pods}?limit=5` });
    const request = httpsRequest(options).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(auditedFirst).toBe(true);
    response.resume();
    const [arrived] = world.arrived;
    expect(arrived!.url).toBe(`${pods}?limit=5`);
    expect(arrived!.headersDistinct["impersonate-user"]).toEqual(["ana"]);
    expect(arrived!.headersDistinct["impersonate-group"]).toEqual(["developers", "viewers", "system:authenticated"]);
    expect(arrived!.headers["x-forwarded-for"]).toBe("127.0.0.1");
    expect(named("kube.request")[0]).toMatchObject({ user: "ana", verb: "list", resource_kind: "pods", resource_namespace: "web", response_code: 200, path: pods });
  });

  it("of someone with a name beyond ASCII arrives as UTF-8", async () => {
    world = await createTestWorld();
    world.groups.set("zoë", ["prüfer"]);
    expect((await world.send("zoë", pods)).status).toBe(200);
    const utf8 = (name: string) => Buffer.from(String(world.arrived[0]!.headers[name]), "latin1").toString("utf8");
    expect(utf8("impersonate-user")).toBe("zoë");
    expect(utf8("impersonate-group")).toContain("prüfer");
  });

  it("goes on as the one user that roles give, and the audit log has the person beside", async () => {
    world = await createTestWorld();
    world.users.set("ana", ["ci"]);
    expect((await world.send("ana", pods)).status).toBe(200);
    expect((await world.send("ana", pods, { headers: { "impersonate-user": "ci", "impersonate-group": "viewers" } })).status).toBe(200);
    expect(world.arrived.map(({ headersDistinct }) => [headersDistinct["impersonate-user"], headersDistinct["impersonate-group"]])).toEqual([
      [["ci"], ["developers", "viewers", "system:authenticated"]],
      [["ci"], ["viewers", "system:authenticated"]],
    ]);
    expect(named("kube.request")[0]).toMatchObject({ user: "ana", login: "ana", kubernetes_user: "ci" });
    const own = await world.send("ana", pods, { headers: { "impersonate-user": "ana" } });
    expect([own.status, own.body]).toEqual([403, containing('in this cluster their roles give one user name: \\"ci\\"')]);
    expect(named("kube.denied")[0]).toMatchObject({ user: "ana", reason: containing('may not impersonate user "ana"') });
    expect(world.arrived).toHaveLength(2);
  });

  it("of somebody with several user names waits for a choice, and takes one of them alone", async () => {
    world = await createTestWorld();
    world.users.set("ana", ["bot", "ci"]);
    const none = await world.send("ana", pods);
    expect([none.status, none.body]).toEqual([403, containing('choose one with --as (\\"bot\\", \\"ci\\")')]);
    const group = await world.send("ana", pods, { headers: { "impersonate-group": "viewers" } });
    expect([group.status, group.body]).toEqual([403, containing("add --as with one of")]);
    expect((await world.send("ana", pods, { headers: { "Impersonate-User": "ci" } })).status).toBe(200);
    expect(world.arrived.map(({ headersDistinct }) => headersDistinct["impersonate-user"])).toEqual([["ci"]]);
    expect(named("kube.request")[0]).toMatchObject({ user: "ana", kubernetes_user: "ci" });
    expect(named("kube.denied").every((event) => event["user"] === "ana" && event["kubernetes_user"] === undefined)).toBe(true);
  });

  it.each([
    [{ "impersonate-user": "ana" }],
    [{ "impersonate-user": "bo" }],
    [{ "impersonate-user": "CI" }],
    [{ "impersonate-user": "ci " + "\u00a0" }],
    [{ "impersonate-user": "" }],
    [{ "impersonate-user": "bot, ci" }],
    [{ "impersonate-user": ["ci", "bot"] }],
    [{ "impersonate-user": ["ci", "ci"] }],
    [{ "impersonate-user": "system:admin" }],
    [{ "impersonate-user": "ci", "impersonate-group": "system:masters" }],
    [{ "impersonate-user": "ci", "impersonate-uid": "1" }],
    [{ "impersonate-user": "ci", "impersonate-extra-x": "1" }],
  ])("with %j reaches no one else's name, nor a wider one", async (headers) => {
    world = await createTestWorld();
    world.users.set("ana", ["bot", "ci"]);
    expect((await world.send("ana", pods, { headers })).status).toBe(403);
    expect(world.arrived).toHaveLength(0);
  });

  it.each(["system:admin", "System:admin"])("is not forwarded as %j even where a decision said so", async (name) => {
    world = await createTestWorld();
    for (const users of [[name], [name, "ci"]]) {
      world.users.set("ana", users);
      world.changed();
      expect((await world.send("ana", pods, { headers: { "impersonate-user": name } })).status).toBe(403);
    }
    expect((await world.send("ana", pods)).status).toBe(403);
    expect(world.arrived).toHaveLength(0);
  });

  it("that is a watch ends when its user name is taken away", async () => {
    world = await createTestWorld();
    world.answer = (_request, response) => void response.writeHead(200, { "content-type": "application/json" }).write("{}\n");
    world.users.set("ana", ["bot", "ci"]);
    const request = httpsRequest(await world.options("ana", { path: `${pods}?watch=1`, headers: { "impersonate-user": "ci" } })).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    let got = "";
    response.on("data", (chunk: Buffer) => (got += chunk.toString()));
    await expect.poll(() => got).toContain("{}");
    world.users.set("ana", ["bot"]);
    world.changed();
    await once(response, "close");
    expect(got).toContain('may no longer be user');
    expect(named("client.disconnect")[0]).toMatchObject({ user: "ana", kubernetes_user: "ci" });
  });

  it.each([" system:masters", "system:masters ", "a\tb\n", "\u00a0system:masters", ""])("with the group %j is not forwarded: the header would carry another", async (group) => {
    world = await createTestWorld();
    world.groups.set("ana", ["developers", group]);
    expect((await world.send("ana", pods)).status).toBe(403);
    expect(world.arrived).toHaveLength(0);
  });

  it("passes HEAD, 204, 304, repeated headers and sizes as they are", async () => {
    world = await createTestWorld();
    world.answer = (request, response) => {
      if (request.method === "HEAD") response.writeHead(200, { "content-length": "1234" });
      else if (request.url === "/version") response.writeHead(304, { etag: "x" });
      else response.writeHead(204, ["warning", "a", "warning", "b"]);
      response.end();
    };
    expect(await world.send("ana", pods, { method: "HEAD" })).toMatchObject({ status: 200, body: "", headers: { "content-length": "1234" } });
    expect(await world.send("ana", "/version")).toMatchObject({ status: 304, headers: { etag: "x" } });
    expect((await world.send("ana", pods, { method: "DELETE" })).headers["warning"]).toBe("a, b");
  });

  it("carries bodies small and large, with a length and chunked", async () => {
    world = await createTestWorld();
    world.answer = (request, response) => void request.pipe(response);
    const large = "x".repeat(3_000_000);
    for (const [body, headers] of [["small", {}], [large, {}], ["chunked", { "transfer-encoding": "chunked" }], [large, { "transfer-encoding": "chunked" }]] as const) {
      const answer = await world.send("ana", pods, { method: "POST", headers }, body);
      expect(answer.status).toBe(200);
      expect(answer.body === body).toBe(true);
    }
  });

  it("is answered early where the API server does not want the rest of the body", async () => {
    world = await createTestWorld();
    world.answer = (_request, response) => response.writeHead(413, { connection: "close" }).end("too much");
    const request = httpsRequest(await world.options("ana", { path: pods, method: "POST" }));
    request.on("error", () => undefined);
    request.write(Buffer.alloc(200_000));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  it("is cancelled upstream when its client goes, and is audited all the same", async () => {
    world = await createTestWorld();
    const cancelled = new Promise<void>((resolve) => {
      world.answer = (_request, response) => void response.on("close", resolve);
    });
    const request = httpsRequest(await world.options("ana", { path: pods }));
    request.on("error", () => undefined).end();
    await vi.waitFor(() => expect(world.arrived).toHaveLength(1));
    request.destroy();
    await cancelled;
    await vi.waitFor(() => expect(named("kube.request")[0]).toMatchObject({ response_code: 0, error: containing("client closed") }));
  });

  it("pipelined behind others, or before an upgrade, ends with its connection too", async () => {
    world = await createTestWorld();
    world.answer = (_request, response) => void response.writeHead(200, { "content-type": "application/json" }).write("{}\n");
    const watches = `GET ${pods}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(3);
    const upgrade = `GET ${pods}/a/exec?command=x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    for (const [requests, behind] of [[watches, "watches"], [watches + upgrade, "an upgrade"]] as const) {
      const before = world.arrived.length;
      const client = await world.raw("ana");
      client.resume().write(requests);
      await expect.poll(() => world.arrived.length - before).toBe(3);
      if (behind === "watches") client.destroy();
      await expect.poll(() => world.proxy.streams.count).toBe(0);
      await expect.poll(() => client.closed).toBe(true);
    }
    expect(named("kube.denied")[0]).toMatchObject({ response_code: 400, user: "ana", reason: containing("another request under way") });
  });

  it("holds the API server back when the client does not read", async () => {
    world = await createTestWorld();
    let written = 0;
    world.answer = (_request, response) => {
      const push = (): void => {
        while (written < 64_000_000) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", push);
        }
        response.end();
      };
      push();
    };
    const request = httpsRequest(await world.options("ana", { path: pods })).end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.pause();
    let before = -1;
    await vi.waitFor(() => {
      const same = written === before;
      before = written;
      if (!same) throw new Error("still growing");
    }, { interval: 300 });
    expect(written).toBeLessThan(40_000_000);
    let got = 0;
    for await (const chunk of response) got += (chunk as Buffer).length;
    expect(got).toBe(written);
  });

  it("gets 502 as a Status where no API server is", async () => {
    world = await createTestWorld({ upstream: { url: "https://127.0.0.1:1" } });
    const answer = await world.send("ana", pods);
    expect(answer.status).toBe(502);
    expect(status(answer.body)).toMatchObject({ kind: "Status", code: 502, message: containing("ECONNREFUSED") });
    expect(named("kube.request")[0]).toMatchObject({ response_code: 502 });
  });

  it("is refused with 429 when as much is under way as may be", async () => {
    world = await createTestWorld({ limits: { requests: 1 } });
    world.answer = () => undefined;
    const first = httpsRequest(await world.options("ana", { path: pods })).on("error", () => undefined).end();
    await vi.waitFor(() => expect(world.arrived).toHaveLength(1));
    const second = await world.send("ana", pods);
    expect(second).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    first.destroy();
  });

  it("goes with the token as it is now", async () => {
    let token = "one";
    let refreshed = 0;
    world = await createTestWorld({ upstream: { token: { current: () => token, refresh: () => (refreshed += 1), close: () => undefined } } });
    await world.send("ana", pods, { headers: { authorization: "Bearer mine" } });
    token = "two";
    world.answer = (_request, response) => response.writeHead(401).end();
    await world.send("ana", pods);
    expect(world.arrived.map((one) => one.headersDistinct["authorization"])).toEqual([["Bearer one"], ["Bearer two"]]);
    expect(refreshed).toBe(1);
  });
});

describe("a refusal", () => {
  it("is a Status with an id that its event has too", async () => {
    world = await createTestWorld();
    const answer = await world.send("ed", pods);
    expect(answer.status).toBe(403);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(status(answer.body).message).toMatch(/^ed may not use Kubernetes cluster "real" \(refusal /);
    const id = /\(refusal ([0-9a-f]{8})\)/.exec(status(answer.body).message)?.[1];
    expect(named("kube.denied")[0]).toMatchObject({ code: "G2002W", user: "ed", id, response_code: 403 });
    expect(world.arrived).toHaveLength(0);
  });

  it("meets a certificate that runs out on an open connection, and on a resumed session", async () => {
    world = await createTestWorld();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await world.send("ana", pods, { agent })).status).toBe(200);
    const first = await world.raw("ana");
    const [session] = (await once(first, "session")) as [Buffer];
    first.destroy();
    world.clock.advance(3_600_001);
    const open = await world.send("ana", pods, { agent });
    expect(open.status).toBe(401);
    expect(status(open.body)).toMatchObject({ reason: "Unauthorized", message: containing("expired") });
    const request = httpsRequest(await world.options("ana", { path: pods, session })).end();
    const [resumed] = (await once(request, "response")) as [IncomingMessage];
    expect(resumed.statusCode).toBe(401);
    expect("isSessionReused" in resumed.socket && (resumed.socket as unknown as { isSessionReused(): boolean }).isSessionReused()).toBe(true);
    resumed.resume();
    agent.destroy();
  });

  it("of who shows no certificate closes the connection, and is one event however much is asked on it", async () => {
    world = await createTestWorld();
    const { port, ca } = world;
    const client = connect({ host: "127.0.0.1", port, ca, servername: kubeServerName("real") });
    let got = "";
    client.on("data", (chunk: Buffer) => (got += chunk.toString()));
    client.write(`GET ${pods} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(50));
    await once(client, "close");
    expect(got.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(got).toMatch(/^HTTP\/1\.1 401 [^]*connection: close/);
    expect(named("kube.denied")).toHaveLength(1);
  });

  it("meets the next request after a change, without a new connection", async () => {
    world = await createTestWorld();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await world.send("ana", pods, { agent })).status).toBe(200);
    world.groups.delete("ana");
    world.changed();
    expect((await world.send("ana", pods, { agent })).status).toBe(403);
    world.groups.set("ana", ["viewers"]);
    world.changed();
    expect((await world.send("ana", pods, { agent })).status).toBe(200);
    expect(world.arrived.at(-1)!.headersDistinct["impersonate-group"]).toEqual(["viewers", "system:authenticated"]);
    agent.destroy();
  });

  it("of an unknown cluster is 404, of a Host for another one 421", async () => {
    world = await createTestWorld();
    expect((await world.send("ana", pods, { servername: kubeServerName("other") })).status).toBe(404);
    expect((await world.send("ana", pods, { headers: { host: `${kubeServerName("other").toUpperCase()}.:443` } })).status).toBe(421);
    expect((await world.send("ana", pods, { headers: { host: "anything.example.com" } })).status).toBe(200);
  });

  it("of a server name that is nearly a cluster's never reaches the default cluster", async () => {
    world = await createTestWorld();
    const statusFor = async (servername: string): Promise<number> => (await world.send("ana", pods, { servername, rejectUnauthorized: false })).status;
    expect(await statusFor(`${kubeServerName("real")}.`)).toBe(200);
    for (const name of [`${kubeServerName("other")}.`, "kzz.kube.teleport.cluster.local", "k.kube.teleport.cluster.local", "abc.kube.teleport.cluster.local"]) expect(await statusFor(name)).toBe(404);
  });

  it("of strangers who come too fast are told of together, and of others one by one", async () => {
    world = await createTestWorld();
    const { port, ca } = world;
    const ask = async (): Promise<string> => {
      const client = connect({ host: "127.0.0.1", port, ca, servername: kubeServerName("real") });
      let got = "";
      client.on("data", (chunk: Buffer) => (got += chunk.toString()));
      client.write(`GET /${"x".repeat(1000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
      await once(client, "close");
      return got;
    };
    for (let count = 0; count < 35; count++) expect(await ask()).toMatch(/^HTTP\/1\.1 401 /);
    expect(named("kube.denied")).toHaveLength(30);
    expect(named("kube.denied")[0]!["path"]).toHaveLength(128);
    expect((await world.send("ed", pods)).status).toBe(403);
    await world.proxy.close({ drainMs: 0 });
    expect(named("kube.denied").slice(30)).toMatchObject([{ user: "ed", response_code: 403 }, { "addr.remote": "127.0.0.1", count: 5, response_code: 401 }]);
  });
});

describe("where the audit log cannot be written", () => {
  it("nothing is answered, nothing more is forwarded, and all is well when it can be again", async () => {
    world = await createTestWorld();
    const secret = "what nobody may see";
    world.answer = (_request, response) => response.end(secret);
    world.audit = () => Promise.reject(new Error("disk full"));
    const unaudited = await world.send("ana", pods);
    expect(unaudited.status).toBe(500);
    expect(unaudited.body).not.toContain(secret);
    expect(world.arrived).toHaveLength(1);
    expect((await world.send("ana", pods, { method: "DELETE" })).status).toBe(503);
    expect(world.arrived).toHaveLength(1);
    world.audit = () => Promise.resolve();
    expect((await world.send("ana", pods)).status).toBe(503);
    expect((await world.send("ana", pods)).status).toBe(200);
  });
});
