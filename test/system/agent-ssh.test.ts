import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeOpenSshPrivateKey } from "@gatehouse/core/formats";
import { newSshKey, requireTool } from "../../packages/core/src/testing/index.ts";
import { newMachine, type Machine } from "../support/machine.ts";
import { run, type Outcome, type RunOptions } from "../support/process.ts";
import { createHostRole, hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { createWorld, tshPath, type World } from "../support/world.ts";

const available = ["sshd", "ssh", "ssh-add", "git", "rsync"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client git rsync, and /usr/sbin on PATH"));

describe.skipIf(!available)("ssh with the keys of the local agent", () => {
  let world: World;
  let host: Host;
  let machine: Machine;
  let runtime: string;
  let place: string;
  let socket: string;

  beforeAll(async () => {
    runtime = await mkdtemp(join(tmpdir(), "gh-run-"));
    world = await createWorld({
      config: (config) => (config.proxy_service["ssh_listen_addr"] = "127.0.0.1:0"),
      connector: { teams_to_logins: [], teams_to_roles: [{ organization: "octocats", team: "developers", roles: ["recorded"] }] },
    });
    await createHostRole(world, "recorded", { ssh_recording: "proxy" });
    host = await startHost(world, "web-1");
    place = join(world.folder, "place");
    await mkdir(place);
    await writeFile(join(place, "askpass"), `#!/bin/sh\nif [ "$SSH_ASKPASS_PROMPT" = confirm ]; then echo "$1" >> '${place}/asked'; exec cat '${place}/answer'; fi\ncat '${place}/passphrase'\n`, { mode: 0o700 });
    machine = await newMachine(world, "ana", { TSH_AGENT: "on", CI: "true", XDG_RUNTIME_DIR: runtime, SSH_ASKPASS: join(place, "askpass"), SSH_ASKPASS_REQUIRE: "force", DISPLAY: ":99" });
    const started = await machine.tsh(["agent", "env", "--shell=sh"]);
    expect(started.code, started.stderr).toBe(0);
    socket = /^SSH_AUTH_SOCK='([^']+)'; export SSH_AUTH_SOCK;\n$/.exec(started.stdout)?.[1] ?? "";
    expect(socket).toMatch(/\/ssh\.sock$/);
    const login = await machine.logIn();
    expect(login.code, login.stderr).toBe(0);
    const config = await machine.tsh(["config", "--write"]);
    expect(config.code, config.stderr).toBe(0);
    const knownHosts = (await readdir(join(machine.home, ".tsh"))).find((name) => name.endsWith(".known_hosts"))!;
    await writeFile(join(place, "jump"), `Host *\n  IdentityFile none\n  UserKnownHostsFile ${machine.home}/.tsh/${knownHosts}\n  StrictHostKeyChecking yes\n  BatchMode yes\n`);
  });
  afterAll(async () => {
    await machine.tsh(["agent", "stop", "--force"]);
    await host.sshd.stop();
    await world.close();
    await rm(runtime, { recursive: true, force: true });
  });

  const add = (...args: readonly string[]): Promise<Outcome> => run("ssh-add", args, { env: { ...machine.env, SSH_AUTH_SOCK: socket } });
  const jump = (): readonly string[] => ["-F", join(place, "jump"), "-o", `IdentityAgent=${socket}`, "-J", `${hostLogin}@${world.proxy}`];
  /** `-J` runs an ssh of its own, which finds the agent by the environment. */
  const ssh = (args: readonly string[], options: RunOptions = {}): Promise<Outcome> => run("ssh", [...jump(), ...args], { env: { ...machine.env, SSH_AUTH_SOCK: socket }, ...options });
  const key = async (name: string): Promise<string> => {
    await writeFile(join(place, name), encodeOpenSshPrivateKey(newSshKey("nistp256"), name), { mode: 0o600 });
    return join(place, name);
  };

  it("eval of tsh agent env: ssh-add lists the certificate of the login", async () => {
    const listed = await run("sh", ["-c", `eval "$("${process.execPath}" "${tshPath}" agent env)" && ssh-add -l && ssh-add -L`], { env: { ...machine.env, SHELL: "/bin/sh" } });
    expect(listed.code, listed.stderr).toBe(0);
    const lines = listed.stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/ana.* \((?:ECDSA|ED25519)-CERT\)$/);
    expect(lines[1]).toMatch(/-cert-v01@openssh\.com /);
  });

  it("-J through the gateway, with nothing of ours but the agent", async () => {
    const through = await ssh([`${hostLogin}@web-1.example`, "cat; exit 42"], { input: "from here\n" });
    expect([through.code, through.stdout], through.stderr).toEqual([42, "from here\n"]);
    expect((await run("ssh", ["-F", join(place, "jump"), "-o", "IdentityAgent=none", "-J", `${hostLogin}@${world.proxy}`, `${hostLogin}@web-1.example`, "true"], { env: machine.env })).code).toBe(255);
  });

  it("tsh config --agent: plain ssh by name, with no tsh for the connection", async () => {
    const written = await machine.tsh(["config", "--agent"]);
    expect(written.code, written.stderr).toBe(0);
    expect(written.stdout).not.toContain("ProxyCommand");
    await writeFile(join(place, "by-name"), written.stdout);
    const through = await run("ssh", ["-F", join(place, "by-name"), `${hostLogin}@web-1.example`, "echo through"], { env: machine.env });
    expect([through.code, through.stdout], through.stderr).toEqual([0, "through\n"]);
    expect((await machine.tsh(["config", "--agent", "--identity=x"])).code).toBe(2);
  });

  it("git and rsync over it", async () => {
    const source = join(place, "repository");
    const git = (args: readonly string[]): Promise<Outcome> => run("git", args, { env: { ...machine.env, SSH_AUTH_SOCK: socket, GIT_SSH_COMMAND: ["ssh", ...jump()].join(" ") } });
    for (const args of [["init", "-q", source], ["-C", source, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"]]) expect((await git(args)).code).toBe(0);
    const cloned = await git(["clone", "-q", `ssh://${hostLogin}@web-1.example${source}`, join(place, "clone")]);
    expect(cloned.code, cloned.stderr).toBe(0);
    expect((await git(["-C", join(place, "clone"), "log", "--format=%s"])).stdout).toBe("first\n");
    await writeFile(join(place, "file"), "content");
    const copied = await run("rsync", ["-e", ["ssh", ...jump()].join(" "), join(place, "file"), `${hostLogin}@web-1.example:${join(place, "there")}`], { env: { ...machine.env, SSH_AUTH_SOCK: socket } });
    expect(copied.code, copied.stderr).toBe(0);
    expect(await readFile(join(place, "there"), "utf8")).toBe("content");
  });

  it("forwarded: a host sees keys that were added, but neither a login's nor one that is for elsewhere", async () => {
    const knownHosts = join(place, "elsewhere");
    await writeFile(knownHosts, `elsewhere ${(await readFile(join(host.folder, "key.pub"), "utf8")).trim()}\n`);
    expect((await add("-q", await key("free"))).code).toBe(0);
    expect((await add("-q", "-H", knownHosts, "-h", "elsewhere", await key("bound"))).code).toBe(0);
    const here = await add("-l");
    expect(here.stdout).toMatch(/ana.*-CERT\)\n.* free \(ECDSA\)\n.* bound \(ECDSA\)\n$/);
    const there = await ssh(["-A", `${hostLogin}@web-1.example`, "ssh-add -l"]);
    expect(there.stdout, there.stderr).toMatch(/^\S+ \S+ free \(ECDSA\)\n$/);
    expect((await add("-D")).code).toBe(0);
  });

  it("asks before a key signs that was added so", async () => {
    const path = await key("careful");
    expect((await add("-q", "-c", path)).code).toBe(0);
    const { stdout } = await add("-L");
    await writeFile(`${path}.pub`, stdout.trimEnd().split("\n").at(-1)!);
    const sign = (): Promise<Outcome> => run("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", `${path}.pub`], { env: { ...machine.env, SSH_AUTH_SOCK: socket }, input: "x" });
    await writeFile(join(place, "answer"), "no\n");
    expect((await sign()).code).not.toBe(0);
    await writeFile(join(place, "answer"), "yes\n");
    expect((await sign()).stdout).toMatch(/^-----BEGIN SSH SIGNATURE-----/);
    expect(await readFile(join(place, "asked"), "utf8")).toMatch(/^Allow use of key careful\?\nKey fingerprint SHA256:/);
    expect((await add("-D")).code).toBe(0);
  });

  it("one lock for ssh-add and tsh", async () => {
    await writeFile(join(place, "passphrase"), "open sesame\n");
    expect((await add("-x")).code).toBe(0);
    expect((await add("-l")).stdout).toMatch(/no identities/);
    expect((await ssh([`${hostLogin}@web-1.example`, "true"])).code).toBe(255);
    expect(JSON.parse((await machine.tsh(["agent", "status", "--format=json"])).stdout)).toMatchObject({ locked: true });
    expect((await machine.tsh(["agent", "unlock"], { input: "wrong\n" })).code).toBe(4);
    const opened = await machine.tsh(["agent", "unlock"], { input: "open sesame\n" });
    expect(opened.code, opened.stderr).toBe(0);
    expect((await machine.tsh(["agent", "lock"], { input: "another\n" })).code).toBe(0);
    expect((await add("-X")).code).not.toBe(0);
    await writeFile(join(place, "passphrase"), "another\n");
    expect((await add("-X")).code).toBe(0);
    expect((await ssh([`${hostLogin}@web-1.example`, "echo in"])).stdout).toBe("in\n");
  });
});
