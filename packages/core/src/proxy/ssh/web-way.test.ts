import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as tlsConnect } from "node:tls";
import type { Duplex } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { newKeyPair } from "../../ca/index.ts";
import { encodeSshMessage, parseCertificate, parseSshMessage, parseSshCertificate, SshWriter } from "../../formats/index.ts";
import { connectTransport } from "../../ssh/index.ts";
import { requireTool } from "../../testing/index.ts";
import { writeSshConfig } from "./test-ssh.ts";
import { hostLogin, openSshWorld, type Answer, type SshWorld, type TestPerson } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH");

/** Runs one command on a host over these bytes, as ssh would; resolves to its output. */
async function exec(socket: Duplex, privateKey: TestPerson["privateKey"], certificate: string, command: string): Promise<string> {
  const transport = await connectTransport({ socket, user: hostLogin, verifyHost: () => undefined, credentials: () => [{ method: "publickey", privateKey, certificate }] });
  return new Promise((resolve, reject) => {
    let output = "";
    transport.start({
      onPayload: (payload) => {
        if (payload[0] === 80) return;
        const message = parseSshMessage(payload);
        if (message.type === "channel_open_confirmation") {
          transport.send(encodeSshMessage({ type: "channel_request", channel: message.sender, name: "exec", wantReply: true, data: new SshWriter().string(command).toBuffer() }));
        } else if (message.type === "channel_data") output += message.data.toString();
        else if (message.type === "channel_close") {
          resolve(output);
          transport.disconnect(11, "done");
        }
      },
      onEnd: () => reject(new Error(`the connection ended after ${output}`)),
    });
    transport.send(encodeSshMessage({ type: "channel_open", kind: "session", sender: 0, window: 1 << 20, maxPacket: 32_768, data: Buffer.alloc(0) }));
  });
}

const closed = (socket: Duplex): Promise<void> => new Promise((resolve) => (socket.destroyed ? resolve() : socket.once("close", () => resolve())));

