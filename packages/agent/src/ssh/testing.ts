import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { lstat, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, systemRandom, type Clock } from "@gatehouse/core/base";
import { clientHome } from "@gatehouse/core/client/lean";
import { holdKey, noKeys, type HeldKeys } from "@gatehouse/core/client/ssh";
import { agentFrame, createAgentFrames, encodeAgentRequest, parseAgentResponse, parseSshCertificate, type AgentRequest, type AgentResponse } from "@gatehouse/core/formats";
import { certifySshKey, newSshKey } from "@gatehouse/core/testing";
import { createLock } from "../lock/index.ts";
import type { AgentContext, AgentLock, SshAgent } from "../parts.ts";
import { createSshAgent, type SshAgentOptions } from "./index.ts";

/** An agent in a folder of its own. */
export interface TestAgent {
  readonly folder: string;
  readonly path: string;
  readonly agent: SshAgent;
  readonly lock: AgentLock;
  /** Blob of the login's certificate; empty where there is none. */
  readonly certificate: Buffer;
  readonly lines: readonly string[];
  /** Runs a program with this agent. */
  tool(name: string, args: readonly string[], more?: { readonly env?: Readonly<Record<string, string>>; readonly input?: string }): Promise<{ readonly code: number; readonly said: string }>;
  client(): Promise<TestClient>;
  /** A second one in the same place. */
  successor(): Promise<SshAgent>;
  stop(): Promise<void>;
}

/** A client that stays connected. */
export interface TestClient {
  ask(request: Exclude<AgentRequest, { type: "other" }>): Promise<AgentResponse>;
  raw(bytes: Buffer): void;
  end(): void;
  readonly closed: Promise<unknown>;
}

/** Connects to an agent. */
export async function agentClient(path: string): Promise<TestClient> {
  const socket = connect(path);
  await once(socket, "connect");
  socket.on("error", () => undefined);
  const frames = createAgentFrames();
  return {
    closed: new Promise((resolve) => socket.once("close", resolve)),
    raw: (bytes) => void socket.write(bytes),
    end: () => void socket.destroy(),
    async ask(request) {
      socket.write(agentFrame(encodeAgentRequest(request)));
      for (;;) {
        const [payload] = frames.push(((await once(socket, "data")) as [Buffer])[0]);
        if (payload) return parseAgentResponse(payload);
      }
    },
  };
}

/** Runs a program; a second of silence on its input is never waited for. */
export const runTool: (name: string, args: readonly string[], env: Readonly<Record<string, string | undefined>>, input?: string) => Promise<{ readonly code: number; readonly said: string }> = (name, args, env, input = "") =>
  new Promise((resolve) => {
    const child = execFile(name, [...args], { env: { PATH: process.env["PATH"], ...env } }, (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, said: stdout + stderr }));
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });

/** Starts an agent. `login`: with the certificate of one. */
export async function startTestAgent(options: Partial<SshAgentOptions> & { readonly login?: boolean; readonly clock?: Clock; readonly env?: Readonly<Record<string, string>> } = {}): Promise<TestAgent> {
  const { login = true, clock = systemClock, env = {}, ...rest } = options;
  const folder = await mkdtemp(join(tmpdir(), "gh-ssh-agent-"));
  const path = join(folder, "run", "ssh.sock");
  const lines: string[] = [];
  const context: AgentContext = {
    env: { PATH: process.env["PATH"], ...env },
    home: clientHome({ TELEPORT_HOME: folder }),
    place: { directory: join(folder, "run"), control: join(folder, "run", "agent.sock"), ssh: path, secret: undefined, lock: join(folder, "run", "agent.lock"), log: join(folder, "run", "agent.log") },
    clock,
    random: systemRandom,
    log: (text) => void lines.push(text),
  };
  const key = newSshKey("nistp256");
  const line = certifySshKey(newSshKey(), key, "user", ["root"]);
  const keys: HeldKeys = login ? holdKey({ privateKey: key, certificate: line, comment: "gatehouse ana" }) : noKeys;
  const lock = createLock(context, { wait: () => Promise.resolve() });
  const make = (): Promise<SshAgent> => createSshAgent(context, { keys }, lock, { upstream: undefined, ...rest });
  const agent = await make();
  return {
    folder,
    path,
    agent,
    lock,
    certificate: login ? parseSshCertificate(line).blob : Buffer.alloc(0),
    lines,
    tool: (name, args, { env: more = {}, input } = {}) => runTool(name, args, { HOME: folder, SSH_AUTH_SOCK: path, ...more }, input),
    client: () => agentClient(path),
    successor: make,
    async stop() {
      await agent.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** OpenSSH's own agent; `ends` gets what stops it. Returns its socket. */
export async function realAgent(folder: string, ends: (() => unknown)[]): Promise<string> {
  const path = join(folder, "real.sock");
  const child = spawn("ssh-agent", ["-D", "-a", path], { stdio: "ignore" });
  ends.push(async () => {
    const exited = once(child, "exit");
    child.kill();
    await exited;
  });
  for (let tries = 0; !(await lstat(path).then(() => true, () => false)); tries++) {
    if (tries === 3000) throw new Error("ssh-agent did not start");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return path;
}
