import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "./ports.ts";

const run = promisify(execFile);
/** Root's sshd wants this empty directory, which its service makes where there is one. It stays: another test's sshd may be using it. */
const privileged = "/run/sshd";

/** A real sshd on loopback. */
export interface Sshd {
  readonly port: number;
  /** Its log so far. */
  log(): string;
  stop(): Promise<void>;
}

/**
 * Starts sshd, the one on PATH or `program`, with these lines of configuration, its file in `directory`. It takes public keys alone, and none from
 * `authorized_keys`. Throws with sshd's log when it does not start.
 */
export async function startSshd(directory: string, config: readonly string[], program = "sshd"): Promise<Sshd> {
  const port = await freePort();
  const lines = [
    `Port ${String(port)}`,
    "ListenAddress 127.0.0.1",
    "PidFile none",
    "UsePAM no",
    "StrictModes no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "AuthorizedKeysFile none",
    "PermitRootLogin yes",
    ...config,
    "LogLevel VERBOSE",
    // A bash that sshd starts reads ~/.bashrc at the first level alone: what this machine's user has there may say something, and forty at once trip over each other.
    "SetEnv SHLVL=1",
  ];
  const file = join(directory, "sshd_config");
  await writeFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
  if (process.getuid?.() === 0) await mkdir(privileged, { mode: 0o755, recursive: true });
  const { stdout } = await run("sh", ["-c", 'command -v "$1"', "sh", program]);
  const child = spawn(stdout.trim(), ["-f", file, "-D", "-e"], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  const exited = once(child, "exit");
  const stop = async (): Promise<void> => {
    child.kill();
    await exited;
  };
  // Its own words: somebody else may answer on the port.
  for (let attempt = 0; !log.includes(`Server listening on 127.0.0.1 port ${String(port)}.`); attempt++) {
    if (attempt === 1200 || child.exitCode !== null) {
      await stop();
      throw new Error(`sshd did not start:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { port, log: () => log, stop };
}

/** What a login over plain `ssh` needs: files, and the name under which the host is looked up in `knownHosts`. */
export interface SshLogin {
  readonly port: number;
  readonly hostName: string;
  readonly identityFile: string;
  readonly certificateFile: string;
  readonly knownHosts: string;
}

/** Runs a command as this machine's own user through `ssh`, with nothing but the given files; returns its stdout. Throws with ssh's stderr. */
export async function sshRun(login: SshLogin, command: string): Promise<string> {
  const options = {
    CertificateFile: login.certificateFile,
    UserKnownHostsFile: login.knownHosts,
    GlobalKnownHostsFile: "none",
    HostKeyAlias: login.hostName,
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    BatchMode: "yes",
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const { stdout } = await run("ssh", ["-F", "none", "-p", String(login.port), "-i", login.identityFile, ...flags, `${userInfo().username}@127.0.0.1`, command]);
  return stdout;
}
