import { copyFile, mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nullLogger, systemClock, systemRandom } from "@gatehouse/core/base";
import { newKeyPair, openAuthorities, type Authorities } from "@gatehouse/core/ca";
import { encodeOpenSshPrivateKey } from "@gatehouse/core/formats";
import { openStore, type Store } from "@gatehouse/core/store";
import { requireTool } from "@gatehouse/core/testing";
import { startJoiningHost, type JoiningHost } from "../support/joining-host.ts";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, createWorld, tctlPath, tshPath, type World } from "../support/world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh-keygen", "apt-get install openssh-client") && requireTool("curl", "apt-get install curl") && requireTool("openssl", "apt-get install openssl");

/** What `tctl nodes add --format=json` says. */
interface Added {
  readonly token: string;
  readonly command: string;
}
interface Listed {
  readonly id: string;
  readonly hostname: string;
  readonly addr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly host_key: string;
}

describe.skipIf(!available)("hosts that join", () => {
  const login = userInfo().username;
  let world: World;
  let store: Store;
  let authorities: Authorities;
  const hosts: JoiningHost[] = [];

  beforeAll(async () => {
    world = await createWorld();
    // The authorities of the running gateway, to mint what it mints.
    store = await openStore({ path: join(world.dataDir, "gatehouse.db"), keyFile: join(world.dataDir, "secret.key"), clock: systemClock, random: systemRandom, logger: nullLogger });
    authorities = await openAuthorities({ store, clusterName: "example", clock: systemClock, random: systemRandom });
  });
  afterAll(async () => {
    for (const host of hosts) await host.close();
    await store.close();
    await world.close();
  });

  async function host(name: string, lines?: readonly string[], keys?: readonly string[]): Promise<JoiningHost> {
    const started = await startJoiningHost(join(world.folder, name), lines, keys);
    hosts.push(started);
    return started;
  }
  async function add(...args: string[]): Promise<Added> {
    const made = await world.tctl(["nodes", "add", ...args, "--format=json"]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    return JSON.parse(made.stdout) as Added;
  }
  async function nodes(): Promise<readonly Listed[]> {
    const listed = await world.tctl(["nodes", "ls", "--format=json"]);
    expect(listed, listed.stderr).toMatchObject({ code: 0 });
    return JSON.parse(listed.stdout) as Listed[];
  }
  const node = async (hostname: string): Promise<Listed> => {
    const found = (await nodes()).find((each) => each.hostname === hostname);
    if (!found) throw new Error(`there is no node ${hostname}`);
    return found;
  };
  async function last(event: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    return (await world.events()).findLast((each) => each["event"] === event);
  }
  /** Everything that a join may touch, by path. */
  async function files({ folder }: JoiningHost): Promise<Readonly<Record<string, string>>> {
    const names = (await readdir(folder, { recursive: true })).filter((name) => !name.startsWith("sshd.pid"));
    const entries = await Promise.all(names.sort().map(async (name) => [name, (await stat(join(folder, name))).isFile() ? await readFile(join(folder, name), "utf8") : "folder"] as const));
    return Object.fromEntries(entries);
  }
  let attempts = 0;
  /** Goes straight to a host's sshd, with a key and a certificate of a person. */
  async function straight(to: JoiningHost, certificate: (publicKey: string) => string, knownAs: string): Promise<Outcome> {
    const folder = join(world.folder, `attempt-${String(attempts++)}`);
    await mkdir(folder);
    const key = await newKeyPair();
    await writeFile(join(folder, "id"), encodeOpenSshPrivateKey(key.privateKey), { mode: 0o600 });
    await writeFile(join(folder, "id-cert.pub"), certificate(key.publicKey));
    const exported = await world.tctl(["auth", "export", "--type=host"]);
    await writeFile(join(folder, "known_hosts"), exported.stdout.replace(/\*\.example/, "*"));
    const options = [`IdentityFile=${join(folder, "id")}`, `CertificateFile=${join(folder, "id-cert.pub")}`, "IdentitiesOnly=yes", `UserKnownHostsFile=${join(folder, "known_hosts")}`, "StrictHostKeyChecking=yes", `HostKeyAlias=${knownAs}`, "BatchMode=yes", "LogLevel=ERROR"];
    return run("ssh", ["-F", "none", ...options.flatMap((option) => ["-o", option]), "-p", String(to.port), `${login}@127.0.0.1`, "echo in"], { env: { PATH: process.env["PATH"], HOME: folder } });
  }
  const minted = (nodeId: string, changes: { readonly username?: string; readonly sessionId?: string; readonly login?: string; readonly sourceAddresses?: readonly string[] } = {}) => (publicKey: string): string =>
    authorities.issueConnection({ publicKey, username: "ana", sessionId: "none", login, nodeId, sourceAddresses: ["127.0.0.1/32"], ttl: 60_000, permitPortForwarding: false, permitAgentForwarding: false, ...changes }).ssh;

  it("by one line and a token on standard input are nodes, and let in whoever the gateway minted a certificate for, and nobody else's", async () => {
    const web = await host("web-1");
    const { token, command } = await add("--name=web-*", "--labels=env=staging,rack=*");
    expect(command).not.toContain(token);
    const joined = await web.join(command, token, ["--name=Web-1", "--labels=rack=r7"]);
    expect(joined, joined.stderr).toMatchObject({ code: 0, stdout: "", stderr: expect.stringMatching(/^✔ web-1 is a node of example now \([0-9a-f-]{36}\)\n$/) as string });
    const { id, ...rest } = await node("web-1");
    const shown = (await run("ssh-keygen", ["-l", "-f", join(web.folder, "ssh_host_ed25519_key.pub")])).stdout.split(" ")[1];
    expect(rest).toEqual({ hostname: "web-1", addr: `127.0.0.1:${String(web.port)}`, labels: { env: "staging", rack: "r7" }, host_key: shown });
    expect(await last("node.create")).toMatchObject({ name: id, user: "node:web-1", hostname: "web-1", host_key: shown });
    expect(await last("host_cert.create")).toMatchObject({ server_id: id, principals: [`${id}.example`, "web-1.example", "web-1"] });

    for (const name of [`${id}.example`, "web-1.example", "web-1"]) {
      const came = await straight(web, minted(id), name);
      expect(came, `${came.stderr}${web.log()}`).toMatchObject({ code: 0, stdout: "in\n" });
    }
    await expect.poll(() => web.log()).toContain("ID ana session=none");
    // Not under another name, another login, at another host, from another address, and never by a person's own certificate.
    expect(await straight(web, minted(id), "web-2")).toMatchObject({ code: 255, stderr: expect.stringContaining("Host key verification failed") as string });
    const refused = expect.objectContaining({ code: 255, stderr: expect.stringContaining("Permission denied") as string }) as unknown;
    expect(await straight(web, minted(id, { login: "nobody" }), "web-1")).toEqual(refused);
    expect(await straight(web, minted("00000000-0000-4000-8000-000000000000"), "web-1")).toEqual(refused);
    expect(await straight(web, minted(id, { sourceAddresses: ["10.9.9.9/32"] }), "web-1")).toEqual(refused);
    const own = (publicKey: string): string =>
      authorities.issueUser({ publicKey, username: "ana", subjectId: "s", sessionId: "s", roles: ["access"], logins: [login, `${login}@${id}`], traits: {}, ttl: 600_000, permitPortForwarding: false, permitAgentForwarding: false, format: "standard" }).ssh;
    expect(await straight(web, own, "web-1")).toEqual(refused);
  });

  it("are listed for those who may log in there, with the accounts, and for administrators", async () => {
    await world.tctl(["create", "-f", "-"], {
      input: "kind: role\nversion: v3\nmetadata: {name: hosts}\nspec: {allow: {logins: [root, web], node_labels: {env: staging}}, deny: {logins: [admin]}}\n---\nkind: user\nversion: v2\nmetadata: {name: job}\nspec: {roles: [hosts]}\n---\nkind: node\nversion: v2\nmetadata: {name: by-hand, labels: {env: staging, tier: db}}\nspec: {addr: '10.0.0.9:2222'}\n---\nkind: node\nversion: v2\nmetadata: {name: forbidden, labels: {env: prod}}\nspec: {addr: 10.0.0.10}\n",
    });
    expect((await world.tctl(["auth", "sign", "--user=job", `--out=${join(world.folder, "job.pem")}`])).code).toBe(0);
    const tsh = (...args: string[]): Promise<Outcome> => run(process.execPath, [tshPath, "-i", join(world.folder, "job.pem"), ...args], { env: cleanEnv({ HOME: world.folder }) });
    const listed = await tsh("ls", "--format=json");
    expect(listed, listed.stderr).toMatchObject({ code: 0 });
    const hostsOf = (text: string): unknown => (JSON.parse(text) as { hostname: string }[]).filter(({ hostname }) => ["by-hand", "web-1", "forbidden"].includes(hostname));
    expect(hostsOf(listed.stdout)).toMatchObject([
      { id: "by-hand", hostname: "by-hand", addr: "10.0.0.9:2222", labels: { env: "staging", tier: "db" }, logins: ["root", "web"] },
      { hostname: "web-1", labels: { env: "staging", rack: "r7" }, logins: ["root", "web"] },
    ]);
    expect(await tsh("ls", "tier=db")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^HOST +ADDRESS +LABELS +LOGINS\nby-hand +10\.0\.0\.9:2222 +env=staging,tier=db +root, web\n$/) as string });
    expect(await tsh("ls", "tier=none")).toMatchObject({ code: 0, stdout: "", stderr: expect.stringMatching(/^none of \d+ hosts has tier=none\n$/) as string });
    expect(await tsh("ls", "tier")).toMatchObject({ code: 2 });
    expect(await world.tctl(["nodes", "ls", "tier=db"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^NODE +ID +ADDRESS +LABELS +HOST KEY\nby-hand .*\n$/) as string });
    expect(await world.tctl(["get", "nodes/by-hand"])).toMatchObject({ code: 0, stdout: expect.stringContaining("sub_kind: openssh") as string });
    // Who has no rule about hosts is told of their own alone, by the administrators' way too.
    const tctl = (...args: string[]): Promise<Outcome> => run(process.execPath, [tctlPath, "-i", join(world.folder, "job.pem"), ...args], { env: cleanEnv({ HOME: world.folder }) });
    expect(hostsOf((await tctl("nodes", "ls", "--format=json")).stdout)).toMatchObject([{ hostname: "by-hand" }, { hostname: "web-1" }]);
    expect(await tctl("get", "nodes/forbidden")).toMatchObject({ code: 5 });
    expect(await tctl("get", "nodes/by-hand")).toMatchObject({ code: 0 });
    expect(await tctl("nodes", "rm", "by-hand")).toMatchObject({ code: 4, stderr: expect.stringContaining('access denied to perform action "delete" on "node"') as string });
  });

  it("that are looked after by hand get a certificate for a key of theirs, or for a new one", async () => {
    const folder = join(world.folder, "by-hand");
    await mkdir(folder);
    await run("ssh-keygen", ["-q", "-N", "", "-t", "ed25519", "-f", join(folder, "host")]);
    expect(await world.tctl(["auth", "sign", "--host=db-1,db-1.example.com", `--key=${join(folder, "host.pub")}`])).toMatchObject({ code: 0, stderr: expect.stringMatching(/host-cert\.pub: db-1, db-1\.example, db-1\.example\.com, until /) as string });
    const shown = (await run("ssh-keygen", ["-L", "-f", join(folder, "host-cert.pub")])).stdout;
    expect(shown).toMatch(/host certificate[\s\S]*Principals: *\n *db-1\n *db-1\.example\n *db-1\.example\.com\n *Critical Options: \(none\)/);
    expect(await world.tctl(["auth", "sign", "--host=db-2", `--out=${join(folder, "made")}`, "--ttl=24h"])).toMatchObject({ code: 0 });
    expect((await run("ssh-keygen", ["-y", "-f", join(folder, "made")])).stdout.trim().split(" ")[1]).toBe((await readFile(join(folder, "made.pub"), "utf8")).trim().split(" ")[1]);
    for (const name of ["*", "localhost", "10.0.0.1", "x.teleport.cluster.local", "example"]) expect(await world.tctl(["auth", "sign", `--host=${name}`, `--out=${join(folder, "no")}`]), name).toMatchObject({ code: 1, stderr: expect.stringContaining("no host may be called") as string });
    expect(await world.tctl(["auth", "sign", "--host=db-3"])).toMatchObject({ code: 2 });
    expect(await last("host_cert.create")).toMatchObject({ user: "local-admin", principals: ["db-2", "db-2.example"] });
  });

  it("let in accounts that are new, or come from a directory that does not list them", async () => {
    const web = await host("unlisted");
    const { token, command } = await add("--name=unlisted");
    expect(await web.join(command, token)).toMatchObject({ code: 0 });
    const { id } = await node("unlisted");
    expect(await readFile(join(web.state, "principals", login), "utf8")).toBe(`${login}@${id}\n`);
    await rm(join(web.state, "principals", login));
    expect(await straight(web, minted(id), "unlisted"), web.log()).toMatchObject({ code: 0 });
    expect(await straight(web, minted("another"), "unlisted")).toMatchObject({ code: 255 });
  });

  it("leave the token in no list of processes, no file and no log", async () => {
    const web = await host("quiet");
    const { token, command } = await add("--name=quiet");
    const bin = join(web.folder, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "curl"), `#!/bin/sh\nprintf '%s\\n' "$@" >>${join(web.folder, "argv")}\nexec /usr/bin/curl "$@"\n`, { mode: 0o755 });
    const joined = await run("sh", ["-c", `${command} ${web.options.map((word) => `'${word}'`).join(" ")}`], { input: `${token}\n`, env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, HOME: web.folder } });
    expect(joined, joined.stderr).toMatchObject({ code: 0 });
    expect(await readFile(join(web.folder, "argv"), "utf8")).toContain("token@");
    for (const [name, text] of Object.entries(await files(web))) expect(text, name).not.toContain(token);
    expect(JSON.stringify(await world.events())).not.toContain(token);
    expect(world.gateway.stderr()).not.toContain(token);
  });

  it("may take the token from a file, come again with it, and stay the same", async () => {
    const web = await host("again");
    const { token, command } = await add("--name=again", "--labels=env=staging");
    await writeFile(join(web.folder, "token"), `${token}\n`, { mode: 0o600 });
    const fromFile = [`--token-file=${join(web.folder, "token")}`];
    expect(await web.join(command, "", fromFile)).toMatchObject({ code: 0 });
    const before = await node("again");
    const first = await files(web);
    const again = await web.join(command, "", fromFile);
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(await node("again")).toEqual(before);
    const second = await files(web);
    expect(Object.keys(second)).toEqual(Object.keys(first));
    expect(second["sshd_config.d/00-gatehouse.conf"]).toBe(first["sshd_config.d/00-gatehouse.conf"]);
    expect(second["sshd_config"]).toBe(first["sshd_config"]);
  });

  it("send nothing to a gateway that is not the one of the pin", async () => {
    const web = await host("pin");
    const { token, command } = await add("--name=pin");
    const before = await files(web);
    const wrong = command.replace(/= [0-9a-f]{64} /, `= ${"0".repeat(64)} `);
    expect(wrong).not.toBe(command);
    expect(await web.join(wrong, token)).toMatchObject({ code: 1, stderr: `gatehouse: ${world.proxy} is not the gateway of this pin: nothing was sent to it\n` });
    expect(await files(web)).toEqual(before);
    expect(await web.join(command, token)).toMatchObject({ code: 0 });
  });

  it.each([
    ["a token that was used", [], [], /^gatehouse: this token was used already, the last time at .*\n .*tctl nodes add \(refusal \S+\)\n$/, "token_used"],
    ["a name that the token does not allow", ["--name=app-1"], [], /^gatehouse: this token lets no host be called 'app-1': it is for web-\*\n/, "name"],
    ["a name of the gateway's", ["--name=web-1.example"], ["--name=web-*"], /^gatehouse: no host may be called 'web-1\.example'/, "reserved"],
    ["a label that the token does not allow", ["--name=web-9", "--labels=env=prod"], [], /^gatehouse: this token lets no host have the label env=prod: it is for env=staging\n/, "labels"],
    ["another's address", ["--name=web-9", "--addr=10.0.0.5"], [], /^gatehouse: this token lets no host be dialled at 10\.0\.0\.5:22 that comes from 127\.0\.0\.1\n/, "addr"],
    ["a node's name under another key", ["--name=web-1"], [], /^gatehouse: there is a node 'web-1' with another host key .*\n .*tctl nodes rm/, "name_taken"],
  ] as const)("are refused for %s, and are left as they were", async (what, options, more, message, rule) => {
    const web = await host(`refused-${rule}`);
    const { token, command } = await add(...(more.length > 0 ? more : ["--name=web-*"]), "--labels=env=staging");
    if (rule === "token_used") {
      const other = await host("first-user");
      expect(await other.join(command, token, ["--name=web-first"])).toMatchObject({ code: 0 });
    }
    const before = await files(web);
    const refused = await web.join(command, token, rule === "token_used" ? ["--name=web-second"] : options);
    expect(refused, what).toMatchObject({ code: 1, stderr: expect.stringMatching(message) as string });
    expect(await last("node.join")).toMatchObject({ code: "G1008W", rule, "addr.remote": expect.stringContaining("127.0.0.1") as string });
    expect(refused.stderr).toContain(String((await last("node.join"))?.["id"]));
    expect(await files(web)).toEqual(before);
  });

  it("with somebody else's host key wait until that node is removed", async () => {
    const first = await host("copied");
    const { token, command } = await add("--name=copied,copy", "--uses=5");
    expect(await first.join(command, token, ["--name=copied"])).toMatchObject({ code: 0 });
    const second = await host("copy");
    for (const name of ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"]) await copyFile(join(first.folder, name), join(second.folder, name));
    expect(await second.join(command, token, ["--name=copy"])).toMatchObject({ code: 1, stderr: expect.stringContaining("is that of node 'copied'") as string });
    expect(await world.tctl(["nodes", "rm", "copied"])).toMatchObject({ code: 0, stderr: "✔ node copied removed\n" });
    expect(await second.join(command, token, ["--name=copy"])).toMatchObject({ code: 0 });
    // The removed one can do nothing more.
    expect(await first.script("renew", "--force")).toMatchObject({ code: 1, stderr: expect.stringMatching(/none of the cluster's any more|joined with another host key/) as string });
  });

  it("are as they were where sshd does not take the configuration, and the same token is good once that is put right", async () => {
    const web = await host("broken");
    const { token, command } = await add("--name=broken");
    const sound = await readFile(web.config, "utf8");
    // Reads well now, and no more once the drop-in is there.
    const wrapper = join(web.folder, "sshd-wrapper");
    await writeFile(wrapper, `#!/bin/sh\nif [ "$1" = -t ]; then echo "00-gatehouse.conf line 3: Bad configuration option" >&2; exit 255; fi\nexec /usr/sbin/sshd "$@"\n`, { mode: 0o755 });
    const before = await files(web);
    const failed = await web.join(command, token, [`--sshd=${wrapper}`]);
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^gatehouse: sshd would not take this configuration: .*Bad configuration option\n {2}everything is as it was; .*the same token/) as string });
    expect(await files(web)).toEqual(before);
    const unreadable = `${sound}NoSuchOption yes\n`;
    await writeFile(web.config, unreadable);
    expect(await web.join(command, token)).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing was changed") as string });
    await writeFile(web.config, sound);
    const failing = await web.join(command, token, ["--reload=false"]);
    expect(failing).toMatchObject({ code: 1, stderr: expect.stringContaining("could not be told to read its configuration again\n  everything is as it was") as string });
    expect(await files(web)).toEqual(before);
    expect(await web.join(command, token)).toMatchObject({ code: 0 });
  });

  it("keep people's other ways in, and another authority's, unless told otherwise", async () => {
    const folder = join(world.folder, "other");
    await mkdir(folder);
    await run("ssh-keygen", ["-q", "-N", "", "-t", "ed25519", "-f", join(folder, "id")]);
    await copyFile(join(folder, "id.pub"), join(folder, "authorized_keys"));
    const plain = (web: JoiningHost): Promise<Outcome> =>
      run("ssh", ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-i", join(folder, "id"), "-p", String(web.port), `${login}@127.0.0.1`, "echo in"], { env: { PATH: process.env["PATH"], HOME: folder } });
    const keeping = await host("keeping", [`AuthorizedKeysFile ${join(folder, "authorized_keys")}`]);
    const { token, command } = await add("--name=keeping,exclusive", "--uses=2");
    expect(await keeping.join(command, token, ["--name=keeping"])).toMatchObject({ code: 0 });
    expect(await plain(keeping)).toMatchObject({ code: 0, stdout: "in\n" });
    const other = await host("other-ca", [`AuthorizedKeysFile ${join(folder, "authorized_keys")}`, `TrustedUserCAKeys ${join(folder, "id.pub")}`]);
    const before = await files(other);
    expect(await other.join(command, token, ["--name=exclusive"])).toMatchObject({ code: 1, stderr: expect.stringMatching(/^gatehouse: sshd has a trustedusercakeys of its own already: .*\n {2}--exclusive puts/) as string });
    expect(await files(other)).toEqual(before);
    expect(await plain(other)).toMatchObject({ code: 0 });
    expect(await other.join(command, token, ["--name=exclusive", "--exclusive"])).toMatchObject({ code: 0 });
    await expect.poll(async () => (await plain(other)).code).toBe(255);
    expect(await straight(other, minted((await node("exclusive")).id), "exclusive")).toMatchObject({ code: 0 });
  });

  it("renew their certificate by their key alone, and what they trust with it", async () => {
    const web = await host("renewing");
    const { token, command } = await add("--name=renewing");
    expect(await web.join(command, token)).toMatchObject({ code: 0 });
    expect(await readFile(join(web.folder, "cron/gatehouse-host"), "utf8")).toContain(`*/5 * * * * root /bin/sh ${web.state}/join.sh renew --state-dir=${web.state} `);
    const certificate = (): Promise<string> => readFile(join(web.state, "host-cert.pub"), "utf8");
    const first = await certificate();
    expect(await web.script("renew")).toMatchObject({ code: 0, stderr: "" });
    expect(await certificate()).toBe(first);
    const settings = await readFile(join(web.state, "settings"), "utf8");
    await writeFile(join(web.state, "settings"), settings.replace(/renew_after \d+/, "renew_after 1"));
    expect(await web.script("renew")).toMatchObject({ code: 0, stderr: "✔ the host certificate was renewed\n" });
    expect(await certificate()).not.toBe(first);
    expect(await readFile(join(web.state, "settings"), "utf8")).toMatch(/renew_after \d{10}\n/);
    await expect.poll(async () => (await straight(web, minted((await node("renewing")).id), "renewing")).stdout).toBe("in\n");
    // Another key in the place of the one that it joined with proves nothing.
    await run("sh", ["-c", `rm ${web.folder}/ssh_host_ed25519_key*; ssh-keygen -q -N '' -t ed25519 -f ${web.folder}/ssh_host_ed25519_key`]);
    expect(await web.script("renew", "--force")).toMatchObject({ code: 1, stderr: expect.stringContaining("joined with another host key") as string });
    expect(await last("node.renew")).toMatchObject({ code: "G1009W", rule: "host_key" });
    // Neither does a gateway that is another one.
    await writeFile(join(web.state, "host-ca.pem"), authorities.trust("user").tlsCertificates.join(""));
    expect(await web.script("renew", "--force")).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be asked") as string });
  });

  it("refuse what was minted for somebody who is locked or logged out, as soon as they have the list", async () => {
    const web = await host("revoking");
    const { token, command } = await add("--name=revoking");
    expect(await web.join(command, token)).toMatchObject({ code: 0 });
    const { id } = await node("revoking");
    const ana = await world.person("ana");
    await ana.logIn();
    const session = String((await last("cert.create"))?.["session"]);
    const certificate = minted(id, { sessionId: session });
    expect(await straight(web, certificate, "revoking")).toMatchObject({ code: 0 });
    expect(await world.tctl(["lock", "--user=ana"])).toMatchObject({ code: 0 });
    expect(await web.script("renew")).toMatchObject({ code: 0 });
    const refused = await straight(web, certificate, "revoking");
    expect(refused).toMatchObject({ code: 255, stderr: expect.stringContaining("Permission denied") as string });
    await expect.poll(() => web.log()).toMatch(/[Cc]ertificate.*revoked|revoked/);
    const locks = JSON.parse((await world.tctl(["locks", "ls", "--format=json"])).stdout) as { name: string }[];
    for (const { name } of locks) await world.tctl(["locks", "rm", name]);
    expect(await web.script("renew")).toMatchObject({ code: 0 });
    expect(await straight(web, certificate, "revoking")).toMatchObject({ code: 0 });
    expect(await ana.tsh(["logout"])).toMatchObject({ code: 0 });
    expect(await web.script("renew")).toMatchObject({ code: 0 });
    expect(await straight(web, certificate, "revoking")).toMatchObject({ code: 255 });
    // The list is public, and comes again only where it is another one.
    const asked = await run("curl", ["-qsSk", "-D-", "-o", join(web.folder, "krl"), `https://${world.proxy}/gatehouse/v1/ssh/krl`]);
    expect(asked.stdout).toMatch(/cache-control: public, max-age=30/i);
    const tag = /etag: (\S+)/i.exec(asked.stdout)?.[1] ?? "";
    expect((await run("curl", ["-qsSk", "-o", "/dev/null", "-w", "%{http_code}", "-H", `If-None-Match: ${tag}`, `https://${world.proxy}/gatehouse/v1/ssh/krl`])).stdout).toBe("304");
    await writeFile(join(web.folder, "cert.pub"), certificate((await newKeyPair()).publicKey));
    expect(await run("ssh-keygen", ["-Q", "-f", join(web.folder, "krl"), join(web.folder, "cert.pub")])).toMatchObject({ code: 1, stdout: expect.stringContaining("REVOKED") as string });
  });

  it("can be taken out again, and are as before", async () => {
    const web = await host("leaving");
    const before = await files(web);
    const { token, command } = await add("--name=leaving");
    expect(await web.join(command, token)).toMatchObject({ code: 0 });
    const { id } = await node("leaving");
    expect(await web.script("uninstall")).toMatchObject({ code: 0, stderr: `✔ this host takes no certificates of the gateway any more; to take it off the list: tctl nodes rm ${id}\n` });
    expect(await files(web)).toEqual(before);
    await expect.poll(async () => (await straight(web, minted(id), "leaving")).code).toBe(255);
  });

  it("with keys of other kinds alone, and a configuration without drop-ins, join as well", async () => {
    for (const type of ["ecdsa", "rsa"]) {
      const web = await host(`only-${type}`, [], [type]);
      const config = (await readFile(web.config, "utf8")).replace(/^Include .*\n/, "");
      await writeFile(web.config, config);
      const { token, command } = await add(`--name=only-${type}`);
      const joined = await web.join(command, token);
      expect(joined, joined.stderr).toMatchObject({ code: 0 });
      expect(await readFile(web.config, "utf8")).toBe(`Include ${web.dropIn}\n${config}`);
      await expect.poll(async () => (await straight(web, minted((await node(`only-${type}`)).id), `only-${type}`)).stdout).toBe("in\n");
      expect(await web.script("uninstall")).toMatchObject({ code: 0 });
      expect(await readFile(web.config, "utf8")).toBe(config);
    }
  });
});
