import { execFile } from "node:child_process";
import { access, chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { requireTool } from "../../testing/index.ts";
import { placeBlock } from "./config-block.ts";
import { knownHostsText, parseHostTarget, sshAgentConfigBlock, sshConfigBlock, writeSshConfig, type SshConfigOptions } from "./index.ts";

const options: SshConfigOptions = {
  name: "gw.example.com",
  proxy: "gw.example.com:3080",
  hosts: ["*.example"],
  launcher: "/home/ana/.tsh/bin/tsh",
  knownHosts: "/home/ana/.tsh/gw.example.com.known_hosts",
  agents: "/home/ana/.tsh/ssh",
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-config-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ssh = (args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> =>
  new Promise((resolve) => {
    execFile("ssh", [...args], { cwd: folder, timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }));
  });

describe("the block of ssh_config", () => {
  it("stands before the person's own lines, is replaced in its place, and goes without a trace", () => {
    const [one, two] = [sshConfigBlock(options), sshConfigBlock({ ...options, hosts: ["*.example", "web-*"] })];
    const own = "# mine\nHost *\n  ForwardAgent yes";
    const written = placeBlock(own, options.name, one);
    expect(written).toBe(`${one}\n${own}`);
    expect(placeBlock(written, options.name, one)).toBe(written);
    expect(placeBlock(written, options.name, two)).toBe(`${two}\n${own}`);
    expect(placeBlock(written, options.name, undefined)).toBe(own);
    expect(placeBlock("", options.name, one)).toBe(one);
    expect(placeBlock(`Host a\n${one}Host b\n`, options.name, two)).toBe(`Host a\n${two}Host b\n`);
    const other = sshConfigBlock({ ...options, name: "other" });
    expect(placeBlock(placeBlock(written, "other", other), "other", undefined)).toBe(written);
  });

  it("leads through the gateway as a jump host, with the keys of an agent, and is nothing but that", async () => {
    const block = sshAgentConfigBlock({ name: options.name, proxy: "[2001:db8::1]:443", hosts: ["*.example"], knownHosts: options.knownHosts, port: undefined, agent: "/run/user/1/100% mine/ssh.sock" });
    expect(placeBlock(placeBlock("Host a\n", options.name, block), options.name, sshConfigBlock(options))).toBe(`${sshConfigBlock(options)}\nHost a\n`);
    expect(() => sshAgentConfigBlock({ ...options, port: undefined, hosts: ["a\nb"], agent: "/a" })).toThrow(/not a pattern/);
    if (!requireTool("ssh", "Debian: openssh-client")) return;
    await writeFile(join(folder, "config"), block);
    const [jump, host] = await Promise.all(["gatehouse-gw.example.com", "web-1.example"].map((name) => ssh(["-F", join(folder, "config"), "-G", name])));
    expect(jump!.stdout).toMatch(/^hostname 2001:db8::1\nport 443\n/m);
    expect(host!.stdout).toMatch(/^proxyjump %r@gatehouse-gw\.example\.com$/m);
    for (const { stdout } of [jump!, host!]) expect(stdout).toMatch(/^identityagent \/run\/user\/1\/100% mine\/ssh\.sock$/m);
  });

  it("is left alone where its marks are broken", () => {
    const block = sshConfigBlock(options);
    for (const text of [block.replace(/^# <<<.*$/m, ""), block.replace(/^# >>>.*$/m, ""), block + block]) expect(() => placeBlock(text, options.name, block)).toThrow(/do not mark one block/);
  });

  it("holds no pattern that would end its line", () => {
    for (const host of ["a b", "a\nb", '"', "a'b"]) expect(() => sshConfigBlock({ ...options, hosts: [host] })).toThrow(/not a pattern/);
    expect(() => sshConfigBlock({ ...options, launcher: "/a", agents: '/a"b' })).toThrow(/cannot hold/);
  });

  it("is written whole, for its owner alone, through a link, and once", async () => {
    const path = join(folder, ".ssh", "config");
    const block = sshConfigBlock(options);
    expect(await writeSshConfig(path, options.name, undefined)).toBe(false);
    expect(await writeSshConfig(path, options.name, block)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, ".ssh"))).mode & 0o777).toBe(0o700);
    expect(await writeSshConfig(path, options.name, block)).toBe(false);
    await mkdir(join(folder, "dotfiles"));
    await rm(path);
    await writeFile(join(folder, "dotfiles", "config"), "Host a\n", { mode: 0o644 });
    await symlink(join(folder, "dotfiles", "config"), path);
    expect(await writeSshConfig(path, options.name, block)).toBe(true);
    expect(await readFile(join(folder, "dotfiles", "config"), "utf8")).toBe(`${block}\nHost a\n`);
    expect((await readdir(join(folder, ".ssh"))).sort()).toEqual(["config"]);
  });

  describe.skipIf(!requireTool("ssh", "Debian: openssh-client"))("as OpenSSH reads it", () => {
    const configured = async (text: string, args: readonly string[]): Promise<ReadonlyMap<string, string>> => {
      const file = join(folder, "config");
      await writeFile(file, text);
      const { stdout, stderr } = await ssh(["-F", file, "-T", "-G", ...args]);
      expect(stderr).toBe("");
      return new Map(stdout.split("\n").map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]));
    };

    it("applies to the hosts of the cluster alone, and lets the person's own lines apply to all", async () => {
      const text = `${sshConfigBlock(options)}ServerAliveInterval 17\nHost *\n  IdentityAgent /another\n  ProxyCommand another\n`;
      const inside = await configured(text, ["root@web-1.example"]);
      expect(inside.get("proxycommand")).toBe("'/home/ana/.tsh/bin/tsh' proxy ssh '--proxy=gw.example.com:3080' --login='%r' --agent-path='/home/ana/.tsh/ssh/''%r@%h:%p' '[%h]:%p'");
      expect(inside.get("identityagent")).toMatch(/^\/home\/ana\/\.tsh\/ssh\/(root@web-1\.example:22|%r@%h:%p)$/);
      expect([inside.get("serveraliveinterval"), inside.get("stricthostkeychecking"), inside.get("checkhostip")]).toEqual(["17", "true", "no"]);
      expect(inside.get("userknownhostsfile")).toBe("/home/ana/.tsh/gw.example.com.known_hosts");
      const outside = await configured(text, ["web-1.other"]);
      expect([outside.get("proxycommand"), outside.get("identityagent"), outside.get("serveraliveinterval")]).toEqual(["another", "/another", "17"]);
    });

    it("gives the shell nothing to run that a link smuggles into the names of user and host", async () => {
      await mkdir(join(folder, "it's a home"));
      const launcher = join(folder, "it's a home", "tsh");
      await writeFile(launcher, `#!/bin/sh\nprintf '%s|' "$@" > '${folder}/args'\n`);
      await chmod(launcher, 0o755);
      const file = join(folder, "config");
      await writeFile(file, sshConfigBlock({ ...options, launcher, agents: join(folder, "agents") }));
      for (const [user, host] of [["root", "web-1.example"], ["$(touch${IFS}bad)", "web-1.example"], ["`touch bad`", "web-1.example"], ["x';touch bad;'", "web-1.example"], ["root", "$(touch${IFS}bad).example"], ["root", "';touch${IFS}bad;'.example"]] as const) {
        await ssh(["-F", file, "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", "-l", user, "--", host]);
        await expect(access(join(folder, "bad"))).rejects.toThrow();
      }
      await ssh(["-F", file, "-l", "root", "web-1.example"]);
      expect(await readFile(join(folder, "args"), "utf8")).toBe(`proxy|ssh|--proxy=gw.example.com:3080|--login=root|--agent-path=${folder}/agents/root@web-1.example:22|[web-1.example]:22|`);
    });
  });
});

