import { lstat, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawn } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createClientWorld, createLocalUser, newMachine } from "../support/machine.ts";
import { run } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

let world: World;
beforeAll(async () => {
  world = await createClientWorld(["example", "staging"]);
});
afterAll(() => world.close());

describe("tsh login", () => {
  it("works as the guide writes it, prints the link first, and says who that is", async () => {
    const ana = await newMachine(world, "ana", { TELEPORT_PROXY: world.proxy });
    const outcome = await ana.logIn(["login"]);
    expect(outcome).toMatchObject({ code: 0, stdout: "" });
    expect(outcome.stderr).toMatch(/^Note: .*\nIf the browser does not open, visit:\n {2}http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{8}\n/);
    expect(outcome.stderr).toMatch(/✔ logged in as ana {2}\(github, 127\.0\.0\.1:\d+\)\n {2}cluster +example {3}valid until .*12 h\n {2}roles +access\n {2}kubernetes +developers {3}→ {2}contexts example, example-staging in .*kubeconfig\n +example does not work now: its API server cannot be reached \(ECONNREFUSED\)\n +staging does not .*\n {2}logins +ana, deploy\n/);
    expect(outcome.stderr).not.toContain("\u001b");
  });

  it("leaves a profile without secrets, a key that only its owner can read, a launcher, and kubeconfig entries that run it", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    const home = join(ana.home, ".tsh");
    const name = world.proxy.replace(":", "_");
    expect((await stat(home)).mode & 0o777).toBe(0o700);
    expect(await readlink(join(home, "profile"))).toBe(`${name}.yaml`);
    const profile = parse(await readFile(join(home, `${name}.yaml`), "utf8")) as Record<string, unknown>;
    expect(profile).toMatchObject({ web_proxy_addr: world.proxy, user: "ana", auth_type: "github", cluster: "example", keystore: "file", ca_pin: world.ready.ca_pin });
    expect((await stat(join(home, "keys", `${name}.json`))).mode & 0o777).toBe(0o600);
    for (const [path, text] of await ana.files()) if (!path.includes("/keys/")) expect(`${path} ${String(text.includes("PRIVATE KEY"))}`).toBe(`${path} false`);
    const config = parse(await readFile(ana.kubeconfig, "utf8")) as { users: { user: { exec: { command: string; args: string[] } } }[]; "current-context": string };
    expect(config["current-context"]).toBe("example");
    const { command, args } = config.users[0]!.user.exec;
    // kubectl runs just this, from anywhere, with its own environment.
    const credential = await run(command, args, { env: { PATH: "/usr/bin:/bin", HOME: ana.home }, cwd: "/" });
    expect(credential).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(credential.stdout)).toMatchObject({ kind: "ExecCredential", apiVersion: "client.authentication.k8s.io/v1" });
  });

  it("prints data for programs on standard output alone", async () => {
    const ana = await newMachine(world, "ana");
    const outcome = await ana.logIn(["--format=json"]);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ user: "ana", cluster: "example", roles: ["access"], keystore: "file", kubernetes: { enabled: true, current_context: "example" } });
    expect(JSON.parse((await ana.tsh(["status", "--format=json"])).stdout)).toMatchObject({ logged_in: true, user: "ana", kubernetes: { contexts: ["example", "example-staging"] } });
    expect(parse((await ana.tsh(["kube", "ls", "--format=yaml"])).stdout)).toMatchObject([{ name: "example", groups: ["developers"], context: "example", selected: true }, { name: "staging" }]);
    expect(JSON.parse((await ana.tsh(["clusters", "--format=json"])).stdout)).toMatchObject([{ name: "example", kubernetes_clusters: ["example", "staging"] }]);
  });

  it("never takes a person's context away: tsh kube login does that", async () => {
    const ana = await newMachine(world, "ana");
    await writeFile(ana.kubeconfig, "apiVersion: v1\nkind: Config\nclusters:\n- cluster: {server: 'https://mine'}\n  name: mine\ncontexts:\n- context: {cluster: mine, user: mine}\n  name: mine\ncurrent-context: mine # keep\nusers:\n- name: mine\n  user: {}\n");
    const before = await readFile(ana.kubeconfig, "utf8");
    expect((await ana.logIn()).stderr).toContain("current kubectl context is still mine: `tsh kube login example` to switch");
    expect(await readFile(ana.kubeconfig, "utf8")).toContain("current-context: mine # keep");
    expect((await ana.tsh(["kube", "login", "stagin"])).stderr).toMatch(/knows no Kubernetes cluster "stagin"; did you mean "staging"\?/);
    expect((await ana.tsh(["kube", "login", "staging"])).stderr).toBe("✔ kubectl now talks to staging as ana\n  it does not work now: its API server cannot be reached (ECONNREFUSED)\n");
    expect(await readFile(ana.kubeconfig, "utf8")).toContain("current-context: example-staging # keep");
    expect((await ana.tsh(["logout"])).code).toBe(0);
    expect(await readFile(ana.kubeconfig, "utf8")).toBe(before.replace("current-context: mine", 'current-context: ""'));
  });

  it("lists the cluster behind the gateway, for people and for programs", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    expect((await ana.tsh(["clusters"])).stdout).toMatch(/^CLUSTER +GATEWAY +STATUS +KUBERNETES\nexample +127\.0\.0\.1:\d+ +online +2\n$/);
  });

  it("tells somebody without a group so, in a word", async () => {
    const ed = await newMachine(world, "ed");
    expect((await ed.logIn()).stderr).toMatch(/\n {2}kubernetes +no cluster that you may use\n {2}logins +ed\n/);
    expect((await ed.tsh(["kube", "ls"])).stdout).toMatch(/^ +example .* none \(no role gives one\) +-$/m);
  });

  it("says that the key is in a file once, after a login that worked", async () => {
    const ana = await newMachine(world, "ana", { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" });
    const login = (args: readonly string[]): ReturnType<typeof ana.tsh> => ana.tsh(["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--force", ...args]);
    const note = /No keychain service runs here: the key is in a file in .*\/keys/;
    expect((await login(["--auth=nosuch"])).stderr).not.toMatch(note);
    expect((await login([])).stderr).toMatch(note);
    expect((await login([])).stderr).not.toMatch(note);
  });

  it("with --embed writes the key into kubeconfig, and says so", async () => {
    const ana = await newMachine(world, "ana");
    expect((await ana.logIn(["--embed"])).stderr).toContain("the private key is in");
    expect(await readFile(ana.kubeconfig, "utf8")).toContain("client-key-data:");
    await ana.tsh(["logout"]);
    await expect(lstat(ana.kubeconfig)).rejects.toThrow(/ENOENT/);
  });
});

