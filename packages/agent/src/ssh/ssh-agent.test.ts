import { scrypt } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import { manualClock } from "@gatehouse/core/base";
import { agentFrame, encodeAgentRequest, encodeOpenSshPrivateKey, formatAuthorizedKey, sshPublicKey, sshSign, sshVerify, SshWriter } from "@gatehouse/core/formats";
import { certifySshKey, newSshKey, requireTool, sshKeyKinds, type SshKeyKind } from "@gatehouse/core/testing";
import { agentClient, realAgent, startTestAgent, type TestAgent } from "./testing.ts";

const hasSsh = requireTool("ssh-agent", "Debian: openssh-client");
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(options: Parameters<typeof startTestAgent>[0] = {}): Promise<TestAgent> {
  const agent = await startTestAgent(options);
  ends.push(() => agent.stop());
  return agent;
}

/** Writes a key as ssh-keygen would, with a certificate beside it where asked. */
async function keyFile({ folder }: TestAgent, name: string, kind: SshKeyKind = "ed25519", certified = false): Promise<string> {
  const key = newSshKey(kind);
  const path = join(folder, name);
  await writeFile(path, encodeOpenSshPrivateKey(key, name), { mode: 0o600 });
  await writeFile(`${path}.pub`, `${formatAuthorizedKey(sshPublicKey(key), name)}\n`);
  if (certified) await writeFile(`${path}-cert.pub`, certifySshKey(newSshKey(), key, "user", ["root"]));
  return path;
}

/** A program that stands for the person, and notes what it was asked. */
async function askpass({ folder }: TestAgent, answer: string): Promise<void> {
  await writeFile(join(folder, "askpass"), `#!/bin/sh\nprintf '%s|%s\\n' "$SSH_ASKPASS_PROMPT" "$1" >> '${folder}/asked'\n${answer}\n`, { mode: 0o700 });
}

const listed = async (agent: TestAgent): Promise<string> => (await agent.tool("ssh-add", ["-l"])).said;

