import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { buildRoleSet } from "../../../access/index.ts";
import type { EffectiveOptions } from "../../../access/index.ts";
import type { AuditEventInput } from "../../../audit/index.ts";
import { GatehouseError, nullLogger, systemClock, systemRandom, uuid } from "../../../base/index.ts";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, sshPublicKey } from "../../../formats/index.ts";
import { certifySshKey, newSshKey, startSshd } from "../../../testing/index.ts";
import type { Credential, HostProof } from "../../../ssh/index.ts";
import { Recorder, Registry, Sessions } from "../../sessions/index.ts";
import type { Ending } from "../../sessions/index.ts";
import { testRecordings } from "../../sessions/test-recordings.ts";
import type { TestRecording } from "../../sessions/test-recordings.ts";
import { createBridge } from "./index.ts";
import type { Lost, SshLive } from "./index.ts";

/** What a client command did. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A client command under way. */
export interface Running {
  readonly done: Promise<Ran>;
  write(text: string | Buffer): void;
  endInput(): void;
  /** So far. */
  stdout(): string;
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
}

/** A bridge between the system's `ssh` and a real sshd, for tests alone. */
export interface BridgeWorld {
  readonly directory: string;
  readonly login: string;
  /** Port of the bridge. */
  readonly port: number;
  /** Options of ssh, scp and sftp (`-F` a file in which host `web-1` is behind the bridge). */
  readonly config: string;
  readonly events: AuditEventInput[];
  readonly recordings: readonly TestRecording[];
  readonly sessions: Sessions;
  readonly registry: Registry<Ending, SshLive>;
  /** What the person's roles say. */
  options: Partial<EffectiveOptions>;
  /** Refuses the login. */
  refuses: GatehouseError | undefined;
  /** Why no connection may go on any more. */
  lost: Lost | undefined;
  /** Sockets of the clients that came. */
  readonly clients: Socket[];
  /** Sockets to the host. */
  readonly hosts: Socket[];
  /** Events can be written. */
  audited: boolean;
  sshdLog(): string;
  ssh(...args: readonly string[]): Running;
  run(program: string, args: readonly string[], input?: Buffer): Promise<Ran>;
  spawn(program: string, args: readonly string[]): Running;
  /** Codes of the events so far. */
  codes(): unknown[];
  /** Forgets what was said and done before. */
  reset(): void;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** More lines of sshd's configuration. */
  readonly sshd?: readonly string[];
  /** Principals of minted certificates; by default what sshd wants. */
  readonly principal?: string;
  readonly recording?: "strict" | "best_effort" | "off";
}