describe("a login that cannot be", () => {
  it("ends at once with GitHub's cause, and leaves nothing", async () => {
    const di = await newMachine(world, "di");
    const outcome = await di.logIn();
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toMatch(/✖ login failed: .*\n(.*\n)*.*\(event [0-9a-f]{8}\)/);
    expect([...(await di.files()).keys()].filter((path) => !path.endsWith(".lock"))).toEqual([]);
  });

  it("is refused without a pin, with another pin, without a gateway, and where nobody listens; nothing is sent", async () => {
    const ana = await newMachine(world, "ana");
    const before = (await world.events()).length;
    const unknown = await ana.tsh(["login", `--proxy=${world.proxy}`, "--keystore=file"]);
    expect(unknown).toMatchObject({ code: 7, stdout: "" });
    expect(unknown.stderr).toContain("nothing was sent to it");
    expect(unknown.stderr).toContain(`tsh login --proxy=${world.proxy} --ca-pin=sha256:…`);
    const other = await ana.tsh(["login", `--proxy=${world.proxy}`, `--ca-pin=sha256:${"0".repeat(64)}`, "--keystore=file"]);
    expect(other.code).toBe(7);
    expect(other.stderr).toContain(world.ready.ca_pin);
    expect(await ana.tsh(["login", "--keystore=file"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--proxy=") as string });
    expect(await ana.tsh(["login", "--proxy=127.0.0.1:1", "--keystore=file"])).toMatchObject({ code: 7, stderr: expect.stringContaining("refused") as string });
    expect((await ana.tsh(["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--auth=nosuch", "--keystore=file"])).stderr).toBe('✖ login failed: the gateway has no login named "nosuch"\n  leave --auth out for its own choice; local accounts: --auth=local --user=NAME\n');
    expect((await world.events()).length).toBe(before);
  });

  it.each([
    [["login", "somewhere", "else"], /does not know what to do with "else"/],
    [["login", "--ttl=3s"], /1 minute to 30 hours/],
    [["login", "--ttl=soon"], /not a duration/],
    [["login", "--bind-addr=0.0.0.0:1"], /cannot wait for the browser/],
    [["login", "--ca-pin=abc"], /not a pin/],
    [["login", "--nosuch"], /tsh login has no flag --nosuch/],
    [["login", "--keystore=none"], /keystore/],
    [["logn"], /no command "logn"/],
    [["kube", "credentials", "--nosuch"], /does not know/],
  ])("says what is wrong with %j", async (args, message) => {
    const ana = await newMachine(world, "ana");
    const outcome = await ana.tsh([...args, ...(args[0] === "login" && args[1] !== "--nosuch" ? [`--proxy=${world.proxy}`, ...(args[1]?.includes("pin") ? [] : [`--ca-pin=${world.ready.ca_pin}`]), ...(args[1]?.includes("keystore") ? [] : ["--keystore=file"])] : [])]);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stdout).toBe("");
    expect([1, 2]).toContain(outcome.code);
  });

  it("does not change kubeconfig while kubectl holds its lock: the login stands, and the lock is named", async () => {
    const ana = await newMachine(world, "ana");
    await writeFile(`${ana.kubeconfig}.lock`, "");
    const outcome = await ana.logIn();
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/✔ logged in as ana/);
    expect(outcome.stderr).toMatch(/the lock .*kubeconfig\.lock is held by another program, such as kubectl/);
    expect((await ana.tsh(["kube", "credentials", `--proxy=${world.proxy}`])).code).toBe(0);
  });
});

describe("a local account", () => {
  it("logs in with a password from standard input, which no argument ever carries", async () => {
    await createLocalUser(world, "lea", "correct horse battery");
    const lea = await newMachine(world, "lea");
    const args = ["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--auth=local", "--user=lea", "--keystore=file"];
    expect(await lea.tsh(args)).toMatchObject({ code: 2, stderr: expect.stringContaining("--password-stdin") as string });
    const wrong = await lea.tsh([...args, "--password-stdin"], { input: "wrong\n" });
    expect(wrong.stderr).not.toContain("wrong");
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).toContain("invalid username");
    expect(await lea.tsh([...args, "--password-stdin"], { input: "correct horse battery\n" })).toMatchObject({ code: 0, stderr: expect.stringContaining("logged in as lea") as string });
  });
});

