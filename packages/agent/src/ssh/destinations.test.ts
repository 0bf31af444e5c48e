import { writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, sshPublicKey } from "@gatehouse/core/formats";
import { certifySshKey, newSshKey, requireTool, startSshd, type Sshd } from "@gatehouse/core/testing";
import { realAgent, startTestAgent, type TestAgent } from "./testing.ts";

const hasSsh = requireTool("sshd", "Debian: openssh-server") && requireTool("ssh-add", "Debian: openssh-client");
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface World {
  readonly agent: TestAgent;
  readonly tool: TestAgent["tool"];
  readonly hosts: Readonly<Record<"one" | "two" | "three", Sshd>>;
  /** The words of an `ssh` to a host, for a shell. */
  ssh(host: keyof World["hosts"], ...more: readonly string[]): readonly string[];
}

/** Three hosts that let one key in; the third is known by a host's authority alone. */
async function world(kind: "ours" | "OpenSSH's"): Promise<World> {
  const agent = await startTestAgent();
  ends.push(() => agent.stop());
  const socket = kind === "ours" ? agent.path : await realAgent(agent.folder, ends);
  const { folder } = agent;
  const [hostAuthority, own] = [newSshKey(), newSshKey("nistp256")];
  await writeFile(join(folder, "authorized"), `${formatAuthorizedKey(sshPublicKey(own))}\n`);
  await writeFile(join(folder, "own"), encodeOpenSshPrivateKey(own, "own"), { mode: 0o600 });
  let known = `@cert-authority three* ${formatAuthorizedKey(sshPublicKey(hostAuthority))}\n`;
  const hosts: Record<string, Sshd> = {};
  for (const name of ["one", "two", "three"]) {
    const place = join(folder, name);
    const key = newSshKey();
    await writeFile(place, encodeOpenSshPrivateKey(key, name), { mode: 0o600 });
    if (name === "three") await writeFile(`${place}-cert.pub`, certifySshKey(hostAuthority, key, "host", ["three"]));
    else known += `${name} ${formatAuthorizedKey(sshPublicKey(key))}\n`;
    const server = await startSshd(folder, [`HostKey ${place}`, ...(name === "three" ? [`HostCertificate ${place}-cert.pub`] : []), "Match all", `AuthorizedKeysFile ${join(folder, "authorized")}`]);
    ends.push(() => server.stop());
    hosts[name] = server;
  }
  await writeFile(join(folder, "known"), known);
  const options = ["-F", "none", "-o", `UserKnownHostsFile=${join(folder, "known")}`, "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentityFile=none"];
  return {
    agent,
    tool: (name, args, more = {}) => agent.tool(name, args, { ...more, env: { SSH_AUTH_SOCK: socket } }),
    hosts: hosts as World["hosts"],
    ssh: (host, ...more) => [...options, "-o", `HostKeyAlias=${host}`, "-p", String(hosts[host]!.port), ...more, `${userInfo().username}@127.0.0.1`],
  };
}

/** The same of OpenSSH's own agent: what it allows and refuses is what ours has to. */
describe.skipIf(!hasSsh).each(["ours", "OpenSSH's"] as const)("a key with destinations, between real hosts, in an agent of %s", (kind) => {
  it("logs in where it may, along the way that it may, and nowhere else", async () => {
    const { agent, tool, ssh } = await world(kind);
    const added = await tool("ssh-add", ["-q", "-H", join(agent.folder, "known"), "-h", "one", "-h", "one>two", "-h", `${userInfo().username}@three`, join(agent.folder, "own")]);
    expect(added).toEqual({ code: 0, said: "" });
    const run = (words: readonly string[], command: string): ReturnType<TestAgent["tool"]> => tool("ssh", [...words, command]);
    expect(await run(ssh("one"), "echo in")).toEqual({ code: 0, said: "in\n" });
    expect(await run(ssh("three"), "echo in")).toEqual({ code: 0, said: "in\n" });
    expect((await run(ssh("two"), "echo in")).said).toMatch(/Permission denied/);
    const further = (host: "two" | "three"): string => ["ssh", ...ssh(host), "echo further"].join(" ");
    expect(await run(ssh("one", "-A"), further("two"))).toEqual({ code: 0, said: "further\n" });
    expect((await run(ssh("one", "-A"), further("three"))).said).toMatch(/Permission denied/);
    // Seen on the host from which it may go further, and not on the one where it ends; the login's own is seen on neither.
    expect((await run(ssh("one", "-A"), "ssh-add -l")).said).toMatch(/^\S+ \S+ own \(ECDSA\)\n$/);
    expect((await run(ssh("three", "-A"), "ssh-add -l")).said).toMatch(/no identities/);
    expect((await tool("ssh-add", ["-l"])).said.split("\n")).toHaveLength(kind === "ours" ? 3 : 2);
  });

  it("is refused for another person's login, and signs nothing but logins", async () => {
    const { agent, tool, ssh } = await world(kind);
    await tool("ssh-add", ["-q", "-H", join(agent.folder, "known"), "-h", "nobody*@one", join(agent.folder, "own")]);
    expect((await tool("ssh", [...ssh("one"), "true"])).said).toMatch(/Permission denied/);
    await tool("ssh-add", ["-q", "-H", join(agent.folder, "known"), "-h", "*@one", join(agent.folder, "own")]);
    expect(await tool("ssh", [...ssh("one"), "echo in"])).toEqual({ code: 0, said: "in\n" });
    await writeFile(join(agent.folder, "pub.pub"), (await tool("ssh-add", ["-L"])).said.trimEnd().split("\n").at(-1)!);
    expect((await tool("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", join(agent.folder, "pub.pub")], { input: "x" })).code).not.toBe(0);
  });
});