describe.skipIf(!hasSsh)("the ssh-agent, spoken to by OpenSSH", () => {
  it("takes keys of every kind beside the login's, with certificates too, and signs with them", async () => {
    const agent = await start();
    for (const kind of sshKeyKinds) {
      const path = await keyFile(agent, `of-${kind}`, kind, true);
      expect(await agent.tool("ssh-add", ["-q", path])).toEqual({ code: 0, said: "" });
      await writeFile(join(agent.folder, "message"), kind);
      const signed = await agent.tool("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", `${path}.pub`, join(agent.folder, "message")]);
      expect(signed.code, signed.said).toBe(0);
      const checked = await agent.tool("ssh-keygen", ["-Y", "check-novalidate", "-n", "file", "-s", join(agent.folder, "message.sig")], { input: kind });
      expect(checked.said).toMatch(/^Good "file" signature/);
      await rename(join(agent.folder, "message.sig"), join(agent.folder, `${kind}.sig`));
    }
    const lines = (await listed(agent)).trimEnd().split("\n");
    expect(lines[0]).toMatch(/gatehouse ana \(ECDSA-CERT\)$/);
    expect(lines).toHaveLength(1 + 2 * sshKeyKinds.length);
    expect(agent.agent.addedKeys).toBe(2 * sshKeyKinds.length);
    expect(agent.agent.isIdle).toBe(false);
    const client = await agent.client();
    for (const flags of [2, 4]) {
      const rsa = lines.findIndex((line) => line.endsWith("(RSA)"));
      const answer = await client.ask({ type: "identities" });
      const blob = answer.type === "identities" ? answer.identities[rsa]!.blob : Buffer.alloc(0);
      const signed = await client.ask({ type: "sign", blob, data: Buffer.from("x"), flags });
      expect(signed.type === "signature" && sshVerify(blob, Buffer.from("x"), signed.signature)).toBe(true);
      expect(signed.type === "signature" && signed.signature.subarray(4, 16).toString()).toBe(flags === 2 ? "rsa-sha2-256" : "rsa-sha2-512");
    }
  });

  it("forgets one key, or all but the login's", async () => {
    const agent = await start();
    const [one, two] = [await keyFile(agent, "one"), await keyFile(agent, "two")];
    await agent.tool("ssh-add", ["-q", one, two]);
    expect((await agent.tool("ssh-add", ["-d", one])).code).toBe(0);
    expect(await listed(agent)).toMatch(/ana .*\n.* two \(ED25519\)\n$/);
    expect((await agent.tool("ssh-add", ["-D"])).code).toBe(0);
    expect(await listed(agent)).toMatch(/^\S+ \S+ gatehouse ana \(ECDSA-CERT\)\n$/);
    expect((await agent.client().then((client) => client.ask({ type: "remove", blob: agent.certificate }))).type).toBe("failure");
  });

  it("forgets a key when its time is over", async () => {
    const clock = manualClock(1_800_000_000_000);
    const agent = await start({ clock, login: false });
    await agent.tool("ssh-add", ["-q", "-t", "60", await keyFile(agent, "brief")]);
    expect(await listed(agent)).toContain("brief");
    clock.advance(59_999);
    expect(agent.agent.addedKeys).toBe(1);
    clock.advance(1);
    expect(agent.agent.addedKeys).toBe(0);
    expect(await listed(agent)).toBe("The agent has no identities.\n");
  });

  it("asks before a key signs that was added so", async () => {
    const env: Record<string, string> = { DISPLAY: ":99" };
    const agent = await start({ env });
    env["SSH_ASKPASS"] = join(agent.folder, "askpass");
    const restarted = await start({ env: { ...env, SSH_ASKPASS: join(agent.folder, "askpass") }, login: false });
    const path = await keyFile(restarted, "careful\u001b");
    await restarted.tool("ssh-add", ["-q", "-c", path]);
    const sign = async (): Promise<number> => (await restarted.tool("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", `${path}.pub`], { input: "x" })).code;
    for (const [answer, allowed] of [["exit 0", true], ["echo yes", true], ["echo no", false], ["exit 1", false]] as const) {
      await askpass(agent, answer);
      expect((await sign()) === 0, answer).toBe(allowed);
    }
    expect(await readFile(join(agent.folder, "asked"), "utf8")).toMatch(/^confirm\|Allow use of key careful\\(?:x1b|u001b|e)\S*\?\nKey fingerprint SHA256:\S+\.\n/);
  });

  it("refuses where nobody can be asked, and asks for a login's key where the person wants that", async () => {
    const agent = await start({ env: { SSH_ASKPASS: "/bin/true" } });
    await agent.tool("ssh-add", ["-q", "-c", await keyFile(agent, "careful")]);
    const client = await agent.client();
    const blobs = await client.ask({ type: "identities" });
    const blob = blobs.type === "identities" ? blobs.identities[1]!.blob : Buffer.alloc(0);
    expect(await client.ask({ type: "sign", blob, data: Buffer.from("x"), flags: 0 })).toEqual({ type: "failure" });
    expect(agent.lines.join("\n")).toMatch(/there is nobody to ask/);
    const asked: string[] = [];
    let answer = false;
    const careful = await start({ confirm: () => true, ask: async ({ comment }) => (asked.push(comment), answer) });
    const other = await careful.client();
    expect((await other.ask({ type: "sign", blob: careful.certificate, data: Buffer.from("x"), flags: 0 })).type).toBe("failure");
    answer = true;
    expect((await other.ask({ type: "sign", blob: careful.certificate, data: Buffer.from("x"), flags: 0 })).type).toBe("signature");
    expect(asked).toEqual(["gatehouse ana", "gatehouse ana"]);
  });

  it("locks for ssh-add and opens again", async () => {
    const agent = await start();
    const ask = await (async () => {
      await writeFile(join(agent.folder, "pass"), "#!/bin/sh\ncat \"$PASS\"\n", { mode: 0o700 });
      return async (flag: string, passphrase: string) => {
        await writeFile(join(agent.folder, "word"), passphrase, { mode: 0o600 });
        return agent.tool("ssh-add", [flag], { env: { SSH_ASKPASS: join(agent.folder, "pass"), SSH_ASKPASS_REQUIRE: "force", PASS: join(agent.folder, "word"), DISPLAY: ":99" } });
      };
    })();
    await agent.tool("ssh-add", ["-q", await keyFile(agent, "one")]);
    const early = await agent.client();
    expect((await ask("-x", "sesame")).said).toMatch(/Agent locked/);
    expect(agent.lock.isLocked).toBe(true);
    expect(await listed(agent)).toBe("The agent has no identities.\n");
    expect((await early.ask({ type: "sign", blob: agent.certificate, data: Buffer.from("x"), flags: 0 })).type).toBe("failure");
    expect((await agent.tool("ssh-add", ["-D"])).code).not.toBe(0);
    expect((await agent.tool("ssh-add", ["-q", await keyFile(agent, "two")])).code).not.toBe(0);
    expect((await ask("-X", "wrong")).said).toMatch(/Failed to unlock/);
    expect((await ask("-X", "sesame")).said).toMatch(/Agent unlocked/);
    expect(await listed(agent)).toMatch(/ana .*\n.* one /);
  });

  it("is neither locked nor unlocked by a host that it was forwarded to: what kubectl is given hangs on it too", async () => {
    const agent = await start();
    const remote = await agent.client();
    const host = newSshKey();
    const session = Buffer.from("session");
    const contents = new SshWriter().string(sshPublicKey(host)).string(session).string(sshSign(host, session)).boolean(true).toBuffer();
    expect((await remote.ask({ type: "extension", name: "session-bind@openssh.com", contents })).type).toBe("success");
    expect((await remote.ask({ type: "lock", passphrase: Buffer.from("theirs") })).type).toBe("failure");
    expect(agent.lock.isLocked).toBe(false);
    await agent.lock.lock(Buffer.from("mine"));
    expect((await remote.ask({ type: "unlock", passphrase: Buffer.from("mine") })).type).toBe("failure");
    expect(agent.lock.isLocked).toBe(true);
  });

  it("refuses a smart card, a constraint that it does not know, and what is no key", async () => {
    const agent = await start({ login: false });
    expect((await agent.tool("ssh-add", ["-s", "/usr/lib/none.so"])).code).not.toBe(0);
    const client = await agent.client();
    expect((await client.ask({ type: "add", contents: Buffer.from("nonsense") })).type).toBe("failure");
    expect((await client.ask({ type: "extension", name: "nobody@knows", contents: Buffer.alloc(0) })).type).toBe("extension-failure");
    expect(agent.agent.addedKeys).toBe(0);
  });

  it("passes keys on to the agent that was there before, and keeps them itself once that is gone", async () => {
    const before = await start({ login: false });
    const real = await realAgent(before.folder, ends);
    const agent = await start({ upstream: real });
    expect(agent.agent.upstream).toBe(real);
    await agent.tool("ssh-add", ["-q", await keyFile(agent, "theirs")]);
    expect(agent.agent.addedKeys).toBe(0);
    expect((await before.tool("ssh-add", ["-l"], { env: { SSH_AUTH_SOCK: real } })).said).toMatch(/theirs/);
    expect(await listed(agent)).toMatch(/ana .*\n.* theirs /);
    await rm(real);
    expect((await agent.tool("ssh-add", ["-q", await keyFile(agent, "own")])).code).toBe(0);
    expect(agent.agent.addedKeys).toBe(1);
    await agent.agent.follow(before.path);
    expect(agent.agent.upstream).toBe(before.path);
    await agent.agent.follow(agent.path);
    expect(agent.agent.upstream).toBe(before.path);
  });

  it("passes nothing on to what others can put in the place of the agent before, then or later", async () => {
    const before = await start({ login: false });
    const folder = join(before.folder, "ssh-of-a-login");
    await mkdir(folder, { mode: 0o700 });
    const real = await realAgent(folder, ends);
    const agent = await start({ upstream: real });
    expect(agent.agent.upstream).toBe(real);
    await chmod(folder, 0o777);
    expect((await agent.tool("ssh-add", ["-q", await keyFile(agent, "own")])).code).toBe(0);
    expect(agent.agent.addedKeys).toBe(1);
    expect((await before.tool("ssh-add", ["-l"], { env: { SSH_AUTH_SOCK: real } })).said).toMatch(/no identities/);
    await agent.agent.follow(real);
    await agent.agent.follow(real);
    expect(agent.agent.upstream).toBeUndefined();
    expect(agent.lines.filter((line) => line.includes("is not used"))).toHaveLength(1);
    await chmod(folder, 0o1777);
    await agent.agent.follow(real);
    expect(agent.agent.upstream).toBe(real);
    if (process.getuid?.() !== 0) return;
    for (const path of [real, folder]) {
      await chown(path, 65_534, 65_534);
      await agent.agent.follow(real);
      expect(agent.agent.upstream).toBeUndefined();
      await chown(path, 0, 0);
    }
  });

  it("lists its own keys where the agent before has stopped answering", async () => {
    const silent = join((await start({ login: false })).folder, "silent.sock");
    const server = createServer((socket) => void socket.on("error", () => undefined).resume());
    await new Promise<void>((resolve) => server.listen(silent, resolve));
    ends.push(() => server.close());
    const agent = await start({ upstream: silent, time: 300 });
    expect(agent.agent.upstream).toBe(silent);
    expect(await listed(agent)).toMatch(/ana/);
  });

  it("never asks itself, by whatever name", async () => {
    const agent = await start();
    await symlink(agent.path, join(agent.folder, "alias"));
    await agent.agent.follow(join(agent.folder, "alias"));
    await agent.agent.follow(agent.path);
    await agent.agent.follow(join(agent.folder, "nothing"));
    expect(agent.agent.upstream).toBeUndefined();
    expect(await listed(agent)).toMatch(/ana/);
  });

  it("hands its keys to the one that takes its place, at the same path", async () => {
    const agent = await start();
    await agent.tool("ssh-add", ["-q", "-t", "3600", await keyFile(agent, "one", "rsa", true)]);
    const state: unknown = JSON.parse(JSON.stringify(agent.agent.state()));
    const next = await agent.successor();
    ends.push(() => next.close());
    next.restore(state);
    await agent.agent.close();
    expect(next.addedKeys).toBe(2);
    expect((await stat(agent.path)).mode & 0o777).toBe(0o600);
    expect(await listed(agent)).toMatch(/ana .*\n.* one \(RSA\)\n.*\(RSA-CERT\)\n$/);
    const signed = await agent.tool("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", join(agent.folder, "one.pub")], { input: "x" });
    expect(signed.code, signed.said).toBe(0);
    for (const bad of [null, 3, { upstream: 3, keys: [] }, { upstream: null, keys: [{}] }, { upstream: null, keys: [{ blob: "AAAA", key: "AAAA", comment: "", confirm: false, expires: null, destinations: null }] }]) {
      expect(() => next.restore(bad)).toThrow(/cannot be read/);
    }
  });
});