describe.skipIf(!available)("tsh's way to a host, end to end", () => {
  let world: SshWorld;
  let ana: TestPerson;
  const open: Answer[] = [];

  beforeAll(async () => {
    world = await openSshWorld();
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    await world.role("ops");
    ana = await world.logIn("ana", ["ops"]);
    world.events.length = 0;
  });
  afterEach(() => {
    world.ahead = 0;
    for (const { socket } of open.splice(0)) socket.destroy();
  });

  const key = newKeyPair();
  async function ask(person: TestPerson | undefined, changes: { target?: string; login?: string; port?: number; key?: string } = {}): Promise<Answer> {
    const answer = await world.connect(person, { target: "web-1", login: hostLogin, ...changes });
    open.push(answer);
    return answer;
  }

  it("dials, mints a certificate for that host and login, and passes bytes", async () => {
    const { privateKey, publicKey } = await key;
    const answer = await ask(ana, { key: publicKey });
    expect(answer.headers).toMatchObject({ "gatehouse-mode": "off", "gatehouse-node": "node-1", "gatehouse-node-name": "web-1" });
    const certificate = Buffer.from(answer.headers["gatehouse-certificate"] ?? "", "base64").toString();
    const { sessionId } = world.authorities.identifyUser(parseCertificate(ana.tlsCertificate).der);
    expect(parseSshCertificate(certificate)).toMatchObject({ keyId: `ana session=${sessionId ?? ""}`, principals: [`${hostLogin}@node-1`] });
    expect(Object.fromEntries(parseSshCertificate(certificate).criticalOptions)).toEqual({ "source-address": "127.0.0.1" });
    expect(await exec(answer.socket, privateKey, certificate, "echo hello from $USER"), world.sshd.log()).toBe(`hello from ${hostLogin}\n`);
    await closed(answer.socket);
    await expect.poll(() => world.last("ssh.disconnect")).toMatchObject({ user: "ana", login: hostLogin, server_id: "node-1", server_hostname: "web-1", mode: "off", sid: answer.headers["gatehouse-connection"], bytes_sent: expect.any(Number) as number });
    expect(world.last("ssh.connect")).toMatchObject({ code: "G2010I", user: "ana", login: hostLogin, target: "web-1", server_labels: { env: "staging" } });
    expect(world.proxy.hosts).toBe(0);
  });

  it.each(["node-1", "WEB-1", "web-1.example", "env=staging", "127.0.0.1"])("finds the host as %s", async (target) => {
    expect(await ask(ana, { target })).toMatchObject({ status: 101, headers: { "gatehouse-node": "node-1" } });
  });

  it.each<[string, () => Promise<unknown>, { login?: string; target?: string; port?: number; key?: string }, number, RegExp, Record<string, unknown>]>([
    ["a login of no role", () => Promise.resolve(), { login: "nobody-has-it" }, 403, /may not log in to web-1 as nobody-has-it: no role that selects this host allows login/, { rule: "node", login: "nobody-has-it", server_id: "node-1" }],
    ["a host by its labels", () => world.role("ops", { allow: { node_labels: { env: "production" } } }), {}, 403, /no role selects this host by its labels/, { rule: "node" }],
    ["a role that denies the host", () => world.role("ops", { deny: { node_labels: { env: "staging" } } }), {}, 403, /role ops denies this host by its labels/, { rule: "node", role: "ops", path: "spec.deny.node_labels" }],
    ["a role that denies the login", () => world.role("ops", { deny: { logins: [hostLogin] } }), {}, 403, /role ops denies login/, { rule: "node", role: "ops", path: "spec.deny.logins[0]" }],
    ["another address", () => world.role("ops", { options: { source_addresses: ["10.0.0.0/8"] } }), {}, 403, /from other addresses than 127\.0\.0\.1/, { rule: "source_addresses" }],
    ["a host that is none", () => Promise.resolve(), { target: "web-2" }, 404, /there is no host "web-2"/, { rule: "target", target: "web-2" }],
    ["a port that the host has not", () => Promise.resolve(), { port: 1 }, 404, /no host "web-1" with port 1/, { rule: "target" }],
    ["a locked login", () => world.put({ kind: "lock", version: "v2", metadata: { name: "l-login" }, spec: { target: { login: hostLogin }, message: "no" } }), {}, 403, /is locked: no \(lock l-login\)/, { rule: "lock", lock: "l-login" }],
    ["a locked host", () => world.put({ kind: "lock", version: "v2", metadata: { name: "l-node" }, spec: { target: { node: "web-1" } } }), {}, 403, /node "web-1" is locked/, { rule: "lock", lock: "l-node" }],
    ["a locked person", () => world.put({ kind: "lock", version: "v2", metadata: { name: "l-user" }, spec: { target: { user: "ana" } } }), {}, 403, /user "ana" is locked/, { rule: "identity", lock: "l-user" }],
  ])("refuses %s, with the rule in the log", async (_what, before, request, status, message, event) => {
    await before();
    const answer = await ask(ana, request);
    for (const name of ["l-login", "l-node", "l-user"]) await world.remove("lock", name).catch(() => undefined);
    expect(answer).toMatchObject({ status, body: { message: expect.stringMatching(message) as string, id: expect.stringMatching(/^[0-9a-f]{8}$/) as string } });
    expect(world.last("auth")).toMatchObject({ code: "T3007W", user: "ana", id: answer.body.id, ...event });
    expect(world.proxy.hosts).toBe(0);
    expect(world.events.some(({ event: name }) => name === "ssh.connect")).toBe(false);
  });

  it("refuses contradicting commands", async () => {
    await world.role("one", { options: { force_command: "uptime" } });
    await world.role("two", { options: { force_command: "id" } });
    expect(await ask(await world.logIn("both", ["one", "two"]))).toMatchObject({ status: 403, body: { message: expect.stringContaining("different commands") as string } });
    expect(world.last("auth")).toMatchObject({ rule: "force_command", error: "roles force different commands: uptime; id" });
  });

  it("forces a role's command upon the host", async () => {
    await world.role("uptime", { options: { force_command: "echo forced" } });
    const { privateKey, publicKey } = await key;
    const answer = await ask(await world.logIn("forced", ["uptime"]), { key: publicKey });
    expect(await exec(answer.socket, privateKey, Buffer.from(answer.headers["gatehouse-certificate"] ?? "", "base64").toString(), "echo hello")).toBe("forced\n");
  });

  it("asks for a certificate, of a login that is still one", async () => {
    expect(await ask(undefined)).toMatchObject({ status: 401, body: { message: expect.stringContaining("client certificate") as string } });
    expect(world.last("auth")).toMatchObject({ rule: "certificate" });
    world.ahead = 3_700_000;
    expect(await ask(ana)).toMatchObject({ status: 401, body: { message: expect.stringContaining("expired") as string } });
  });

  it("refuses malformed requests without writing them down", async () => {
    expect((await ask(ana, { key: "ssh-ed25519 AAAA" })).status).toBe(400);
    const socket = tlsConnect({ port: world.webPort, host: "127.0.0.1", rejectUnauthorized: false, servername: "s6578616d706c65.teleport.cluster.local" });
    socket.end("GET /gatehouse/v1/ssh/connect?target=a HTTP/1.1\r\nhost: a\r\n\r\n");
    const text = await new Promise<string>((resolve) => {
      let all = "";
      socket.on("data", (chunk: Buffer) => (all += chunk.toString())).once("close", () => resolve(all));
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 .*only an upgrade/s);
  });

  it("says that a host is away", async () => {
    await world.put({ kind: "node", version: "v2", metadata: { name: "node-2" }, spec: { addr: "127.0.0.1:1", hostname: "away" } });
    expect(await ask(ana, { target: "away" })).toMatchObject({ status: 504, body: { message: "away cannot be reached: nothing listens there" } });
    expect(world.last("ssh.connect")).toMatchObject({ code: "G2010E", error: "127.0.0.1 port 1: ECONNREFUSED", server_id: "node-2" });
    await world.remove("node", "node-2");
  });

  it("lets nothing pass that cannot be audited", async () => {
    world.auditBroken = true;
    expect((await ask(ana)).status).toBe(504);
    world.auditBroken = false;
    // Its refusal is the first event that the log takes again.
    expect((await ask(ana)).status).toBe(504);
    expect((await ask(ana)).status).toBe(101);
    open.splice(0).forEach(({ socket }) => socket.destroy());
    await expect.poll(() => world.proxy.hosts).toBe(0);
    expect(world.proxy.hosts).toBe(0);
  });

  it("counts max_sessions", async () => {
    await world.role("few", { options: { max_sessions: 1 } });
    const bo = await world.logIn("bo", ["few"]);
    const first = await ask(bo);
    expect(first.status).toBe(101);
    expect(await ask(bo)).toMatchObject({ status: 403, body: { message: expect.stringContaining("max_sessions") as string } });
    expect(world.last("auth")).toMatchObject({ rule: "max_sessions", user: "bo" });
    first.socket.destroy();
    await expect.poll(async () => (await ask(bo)).status).toBe(101);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ["the person is removed", () => world.remove("user", "ana"), /removed/],
    ["the role lets in no more", () => world.role("ops", { allow: { logins: ["another"] } }), /no role that selects this host allows login/],
    ["the host is locked", () => world.put({ kind: "lock", version: "v2", metadata: { name: "live" }, spec: { target: { node: "node-1" } } }), /lock live/],
    ["the session is locked", () => world.put({ kind: "lock", version: "v2", metadata: { name: "live" }, spec: { target: { session: open.at(-1)?.headers["gatehouse-connection"] } } }), /lock live/],
    ["the certificate ends", () => Promise.resolve((world.ahead = 3_700_000)), /expired/],
    ["the role forces a command now", () => world.role("ops", { options: { force_command: "id" } }), /another command/],
  ])("ends it when %s", async (_what, change, reason) => {
    const answer = await ask(ana);
    expect(answer.status).toBe(101);
    answer.socket.resume();
    await change();
    await closed(answer.socket);
    await world.remove("lock", "live").catch(() => undefined);
    expect(world.last("client.disconnect")).toMatchObject({ user: "ana", server_id: "node-1", reason: expect.stringMatching(reason) as string });
    const id = answer.headers["gatehouse-connection"] ?? "";
    expect(await world.ending(ana, id)).toMatchObject({ status: 200, body: { message: expect.stringMatching(reason) as string } });
    expect((await world.ending(await world.logIn("eve", ["ops"]), id)).status).toBe(404);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["port forwarding", { port_forwarding: false }, /no port forwarding any more/],
    ["agent forwarding", { forward_agent: false }, /no agent forwarding any more/],
    ["X11", { x11_forwarding: false }, /no X11 any more/],
  ])("ends it when the roles take back %s", async (_what, changed, reason) => {
    const all = { port_forwarding: true, forward_agent: true, x11_forwarding: true };
    await world.role("ops", { options: all });
    const answer = await ask(ana);
    answer.socket.resume();
    await world.role("ops", { options: { ...all, ...changed } });
    await closed(answer.socket);
    expect(world.last("client.disconnect")).toMatchObject({ user: "ana", reason: expect.stringMatching(reason) as string });
  });

  it("ends one whose login nobody said when one of its logins is taken back", async () => {
    await world.role("ops", { allow: { logins: [hostLogin, "guest"] } });
    const through = spawn("ssh", ["-F", await writeSshConfig(world, ana), "-W", "web-1:22", "gw"], { stdio: "pipe" });
    try {
      await once(through.stdout, "data");
      await world.role("ops", { allow: { logins: ["guest"] } });
      await once(through, "close");
      expect(world.last("client.disconnect")).toMatchObject({ user: "ana", reason: expect.stringContaining(`as ${hostLogin} any more`) as string });
    } finally {
      through.kill();
    }
  });

  it("ends it when another host takes the place of this one", async () => {
    const answer = await ask(ana);
    answer.socket.resume();
    const node = world.auth.nodes.get("node-1")!;
    const spec = { addr: `127.0.0.1:${String(node.addr.port)}`, hostname: "web-1" };
    const put = (key: string | undefined): Promise<void> => world.put({ kind: "node", version: "v2", metadata: { name: "node-1", labels: { env: "staging" } }, spec: { ...spec, host_key: key } });
    await put(`SHA256:${"A".repeat(43)}`);
    await closed(answer.socket);
    await put(node.hostKey);
    expect(world.last("client.disconnect")).toMatchObject({ reason: expect.stringContaining("web-1 is another host now") as string });
  });

  it("keeps places for others", async () => {
    const small = await openSshWorld({ limits: { hostsPerPerson: 1 } });
    try {
      await small.role("ops");
      const [one, two] = [await small.logIn("one", ["ops"]), await small.logIn("two", ["ops"])];
      const asked = { target: "web-1", login: hostLogin };
      const first = await small.connect(one, asked);
      expect(first.status).toBe(101);
      expect(await small.connect(one, asked)).toMatchObject({ body: { code: "limit_exceeded", message: "1 connections of yours are open already" } });
      const second = await small.connect(two, asked);
      expect(second.status).toBe(101);
      first.socket.destroy();
      second.socket.destroy();
      await expect.poll(() => small.proxy.hosts).toBe(0);
      expect((await small.connect(one, asked)).status).toBe(101);
    } finally {
      await small.close();
    }
  });

  it("ends what is idle", async () => {
    await world.role("brief", { options: { client_idle_timeout: "1s" } });
    const answer = await ask(await world.logIn("idle", ["brief"]));
    answer.socket.resume();
    world.ahead = 2000;
    await closed(answer.socket);
    expect(world.last("client.disconnect")).toMatchObject({ reason: expect.stringContaining("nothing was sent for") as string });
  });
});
