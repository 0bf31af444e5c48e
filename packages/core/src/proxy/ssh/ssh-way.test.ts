import { spawn } from "node:child_process";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemRandom } from "../../base/index.ts";
import { newKeyPair } from "../../ca/index.ts";
import { formatAuthorizedKey, parseSshCertificate, signSshCertificate, sshPublicKey, type SshCertificateFields } from "../../formats/index.ts";
import { connectTransport } from "../../ssh/index.ts";
import { requireTool } from "../../testing/index.ts";
import { ssh, writeSshConfig } from "./test-ssh.ts";
import { hostLogin, openSshWorld, type SshWorld, type TestPerson } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");

describe.skipIf(!available)("the way of OpenSSH's own client", () => {
  let world: SshWorld;
  let ana: TestPerson;
  let config: string;

  beforeAll(async () => {
    world = await openSshWorld({ mode: "proxy", adminAddress: () => admin.address() as never });
    admin.listen(0, "127.0.0.1");
    await once(admin, "listening");
  });
  afterAll(async () => {
    admin.close();
    await world.close();
  });
  const admin = createServer((socket) => socket.on("error", () => undefined).pipe(socket));
  beforeEach(async () => {
    await world.role("ops");
    ana = await world.logIn("ana", ["ops"]);
    config = await writeSshConfig(world, ana);
    world.events.length = 0;
  });
  afterEach(async () => {
    world.ahead = 0;
    for (const { metadata } of await world.auth.admin.get({ type: "local-admin" }, { kind: "lock" }, { withSecrets: false }).then((items) => items.map(({ resource }) => resource))) await world.remove("lock", metadata.name);
  });

  it("runs a command by -J, recorded", async () => {
    expect(await ssh(config, "web-1", "echo out; echo err >&2; exit 42"), world.sshd.log()).toEqual({ code: 42, stdout: "out\n", stderr: "err\n" });
    await expect.poll(() => world.last("session.end")).toMatchObject({ user: "ana", login: hostLogin, server_id: "node-1" });
    expect(world.sshd.log()).toMatch(/ID ana session=[0-9a-f-]{36}/);
  });

  it.each(["node-1", "web-1.example", "127.0.0.1", "env=staging"])("reaches the host as %s", async (target) => {
    expect(await ssh(config, target, "echo here")).toMatchObject({ code: 0, stdout: "here\n" });
  });

  it("takes SSH on the shared port as well", async () => {
    expect(await ssh(config, "-J", "gw-web", "web-1", "echo shared")).toMatchObject({ code: 0, stdout: "shared\n" });
  });

  it("connects by v3's subsystem, which a ProxyCommand can ask for", async () => {
    for (const subsystem of ["proxy:%h:%p", "proxy:%h:0@example", "proxy:%h:0@default@example"]) {
      const outcome = await ssh(config, "-o", "ProxyJump=none", "-o", `ProxyCommand=ssh -F ${config} -s gw ${subsystem}`, "web-1", "echo by subsystem");
      expect(outcome).toMatchObject({ code: 0, stdout: "by subsystem\n" });
    }
  });

  it("lists its one site, and reaches the admin API", async () => {
    const sites = await ssh(config, "-s", "gw", "proxysites");
    expect(JSON.parse(sites.stdout)).toEqual([{ name: "example", lastconnected: expect.any(String) as string, status: "online" }]);
    expect(sites.code).toBe(0);
    const child = spawn("ssh", ["-F", config, "-s", "gw", "proxy:@example"], { stdio: ["pipe", "pipe", "inherit"] });
    child.stdin.end("bytes to the admin API");
    let got = "";
    child.stdout.on("data", (chunk: Buffer) => (got += chunk.toString()));
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(got).toBe("bytes to the admin API");
  });

  it.each([
    [["gw"], "(proxy) proxy doesn't support request type 'shell'"],
    [["gw", "id"], "(proxy) proxy doesn't support request type 'exec'"],
    [["-s", "gw", "sftp"], 'there is no subsystem "sftp" here'],
    [["-s", "gw", "proxy:nowhere:0"], 'there is no host "nowhere" in this cluster'],
    [["-s", "gw", "proxy:web-1:0@other"], 'there is no cluster "other" here: this is example'],
    [["-s", "gw", "proxy:@other"], 'there is no cluster "other" here'],
    [["-s", "gw", "proxy:web-1:0@ns@example"], "no namespaces but default"],
    [["-N", "-W", "nowhere:22", "gw"], 'there is no host "nowhere"'],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await ssh(config, ...args);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  });

  it.each<[string, () => Promise<unknown>, string, RegExp, Record<string, unknown>]>([
    ["a login of no role", () => Promise.resolve(), "daemon@web-1", /may not log in to web-1 as daemon/, { rule: "node", login: "daemon" }],
    ["a forbidden label", () => world.role("ops", { deny: { node_labels: { env: "staging" } } }), "web-1", /role ops denies this host by its labels/, { rule: "node", role: "ops" }],
  ])("refuses %s before the host hears of it, with the rule in the log and an id for the person", async (_what, before, target, message, event) => {
    await before();
    const lines = world.sshd.log().length;
    const { code, stderr } = await ssh(config, target, "id");
    expect(code).toBe(255);
    expect(stderr).toMatch(message);
    const [, id] = /\(refusal ([0-9a-f]{8})\)/.exec(stderr) ?? [];
    expect(world.last("auth")).toMatchObject({ code: "T3007W", user: "ana", id, server_id: "node-1", ...event });
    expect(world.sshd.log().slice(lines)).not.toMatch(/Accepted|userauth/);
  });

  describe("takes certificates of people alone", () => {
    const wrong = async (certificate: string, key = ana.privateKey): Promise<string> => (await ssh(await writeSshConfig(world, { name: "wrong", privateKey: key, sshCertificate: certificate }), "-s", "gw", "proxysites")).stderr;
    const authorityKey = async (): Promise<ReturnType<typeof createPrivateKey>> => {
      const stored = await world.secretOf("cert_authority", "user");
      return createPrivateKey((JSON.parse(stored) as { ssh_keys: string[] }).ssh_keys[0]!);
    };
    const now = (): number => Math.floor(Date.now() / 1000);
    const sign = async (changes: Partial<SshCertificateFields>, authority?: ReturnType<typeof createPrivateKey>): Promise<string> =>
      signSshCertificate(
        {
          type: "user", publicKey: sshPublicKey(ana.privateKey), serial: 1n, keyId: "ana", principals: [hostLogin], validAfter: 0n, validBefore: BigInt(now() + 3600), criticalOptions: new Map(),
          extensions: new Map([["teleport-roles", '{"version":"v1","roles":["ops"]}'], ["gatehouse-session", '{"subject":"a","session":"b"}']]), ...changes,
        },
        authority ?? (await authorityKey()),
        systemRandom,
      );

    it.each<[string, () => Promise<string> | string, RegExp]>([
      ["of another authority", () => sign({}, generateKeyPairSync("ed25519").privateKey), /not a trusted authority/],
      ["for one connection", () => world.authorities.issueConnection({ publicKey: formatAuthorizedKey(sshPublicKey(ana.privateKey)), username: "ana", sessionId: "1", login: hostLogin, nodeId: "node-1", sourceAddresses: ["127.0.0.1"], ttl: 60_000, permitPortForwarding: false, permitAgentForwarding: false }).ssh, /one connection to a host/],
      ["for another login", () => sign({ principals: ["another"] }), /it is not for "/],
      ["from another address", () => sign({ criticalOptions: new Map([["source-address", "10.0.0.0/8"]]) }), /may not be used from this address/],
      ["with an option that is not known", () => sign({ criticalOptions: new Map([["verify-required", ""]]) }), /critical option "verify-required" is not supported/],
      ["of a login that was never", () => sign({}), /login session has ended/],
      ["of no login", () => sign({ extensions: new Map([["teleport-roles", '{"version":"v1","roles":[]}']]) }), /names no login session/],
    ])("not one %s", async (_what, certificate, message) => {
      const stderr = await wrong(await certificate());
      expect(stderr).toMatch(/Permission denied/);
      expect(stderr).toMatch(message);
      expect(world.last("auth")).toMatchObject({ code: "T3007W", success: false, error: expect.stringMatching(message) as string });
    });

    it("not one that has expired, and none of a login that was ended", async () => {
      world.ahead = 3_700_000;
      expect(await wrong(ana.sshCertificate)).toMatch(/it has expired/);
      world.ahead = 0;
      await world.auth.logins.logout(world.auth.gatekeeper.identify(world.authorities.identifySshUser(parseSshCertificate(ana.sshCertificate), { login: hostLogin, address: "127.0.0.1" })));
      expect(await wrong(ana.sshCertificate)).toMatch(/login session has ended/);
      expect(world.last("auth")).toMatchObject({ user: "ana", rule: "identity" });
    });

    it("not one of a host", async () => {
      const { ssh: certificate } = world.authorities.issueHost({ publicKey: formatAuthorizedKey(sshPublicKey(ana.privateKey)), hostId: "h", nodeName: "h", role: "Node", principals: [], dnsNames: [], ipAddresses: [], ttl: 60_000 });
      // OpenSSH shows none whose type is wrong, another client would.
      expect(await wrong(certificate)).toMatch(/Permission denied/);
      const socket = connect(world.port, "127.0.0.1");
      const banners: string[] = [];
      const credentials = [{ method: "publickey", privateKey: ana.privateKey, certificate } as const];
      await expect(connectTransport({ socket, user: hostLogin, verifyHost: () => undefined, credentials: () => credentials, onBanner: (text) => banners.push(text) })).rejects.toThrow();
      expect(banners.join("")).toMatch(/it is a host's certificate, not a person's/);
      expect(world.last("auth")).toMatchObject({ error: expect.stringContaining("a host's certificate") as string });
    });

    it("not a plain key", async () => {
      expect(await wrong("", (await newKeyPair()).privateKey)).toMatch(/Permission denied \(publickey\)/);
      await expect.poll(() => world.last("auth")).toMatchObject({ code: "T3007W", error: "no certificate of this cluster was shown", rule: "certificate" });
    });
  });

  it("lets somebody without logins in, to be told so", async () => {
    await world.put({ kind: "role", version: "v3", metadata: { name: "none" }, spec: { allow: { logins: [] } } });
    const nobody = await writeSshConfig(world, await world.logIn("nobody", ["none"]));
    expect((await ssh(nobody, "-s", "gw", "proxysites")).code).toBe(0);
    expect((await ssh(nobody, "web-1", "id")).stderr).toMatch(/none of your roles gives you a login/);
  });

  it("refuses a host whose certificate is not ours", async () => {
    const stranger = await openSshWorld({ mode: "proxy", hostAuthority: world.authorities });
    try {
      await stranger.role("ops");
      const { code, stderr } = await ssh(await writeSshConfig(stranger, await stranger.logIn("ana", ["ops"])), "web-1", "id");
      expect(code).toBe(255);
      expect(stderr).toMatch(/web-1 is not trusted: .*not a trusted authority/);
      expect(stranger.last("auth")).toMatchObject({ rule: "host_certificate", server_id: "node-1", user: "ana" });
      expect(stranger.sshd.log()).not.toMatch(/Accepted/);
    } finally {
      await stranger.close();
    }
  });

  it("refuses a host with another key than it joined with", async () => {
    const entry = world.auth.nodes.get("node-1")!;
    const node = (hostKey: string): Promise<void> => world.put({ kind: "node", version: "v2", metadata: { name: "node-1", labels: entry.labels }, spec: { addr: `127.0.0.1:${String(world.sshd.port)}`, hostname: "web-1", host_key: hostKey } });
    await node(`SHA256:${"A".repeat(43)}`);
    expect((await ssh(config, "web-1", "id")).stderr).toMatch(/its key is not the one that it joined with/);
    await node(entry.hostKey!);
  });

  it("carries many sessions in one connection", async () => {
    const control = `${world.directory}/control`;
    const master = spawn("ssh", ["-F", config, "-M", "-S", control, "-N", "web-1"], { stdio: "ignore" });
    await expect.poll(async () => (await ssh(config, "-S", control, "-O", "check", "web-1")).code).toBe(0);
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, index) => ssh(config, "-S", control, "web-1", `echo ${String(index)}`)));
    expect(outcomes.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 20 }, (_, index) => `${String(index)}\n`));
    master.kill();
    await once(master, "exit");
  });

  it("tells on the screen why it ends", async () => {
    const child = spawn("ssh", ["-F", config, "web-1", "echo ready; sleep 60"], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await expect.poll(() => text).toContain("ready");
    await world.put({ kind: "lock", version: "v2", metadata: { name: "now" }, spec: { target: { user: "ana" }, message: "laptop stolen" } });
    await once(child, "close");
    expect(text).toMatch(/laptop stolen/);
  });

  it("keeps what one connection may have within limits", async () => {
    const socket = connect(world.port, "127.0.0.1");
    await once(socket, "connect");
    socket.destroy();
    await expect.poll(() => world.proxy.connections).toBe(0);
  });
});