describe("the ssh-agent's socket", () => {
  it("answers nobody any more from the moment that it ends: what it held may be another's", async () => {
    const agent = await start();
    const client = await agent.client();
    // Its path is removed by a thread that files and hashes share.
    const busy = Array.from({ length: 16 }, () => promisify(scrypt)("a", "b", 32));
    const closing = agent.agent.close();
    const gone = (): string => "gone";
    expect(await Promise.race([client.ask({ type: "remove-all" }).then(({ type }) => type, gone), client.closed.then(gone)])).toBe("gone");
    await Promise.all([closing, ...busy]);
  });

  it("is refused where something else is in its place, or in a directory that is open to others", async () => {
    const agent = await start();
    await agent.agent.close();
    await writeFile(agent.path, "");
    await expect(agent.successor()).rejects.toMatchObject({ code: "access_denied", message: expect.stringMatching(/is no socket/) as string });
    await rename(agent.path, join(agent.folder, "file"));
    await symlink(join(agent.folder, "file"), agent.path);
    await expect(agent.successor()).rejects.toThrow(/is a link/);
    await rename(agent.path, join(agent.folder, "link"));
    await chmod(join(agent.folder, "run"), 0o755);
    await expect(agent.successor()).rejects.toThrow(/is open to others/);
    await chmod(join(agent.folder, "run"), 0o700);
    await mkdir(join(agent.folder, "run", "x"));
    const next = await agent.successor();
    ends.push(() => next.close());
    expect((await readdir(join(agent.folder, "run"))).sort()).toEqual(["ssh.sock", "x"]);
  });

  it("drops who breaks the protocol, stops in the middle, or never reads, and answers the others", async () => {
    const agent = await start({ time: 300 });
    for (const bytes of [Buffer.of(0xff, 0xff, 0xff, 0xff), Buffer.of(0, 0, 0, 0), agentFrame(Buffer.of(13, 0, 0, 0, 9)), Buffer.of(0, 0), Buffer.of(0, 4, 0, 0, 17)]) {
      const bad = await agent.client();
      bad.raw(bytes);
      await bad.closed;
    }
    const { connect } = await import("node:net");
    const deaf = connect(agent.path);
    deaf.on("error", () => undefined).pause();
    const question = agentFrame(encodeAgentRequest({ type: "identities" }));
    deaf.write(Buffer.concat(Array.from({ length: 20_000 }, () => question)));
    for (let tries = 0; agent.agent.clients > 0 && tries < 3000; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(agent.agent.clients).toBe(0);
    deaf.destroy();
    expect(await (await agent.client()).ask({ type: "identities" })).toMatchObject({ type: "identities", identities: [{ comment: "gatehouse ana" }] });
  });

  it("answers a thousand clients that are connected at once, and no more than it may", async () => {
    const agent = await start({ maxClients: 1000 });
    const clients = await Promise.all(Array.from({ length: 1000 }, () => agentClient(agent.path)));
    ends.push(() => clients.forEach((client) => client.end()));
    const answers = await Promise.all(clients.map((client) => client.ask({ type: "sign", blob: agent.certificate, data: Buffer.from("x"), flags: 0 })));
    expect(new Set(answers.map(({ type }) => type))).toEqual(new Set(["signature"]));
    await (await agentClient(agent.path)).closed;
    expect(agent.agent.clients).toBe(1000);
  });
});