export async function createBridgeWorld(options: WorldOptions = {}): Promise<BridgeWorld> {
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-bridge-"));
  const login = userInfo().username;
  const write = (name: string, content: string): Promise<void> => writeFile(join(directory, name), content, { mode: 0o600 });
  const [hostAuthority, userAuthority, hostKey, gatewayKey] = [newSshKey(), newSshKey(), newSshKey(), newSshKey("nistp256")] as const;
  const line = (key: ReturnType<typeof newSshKey>): string => formatAuthorizedKey(sshPublicKey(key)).trim();
  await write("host", encodeOpenSshPrivateKey(hostKey));
  await write("host-cert.pub", `${certifySshKey(hostAuthority, hostKey, "host", ["node-1.example"])}\n`);
  await write("trusted", `${line(userAuthority)}\n`);
  await write("principals", `${login}@node-1\n`);
  await write("known_hosts", `@cert-authority * ${line(hostAuthority)}\n`);
  await mkdir(join(directory, "control"));
  const sshd = await startSshd(directory, [
    `HostKey ${join(directory, "host")}`, `HostCertificate ${join(directory, "host-cert.pub")}`, `TrustedUserCAKeys ${join(directory, "trusted")}`, `AuthorizedPrincipalsFile ${join(directory, "principals")}`,
    "Subsystem sftp internal-sftp", "AllowAgentForwarding yes", "AllowTcpForwarding yes", "AllowStreamLocalForwarding yes", "X11Forwarding yes", "AcceptEnv LANG GATEHOUSE_*", "MaxSessions 100", ...(options.sshd ?? []),
  ]);
  const roles = buildRoleSet([], {});
  const opened = testRecordings();
  const audit = { emit: (event: AuditEventInput) => (world.audited ? Promise.resolve(void world.events.push(event)) : Promise.reject(new Error("no disk"))), close: () => Promise.resolve() };
  const recorder = new Recorder(audit, nullLogger);
  const sessions = new Sessions({ recorder, clock: systemClock, logger: nullLogger, serverId: "gateway-1", recordings: opened, recording: options.recording ?? "strict" });
  const registry = new Registry<Ending, SshLive>({ gatekeeper: { generation: 1, onChange: () => () => undefined }, clock: systemClock, lost: (live, now) => live.lost(now) });
  const bridge = createBridge({ sessions, recorder, registry, clock: systemClock, logger: nullLogger, random: systemRandom });
  const running: Promise<void>[] = [];
  const server = createServer((client) => {
    world.clients.push(client);
    const socket = connect(sshd.port, "127.0.0.1");
    world.hosts.push(socket);
    for (const each of [client, socket]) each.on("error", () => undefined);
    socket.pause();
    const effective: EffectiveOptions = { ...roles.options(), forwardAgent: true, portForwarding: true, ...world.options };
    const work = bridge.run({
      id: uuid(),
      person: { username: "ana", loginSession: "s", remoteAddress: "192.0.2.7:5000", localAddress: "192.0.2.1:3023" },
      client,
      hostKeys: [{ privateKey: gatewayKey, certificate: certifySshKey(hostAuthority, gatewayKey, "host", ["web-1"]) }],
      host: { node: { id: "node-1", hostname: "web-1", addr: { host: "127.0.0.1", port: sshd.port }, labels: { env: "test" } }, target: "web-1", socket, verify: verifyHost },
      admit: (asked) => {
        if (world.refuses !== undefined) return Promise.reject(world.refuses);
        return Promise.resolve({
          login: asked,
          identity: { username: "ana", subjectId: "1", sessionId: "s", traits: {}, roles, expires: Infinity },
          options: effective,
          mint: () => {
            const privateKey = newSshKey();
            const extensions = new Map(["permit-pty", "permit-port-forwarding", "permit-agent-forwarding", "permit-X11-forwarding"].map((name) => [name, ""] as const));
            const criticalOptions = new Map(effective.forceCommands.map((command) => ["force-command", command] as const));
            const certificate = certifySshKey(userAuthority, privateKey, "user", [options.principal ?? `${asked}@node-1`], { extensions, criticalOptions });
            return Promise.resolve<Credential>({ method: "publickey", privateKey, certificate });
          },
          lost: () => world.lost,
        });
      },
      isOwn: (attempt) => attempt.method === "none",
    });
    running.push(work);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const config = join(directory, "ssh_config");
  await write("ssh_config", [
    "Host web-1", "  HostName 127.0.0.1", `  Port ${String(port)}`, "  HostKeyAlias web-1", `  User ${login}`, `  UserKnownHostsFile ${join(directory, "known_hosts")}`, "  GlobalKnownHostsFile none",
    "  StrictHostKeyChecking yes", "  PubkeyAuthentication no", "  PasswordAuthentication no", "  KbdInteractiveAuthentication no", "  BatchMode yes", "  IdentityFile none",
  ].join("\n"));
  const world: BridgeWorld = {
    directory, login, port, config, events: [], recordings: opened.opened, sessions, registry, options: {}, refuses: undefined, lost: undefined, clients: [], hosts: [], audited: true,
    sshdLog: () => sshd.log(),
    ssh: (...args) => start("ssh", ["-F", config, ...args]),
    spawn: start,
    run: (program, args, input) => {
      const command = start(program, args);
      if (input !== undefined) command.write(input);
      command.endInput();
      return command.done;
    },
    codes: () => world.events.map(({ code }) => code),
    reset() {
      Object.assign(world, { options: {}, refuses: undefined, lost: undefined, audited: true });
      world.events.length = 0;
    },
    async close() {
      registry.endAll({ code: 503, message: "the test is over" }, () => true);
      for (const socket of [...world.clients, ...world.hosts]) socket.destroy();
      await Promise.all(running);
      await sessions.close("over");
      registry.close();
      server.close();
      await sshd.stop();
      await rm(directory, { recursive: true });
    },
  };
  return world;
}

function verifyHost({ certificate }: HostProof): Promise<void> {
  if (certificate?.principals.includes("node-1.example") === true) return Promise.resolve();
  return Promise.reject(new GatehouseError("access_denied", "a stranger", { id: "12345678" }));
}

/** Waits until something holds; `more` says what is, where it never does. */
export async function until(holds: () => boolean | Promise<boolean>, more: () => unknown = () => ""): Promise<void> {
  for (let attempt = 0; !(await holds()); attempt++) {
    if (attempt === 3000) throw new Error(`it never came about: ${JSON.stringify(more())}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function start(program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { stdio: "pipe" });
  const stdout: Buffer[] = [];
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on("error", () => undefined);
  return {
    done: once(child, "close").then(([code]) => ({ code: code as number | null, stdout: Buffer.concat(stdout), stderr })),
    write: (text) => void child.stdin.write(text),
    endInput: () => void child.stdin.end(),
    stdout: () => Buffer.concat(stdout).toString(),
    stderr: () => stderr,
    kill: (signal) => void child.kill(signal),
  };
}