describe("known hosts", () => {
  it("names the authority, and nothing that is no key", () => {
    const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0kqEOcC3ecIQxG7UMHs6+3rn6BXZVdpXUgPdE9ZC7";
    expect(knownHostsText({ cluster: "exa mple", hostKeys: [line] })).toBe(`@cert-authority * ${line} exa_mple\n`);
    expect(() => knownHostsText({ cluster: "example", hostKeys: ["* ssh-ed25519 AAAA"] })).toThrow();
  });
});

describe("a target", () => {
  it.each([
    ["web-1", { login: undefined, host: "web-1", port: undefined }],
    ["root@web-1.example:2222", { login: "root", host: "web-1.example", port: 2222 }],
    ["ana@example.com@web-1", { login: "ana@example.com", host: "web-1", port: undefined }],
    ["deploy@env=staging,role=web", { login: "deploy", host: "env=staging,role=web", port: undefined }],
    ["deploy@env=staging:22", { login: "deploy", host: "env=staging", port: 22 }],
    ["[fd00::1]:22", { login: undefined, host: "fd00::1", port: 22 }],
    ["fd00::1", { login: undefined, host: "fd00::1", port: undefined }],
    ["[web-1]:22", { login: undefined, host: "web-1", port: 22 }],
    ["10.0.0.1:22", { login: undefined, host: "10.0.0.1", port: 22 }],
  ])("%s", (text, target) => expect(parseHostTarget(text)).toEqual(target));

  it.each(["", "@web", "root@", "-oProxyCommand=x", "root@-x", "web 1", "web:0", "web:70000", "web:", "a:b:c", "-l@web", "a\nb"])("%j is none", (text) => {
    expect(() => parseHostTarget(text)).toThrow(/is not a host/);
  });

  it("has an end", () => expect(() => parseHostTarget("x".repeat(2000))).toThrow(/is not a host/));
});
