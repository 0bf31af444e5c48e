import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "@gatehouse/core/testing";
import { cleanEnv } from "./world.ts";
import { run, type Outcome } from "./process.ts";

/** A host of its own on this machine: an sshd with its own configuration, host keys and folder, that nobody else's is touched by. */
export interface JoiningHost {
  readonly folder: string;
  readonly port: number;
  /** Where the join puts its files. */
  readonly state: string;
  readonly config: string;
  readonly dropIn: string;
  /** Paths for the line of `tctl nodes add`, so that it runs beside the machine's own sshd. */
  readonly options: readonly string[];
  /** Runs the line as people paste it, the token on standard input. */
  join(line: string, token: string, options?: readonly string[]): Promise<Outcome>;
  /** Runs the script that the join has left. */
  script(...args: readonly string[]): Promise<Outcome>;
  /** Log of sshd so far. */
  log(): string;
  close(): Promise<void>;
}

/** Makes host keys and starts sshd; `lines` go into its configuration. */
export async function startJoiningHost(folder: string, lines: readonly string[] = [], keys: readonly string[] = ["ed25519", "rsa"]): Promise<JoiningHost> {
  await mkdir(folder, { recursive: true });
  const file = (name: string): string => join(folder, name);
  for (const type of keys) {
    const made = await run("ssh-keygen", ["-q", "-N", "", "-t", type, ...(type === "rsa" ? ["-b", "2048"] : []), "-f", file(`ssh_host_${type}_key`)]);
    if (made.code !== 0) throw new Error(made.stderr);
  }
  const port = await freePort();
  const config = file("sshd_config");
  await mkdir(`${config}.d`);
  await writeFile(
    config,
    [
      `Include ${config}.d/*.conf`,
      `Port ${String(port)}`,
      "ListenAddress 127.0.0.1",
      `PidFile ${file("sshd.pid")}`,
      ...keys.map((type) => `HostKey ${file(`ssh_host_${type}_key`)}`),
      "UsePAM no",
      "StrictModes no",
      "PasswordAuthentication no",
      "KbdInteractiveAuthentication no",
      "PermitRootLogin yes",
      "LogLevel VERBOSE",
      ...lines,
      "",
    ].join("\n"),
  );
  await mkdir("/run/sshd", { mode: 0o755, recursive: true });
  const sshd = (await run("sh", ["-c", "PATH=$PATH:/usr/sbin command -v sshd"])).stdout.trim();
  const child: ChildProcess = spawn(sshd, ["-f", config, "-D", "-e"], { stdio: ["ignore", "ignore", "pipe"] });
  let log = "";
  child.stderr?.on("data", (chunk: Buffer) => (log += chunk.toString()));
  // Its own words: somebody else may answer on the port.
  for (let attempt = 0; !log.includes(`Server listening on 127.0.0.1 port ${String(port)}.`); attempt++) {
    if (attempt === 1200 || child.exitCode !== null) throw new Error(`sshd did not start:\n${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const state = file("state");
  const reload = file("reload.sh");
  // A service manager's reload is over when the service is there again: that writes its file once it listens.
  const pidFile = file("sshd.pid");
  await writeFile(reload, `pid=$(cat ${pidFile}) && rm ${pidFile} && kill -HUP "$pid" || exit 1\nfor try in $(seq 600); do [ -s ${pidFile} ] && exit 0; sleep 0.1; done\nexit 1\n`);
  await mkdir(file("cron"));
  const options = [`--state-dir=${state}`, `--sshd-config=${config}`, `--sshd=${sshd}`, `--reload=sh ${reload}`, "--timer=cron", `--timer-dir=${file("cron")}`];
  const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(" ");
  return {
    folder,
    port,
    state,
    config,
    dropIn: `${config}.d/00-gatehouse.conf`,
    options,
    join: (line, token, more = []) => run("sh", ["-c", `${line} ${quoted([...options, ...more])}`], { input: `${token}\n`, env: cleanEnv({ HOME: folder }) }),
    script: (...args) => run("sh", [join(state, "join.sh"), ...args, `--state-dir=${state}`], { env: cleanEnv({ HOME: folder }) }),
    log: () => log,
    async close() {
      const exited = child.exitCode === null ? once(child, "exit") : undefined;
      // Re-executed after a signal, it is another process with the same file.
      const pid = await readFile(file("sshd.pid"), "utf8").catch(() => "");
      if (/^\d+\s*$/.test(pid)) process.kill(Number(pid));
      child.kill();
      await exited;
    },
  };
}