describe("tsh logout", () => {
  it("ends the login at the gateway and takes away what login left, but not the gateway's address", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    const held = JSON.parse((await ana.tsh(["kube", "credentials"])).stdout) as { status: { clientKeyData: string } };
    expect(await ana.tsh(["logout"])).toMatchObject({ code: 0, stdout: "" });
    for (const text of (await ana.files()).values()) expect(text).not.toContain(held.status.clientKeyData.split("\n")[1]);
    expect((await ana.tsh(["kube", "credentials"])).code).toBe(3);
    expect(await ana.tsh(["status"])).toMatchObject({ code: 3, stderr: expect.stringContaining("tsh login --proxy=") as string });
    expect((await ana.tsh(["kube", "ls"])).code).toBe(3);
    // Login had made the file, and nothing else was in it.
    await expect(lstat(ana.kubeconfig)).rejects.toThrow(/ENOENT/);
    expect(await ana.tsh(["logout"])).toMatchObject({ code: 0, stderr: `not logged in to ${world.proxy}\n` });
    expect((await world.events()).some((event) => event["event"] === "user.logout" || event["event"] === "session.logout")).toBe(true);
    // The pin and the address are kept: the next login needs neither.
    expect((await ana.tsh(["login", "--keystore=file"])).code).toBe(0);
  });

  it("of someone who is not logged in says so", async () => {
    const ana = await newMachine(world, "ana");
    expect(await ana.tsh(["logout"])).toMatchObject({ code: 0, stderr: "not logged in to any gateway\n" });
    expect(await ana.tsh(["logout", "--all"])).toMatchObject({ code: 0, stderr: "not logged in to any gateway\n" });
    expect(await ana.tsh(["logout", "--proxy=gw.example.com"])).toMatchObject({ code: 0, stderr: "nothing to log out of: no login to gw.example.com is kept here\n  tsh status --all lists them\n" });
    await expect(lstat(join(ana.home, ".kube"))).rejects.toThrow(/ENOENT/);
  });
});

