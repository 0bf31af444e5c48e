import { mkdir, readFile, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { newMachine, type Machine } from "./machine.ts";
import { run, type Outcome } from "./process.ts";
import { tshPath, type World } from "./world.ts";

/** What kubectl asks a plugin with where nobody can be asked. */
export const quietExecInfo = JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", spec: { interactive: false } });

/** A machine whose commands start an agent, with a desktop, and a browser that notes each time it is started. */
export interface Desk {
  readonly machine: Machine;
  opened(): Promise<number>;
  /** The plugin, run by something that can ask nobody. */
  credentials(env?: NodeJS.ProcessEnv): Promise<Outcome>;
  /** Forty plugins at once, each with a parent of its own, as `xargs -P 40 kubectl` has them: what each of them wrote, and their exit codes. */
  forty(): Promise<{ readonly codes: readonly string[]; readonly stderr: string }>;
  agent(): Promise<{ readonly running: boolean; readonly pid: number }>;
  /** Changes the stored login as a command would: whole, and the profile after it. */
  rewrite(change: Readonly<Record<string, unknown>>): Promise<void>;
  /** Lets the stored login be one that has ended. */
  end(): Promise<void>;
}

/** A desk of `ana` in this world, where nobody is logged in. The caller ends its agent. */
export async function newDesk(world: World): Promise<Desk> {
  const machine = await newMachine(world, "ana", { TSH_AGENT: undefined, DISPLAY: ":99" });
  const folder = join(machine.home, "opened");
  const script = join(machine.home, "browser.sh");
  await mkdir(folder, { recursive: true });
  const [program = "", page = ""] = (machine.env["BROWSER"] ?? "").split(" ");
  // The agent's environment has nothing in it that only a test knows.
  await writeFile(script, `#!/bin/sh\ntouch "${folder}/$$"\nexport BROWSER_CA="${world.caFile}" BROWSER_USER=ana\nexec "${program}" "${page}" "$1"\n`, { mode: 0o700 });
  machine.env["BROWSER"] = script;
  const plugin = [tshPath, "kube", "credentials", `--proxy=${world.proxy}`];
  const profile = world.proxy.replace(":", "_");
  const desk: Desk = {
    machine,
    opened: async () => (await readdir(folder)).length,
    credentials: (env = {}) => run(process.execPath, plugin, { env: { ...machine.env, KUBERNETES_EXEC_INFO: quietExecInfo, ...env } }),
    async forty() {
      const words = [process.execPath, ...plugin].map((word) => `"${word}"`).join(" ");
      const loop = `i=0; while [ $i -lt 40 ]; do { ${words} > "out.$i"; echo $? > "code.$i"; } & i=$((i+1)); done; wait; cat code.*`;
      const { stdout, stderr } = await run("/bin/sh", ["-c", loop], { env: { ...machine.env, KUBERNETES_EXEC_INFO: quietExecInfo }, cwd: machine.home });
      return { codes: stdout.trim().split("\n"), stderr };
    },
    agent: async () => JSON.parse((await machine.tsh(["agent", "status", "--format=json"])).stdout) as { running: boolean; pid: number },
    async rewrite(change) {
      const path = join(machine.home, ".tsh/keys", `${profile}.json`);
      const record = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
      await writeFile(`${path}.new`, JSON.stringify({ ...record, ...change }), { mode: 0o600 });
      await rename(`${path}.new`, path);
      const now = new Date();
      await utimes(join(machine.home, ".tsh", `${profile}.yaml`), now, now);
    },
    end: () => desk.rewrite({ expires: Date.now() - 181_000 }),
  };
  return desk;
}
