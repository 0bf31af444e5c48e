import { execFile, spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemRandom } from "../../../base/index.ts";
import { SshWriter, agentFrame, createAgentFrames, encodeAgentRequest, encodeOpenSshPrivateKey, formatAuthorizedKey, parseAgentResponse, parseSshCertificate, signSshCertificate, sshPublicKey, sshSign, sshVerify, type AgentRequest, type AgentResponse } from "../../../formats/index.ts";
import { requireTool } from "../../../testing/index.ts";
import { holdKey, noKeys, serveAgent, type AgentSocket } from "./index.ts";

const hasSsh = requireTool("ssh-agent", "Debian: openssh-client");

const authority = generateKeyPairSync("ed25519").privateKey;
function certified(keyId = "ana"): { readonly key: ReturnType<typeof generateKeyPairSync>["privateKey"]; readonly certificate: string } {
  const { privateKey } = generateKeyPairSync("ed25519");
  const fields = { type: "user", publicKey: sshPublicKey(privateKey), serial: 1n, keyId, principals: ["root@web-1"], validAfter: 0n, validBefore: 4_000_000_000n, criticalOptions: new Map(), extensions: new Map() } as const;
  return { key: privateKey, certificate: signSshCertificate(fields, authority, systemRandom) };
}

let folder: string;
const open: AgentSocket[] = [];
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-agent-"));
});
afterEach(async () => {
  for (const agent of open.splice(0)) agent.close();
  for (const child of children.splice(0)) child.kill();
  await rm(folder, { recursive: true, force: true });
});

async function offer(path: string, keyId?: string, upstream?: string, more: { readonly maxClients?: number } = {}): Promise<{ readonly agent: AgentSocket; readonly certificate: string }> {
  const { key, certificate } = certified(keyId);
  const agent = await serveAgent({ path, held: holdKey({ privateKey: key, certificate, comment: keyId ?? "ana" }), upstream, ...more });
  open.push(agent);
  return { agent, certificate };
}

/** A client that stays connected. */
async function client(path: string): Promise<{ ask(request: Exclude<AgentRequest, { type: "other" }>): Promise<AgentResponse>; raw(bytes: Buffer): void; readonly closed: Promise<unknown> }> {
  const socket = connect(path);
  await once(socket, "connect");
  socket.on("error", () => undefined);
  const frames = createAgentFrames();
  const closed = once(socket, "close");
  return {
    closed,
    raw: (bytes) => void socket.write(bytes),
    async ask(request) {
      socket.write(agentFrame(encodeAgentRequest(request)));
      for (;;) {
        const [payload] = frames.push(((await once(socket, "data")) as [Buffer])[0]);
        if (payload) return parseAgentResponse(payload);
      }
    },
  };
}

const comments = (response: AgentResponse): readonly string[] => (response.type === "identities" ? response.identities.map(({ comment }) => comment) : [response.type]);
const listedAt = async (path: string): Promise<readonly string[]> => comments(await (await client(path)).ask({ type: "identities" }));

const hostKey = generateKeyPairSync("ed25519").privateKey;
const bind = (forwarding: boolean, session = "session", more: { readonly key?: Buffer; readonly signature?: Buffer } = {}): Exclude<AgentRequest, { type: "other" }> => {
  const { key = sshPublicKey(hostKey), signature = sshSign(hostKey, Buffer.from(session)) } = more;
  return { type: "extension", name: "session-bind@openssh.com", contents: new SshWriter().string(key).string(session).string(signature).boolean(forwarding).toBuffer() };
};

/** OpenSSH's own agent with one key in it. */
async function realAgent(): Promise<string> {
  const path = join(folder, "real.sock");
  children.push(spawn("ssh-agent", ["-D", "-a", path], { stdio: "ignore" }));
  for (let tries = 0; !(await lstat(path).then(() => true, () => false)) && tries < 3000; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  const keyFile = join(folder, "other");
  await writeFile(keyFile, encodeOpenSshPrivateKey(generateKeyPairSync("ed25519").privateKey, "theirs"), { mode: 0o600 });
  await tool("ssh-add", ["-q", keyFile], path);
  return path;
}

const tool = (name: string, args: readonly string[], socket: string): Promise<{ readonly code: number; readonly said: string }> =>
  new Promise((resolve) => {
    execFile(name, [...args], { env: { PATH: process.env["PATH"], SSH_AUTH_SOCK: socket } }, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, said: stdout + stderr }));
  });