describe("on a terminal", () => {
  it("an unknown gateway's pin is shown and asked about, on the terminal alone, and the wait counts down", async () => {
    const ana = await newMachine(world, "ana");
    const terminal = spawn(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, "--auth=github", "--keystore=file"], { env: { ...ana.env, TERM: "xterm" }, cols: 160, rows: 40 });
    let shown = "";
    let answered = false;
    terminal.onData((text) => {
      shown += text;
      if (!answered && shown.includes("Is this the pin of your gateway?")) {
        answered = true;
        expect(shown).toContain(world.ready.ca_pin);
        terminal.write("y\r");
      }
    });
    const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => terminal.onExit(resolve));
    expect({ exitCode, shown: exitCode === 0 ? "" : shown }).toEqual({ exitCode: 0, shown: "" });
    expect(shown).toMatch(/waiting for GitHub ….*\(Ctrl-C to stop, \d:\d\d left\)/);
    expect(shown).toContain("logged in as");
    // The second time nothing is asked.
    expect((await ana.tsh(["login", "--keystore=file", "--force"])).code).toBe(0);
  });

  it("a local account's password is asked for without echo", async () => {
    await createLocalUser(world, "max", "battery staple horse");
    const max = await newMachine(world, "max");
    const terminal = spawn(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--auth=local", "--user=max", "--keystore=file"], { env: { ...max.env, TERM: "xterm" }, cols: 160, rows: 40 });
    let shown = "";
    let answered = false;
    terminal.onData((text) => {
      shown += text;
      if (!answered && shown.includes("Password of max:")) {
        answered = true;
        terminal.write("battery staple horse\r");
      }
    });
    const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => terminal.onExit(resolve));
    expect({ exitCode, shown: exitCode === 0 ? "" : shown }).toEqual({ exitCode: 0, shown: "" });
    expect(shown).not.toContain("staple");
  });

  it("Ctrl-C ends the wait at once and leaves nothing behind", async () => {
    const ana = await newMachine(world, "ana");
    const terminal = spawn(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--browser=none", "--auth=github", "--keystore=file"], { env: { ...ana.env, TERM: "xterm" }, cols: 160, rows: 40 });
    let stopped = false;
    terminal.onData((text) => {
      if (!stopped && text.includes("waiting for")) {
        stopped = true;
        terminal.write("\u0003");
      }
    });
    const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => terminal.onExit(resolve));
    expect(exitCode).toBe(130);
    expect([...(await ana.files()).keys()]).toEqual([]);
  });
});