describe("the SSH agent", () => {
  it("lists its certificate, signs with it, and lets nobody take it away", async () => {
    const path = join(folder, "agents", "root@web-1:22");
    const { certificate } = await offer(path);
    const { blob, publicKey } = parseSshCertificate(certificate);
    const { ask } = await client(path);
    expect(await ask({ type: "identities" })).toEqual({ type: "identities", identities: [{ blob, comment: "ana" }] });
    const data = Buffer.from("to be signed");
    for (const asked of [blob, publicKey]) {
      const answer = await ask({ type: "sign", blob: Buffer.from(asked), data, flags: 0 });
      expect(answer.type === "signature" && sshVerify(publicKey, data, answer.signature)).toBe(true);
    }
    expect(await ask({ type: "remove", blob })).toEqual({ type: "failure" });
    expect(await ask({ type: "sign", blob: Buffer.from("another"), data, flags: 0 })).toEqual({ type: "failure" });
    expect(await ask({ type: "extension", name: "query", contents: Buffer.alloc(0) })).toEqual({ type: "extension-failure" });
    expect(comments(await ask({ type: "identities" }))).toEqual(["ana"]);
  });

  it("is its owner's alone", async () => {
    await mkdir(join(folder, "agents"), { mode: 0o755 });
    await chmod(join(folder, "agents"), 0o755);
    const path = join(folder, "agents", "a");
    await offer(path);
    expect((await stat(join(folder, "agents"))).mode & 0o777).toBe(0o700);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(offer(join(folder, "x".repeat(120)))).rejects.toThrow(/longer than a socket's may be/);
  });

  it("keeps its key from a host that it was forwarded to", async () => {
    const path = join(folder, "a");
    const { certificate } = await offer(path);
    const { blob } = parseSshCertificate(certificate);
    const { ask } = await client(path);
    expect(await ask(bind(true))).toEqual({ type: "success" });
    expect(comments(await ask({ type: "identities" }))).toEqual([]);
    expect(await ask({ type: "sign", blob, data: Buffer.alloc(1), flags: 0 })).toEqual({ type: "failure" });
    expect(await ask(bind(false, "another"))).toEqual({ type: "success" });
    expect(comments(await ask({ type: "identities" }))).toEqual([]);
  });

  it("offers it to a session that was bound for logging in, until the socket is said to be forwarded", async () => {
    const path = join(folder, "a");
    await offer(path);
    const { ask } = await client(path);
    expect(await ask(bind(false))).toEqual({ type: "success" });
    expect(await ask(bind(false))).toEqual({ type: "failure" });
    expect(comments(await ask({ type: "identities" }))).toEqual(["ana"]);
    expect(await ask(bind(true, "another"))).toEqual({ type: "failure" });
    expect(comments(await ask({ type: "identities" }))).toEqual([]);
  });

  it("believes no binding that the host's key has not signed, and hides its key all the same", async () => {
    const path = join(folder, "a");
    await offer(path);
    const stranger = generateKeyPairSync("ed25519").privateKey;
    for (const more of [{ signature: sshSign(stranger, Buffer.from("session")) }, { signature: sshSign(hostKey, Buffer.from("other")) }, { key: Buffer.from("no key") }, { key: Buffer.alloc(0) }]) {
      const { ask } = await client(path);
      expect(await ask(bind(true, "session", more))).toEqual({ type: "failure" });
      expect(comments(await ask({ type: "identities" }))).toEqual([]);
    }
    const { ask } = await client(path);
    for (let hop = 0; hop < 16; hop++) expect(await ask(bind(true, `session ${String(hop)}`))).toEqual({ type: "success" });
    expect(await ask(bind(true, "one too many"))).toEqual({ type: "failure" });
    expect(await ask(bind(true, "session 3"))).toEqual({ type: "success" });
    expect(await ask(bind(true, "session 3", { key: sshPublicKey(stranger), signature: sshSign(stranger, Buffer.from("session 3")) }))).toEqual({ type: "failure" });
  });

  it("ends a client that breaks the protocol, and answers the others", async () => {
    const path = join(folder, "a");
    await offer(path);
    for (const bytes of [Buffer.of(0xff, 0xff, 0xff, 0xff), agentFrame(Buffer.of(13, 0, 0, 0, 9)), Buffer.of(0, 0, 0, 0)]) {
      const bad = await client(path);
      bad.raw(bytes);
      await bad.closed;
    }
    expect(await listedAt(path)).toEqual(["ana"]);
  });

  it("takes no more clients than it may", async () => {
    const path = join(folder, "a");
    await offer(path, "ana", undefined, { maxClients: 2 });
    const [one] = await Promise.all([client(path), client(path)]);
    expect(comments(await one.ask({ type: "identities" }))).toEqual(["ana"]);
    await (await client(path)).closed;
    one.raw(Buffer.of(0, 0, 0, 0));
    await one.closed;
    expect(await listedAt(path)).toEqual(["ana"]);
  });

  it("shares a path: the last one leads, and hands it on", async () => {
    const path = join(folder, "agents", "a");
    const first = await offer(path, "first");
    const second = await offer(path, "second");
    expect(await listedAt(path)).toEqual(["second"]);
    second.agent.close();
    expect(await listedAt(path)).toEqual(["first"]);
    const third = await offer(path, "third");
    first.agent.close();
    expect(await listedAt(path)).toEqual(["third"]);
    third.agent.close();
    expect(await readdir(join(folder, "agents"))).toEqual([]);
  });

  it("takes the place of one that was killed", async () => {
    const path = join(folder, "agents", "a");
    const { agent } = await offer(path, "first");
    const [own = ""] = (await readdir(join(folder, "agents"))).filter((name) => name.startsWith("."));
    const dead = own.replace(`.${process.pid}.`, ".4194305.");
    await writeFile(join(folder, "agents", dead), "");
    await offer(path, "second");
    expect(await readdir(join(folder, "agents"))).not.toContain(dead);
    agent.close();
    expect(await listedAt(path)).toEqual(["second"]);
  });

  describe.skipIf(!hasSsh)("before OpenSSH's agent", () => {
    it("lists its keys after its own, and passes on what is not for it", async () => {
      const real = await realAgent();
      const path = join(folder, "a");
      const { certificate } = await offer(path, "ana", real);
      expect(await listedAt(path)).toEqual(["ana", "theirs"]);
      expect((await tool("ssh-add", ["-l"], path)).said).toMatch(/ana \(ED25519-CERT\)\n.* theirs \(ED25519\)\n$/);
      const publicFile = join(folder, "theirs.pub");
      await writeFile(publicFile, (await tool("ssh-add", ["-L"], real)).said);
      await writeFile(join(folder, "message"), "hello");
      const signed = await tool("ssh-keygen", ["-Y", "sign", "-n", "file", "-f", publicFile, join(folder, "message")], path);
      expect(signed.code).toBe(0);
      const { ask } = await client(path);
      await ask(bind(true));
      expect(comments(await ask({ type: "identities" }))).toEqual(["theirs"]);
      expect((await tool("ssh-add", ["-D"], path)).code).toBe(0);
      expect(await listedAt(path)).toEqual(["ana"]);
      expect(formatAuthorizedKey(parseSshCertificate(certificate).blob)).toContain("ssh-ed25519-cert-v01@openssh.com");
    });

    it("goes on without it when it has gone, and never asks itself", async () => {
      const path = join(folder, "a");
      await offer(path, "ana", join(folder, "gone"));
      expect(await listedAt(path)).toEqual(["ana"]);
      const self = join(folder, "b");
      await offer(self, "ana", self);
      expect(await listedAt(self)).toEqual(["ana"]);
    });

    it("passes everything on where it holds nothing", async () => {
      const real = await realAgent();
      const path = join(folder, "a");
      open.push(await serveAgent({ path, held: noKeys, upstream: real }));
      expect(await listedAt(path)).toEqual(["theirs"]);
    });
  });
});
