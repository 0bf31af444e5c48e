import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, lstat, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientHome } from "@gatehouse/core/client";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { requireTool } from "@gatehouse/core/testing";
import { callsWithKey, filesWithKey, keyTraces, showsKey, type KeyTraces } from "../support/key-traces.ts";
import { keyringSessions } from "../support/keyring.ts";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run, type Outcome } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

const hasTools = [
  requireTool("gnome-keyring-daemon", "apt-get install gnome-keyring dbus"),
  requireTool("dbus-daemon", "apt-get install dbus"),
  requireTool("strace", "apt-get install strace"),
  requireTool("ssh-keygen", "apt-get install openssh-client"),
].every(Boolean);
const sessions = keyringSessions();

let world: World;
let machine: Machine;
let runtime: string;
let traces: KeyTraces;
let agent: number;
const traced: string[] = [];
const place = (): ReturnType<typeof agentPlace> => agentPlace(machine.env, clientHome(machine.env));

/** tsh under strace: every program that it starts, and all that it writes. */
async function tracedTsh(name: string, args: readonly string[]): Promise<Outcome> {
  const file = join(world.folder, `${name}.strace`);
  traced.push(file);
  return run("strace", ["-f", "-v", "-yy", "-xx", "-s", "100000", "-e", "trace=execve,execveat,write,writev,pwrite64,pwritev", "-o", file, process.execPath, tshPath, ...args], { env: machine.env, timeout: 200_000 });
}

const credentials = async (): Promise<{ readonly key: string; readonly outcome: Outcome }> => {
  const outcome = await machine.tsh(["kube", "credentials", `--proxy=${world.proxy}`]);
  if (outcome.code !== 0) throw new Error(outcome.stderr);
  const { status } = JSON.parse(outcome.stdout) as { status: { clientKeyData: string } };
  return { key: status.clientKeyData, outcome };
};

beforeAll(async () => {
  if (!hasTools) return;
  world = await createClientWorld(["example"]);
  runtime = join(world.folder, "runtime");
  const temporary = join(world.folder, "tmp");
  await mkdir(runtime, { mode: 0o700 });
  await mkdir(temporary, { mode: 0o700 });
  await sessions.start("secret", async (address) => {
    machine = await newMachine(world, "ana", { ...address, XDG_RUNTIME_DIR: runtime, TMPDIR: temporary, CI: "", TSH_AGENT: "" });
    return machine.env;
  });
  expect(await machine.tsh(["agent", "start"])).toMatchObject({ code: 0 });
  const status = JSON.parse((await machine.tsh(["agent", "status", "--format=json"])).stdout) as { pid: number };
  agent = status.pid;
  expect(await tracedTsh("login", ["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`])).toMatchObject({ code: 0 });
  traces = keyTraces((await credentials()).key);
});
afterAll(async () => {
  if (!hasTools) return;
  await machine.tsh(["agent", "stop"]);
  await sessions.close();
  await world.close();
});

describe.skipIf(!hasTools)("a private key in the keychain, with an agent that serves it,", () => {
  it("is found where it is: what is looked for here would show", async () => {
    const { key } = await credentials();
    expect(showsKey(Buffer.from(key), traces)).toBe(true);
    expect(showsKey(Buffer.from(Buffer.from(key).toString("base64")), traces)).toBe(true);
    const folder = join(world.folder, "shown");
    await mkdir(folder);
    await writeFile(join(folder, "key"), JSON.stringify({ key }));
    expect(await filesWithKey(folder, traces)).toHaveLength(1);
    const child = spawn("strace", ["-f", "-v", "-yy", "-xx", "-s", "100000", "-e", "trace=execve,write", "-o", join(folder, "strace"), "sh", "-c", `printf %s "$KEY" > ${join(folder, "out")}; true "$KEY"`], { env: { ...machine.env, KEY: key }, stdio: "ignore" });
    await once(child, "close");
    expect((await callsWithKey(join(folder, "strace"), traces)).length).toBeGreaterThanOrEqual(2);
  });

  it("answers kubectl, signs for ssh, and is in no file, argument, environment or log", async () => {
    expect(await tracedTsh("status", ["status"])).toMatchObject({ code: 0 });
    expect(await tracedTsh("kube-ls", ["kube", "ls"])).toMatchObject({ code: 0 });
    const env = { ...machine.env, SSH_AUTH_SOCK: place().ssh };
    const listed = await run("ssh-add", ["-L"], { env });
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining("-cert-v01@openssh.com ") as string });
    const certificate = listed.stdout.split("\n").find((line) => line.includes("-cert-v01@openssh.com"))!;
    await writeFile(join(machine.home, "ana.pub"), `${certificate}\n`);
    const signed = await run("ssh-keygen", ["-Y", "sign", "-n", "test", "-f", join(machine.home, "ana.pub")], { env, input: "to sign" });
    expect(signed).toMatchObject({ code: 0, stdout: expect.stringContaining("BEGIN SSH SIGNATURE") as string });

    for (const folder of [machine.home, runtime, join(world.folder, "tmp"), "/dev/shm"]) expect([folder, await filesWithKey(folder, traces)]).toEqual([folder, []]);
    for (const file of ["environ", "cmdline"]) expect([file, showsKey(await readFile(`/proc/${agent}/${file}`), traces)]).toEqual([file, false]);
    for (const file of traced) expect([file, await callsWithKey(file, traces)]).toEqual([file, []]);
  });

  it("is in no core file: the agent dumps none", async () => {
    expect(await readFile(`/proc/${agent}/limits`, "utf8")).toMatch(/^Max core file size +0 +0 /m);
  });
});

describe.skipIf(!hasTools || process.getuid?.() !== 0)("another user of the machine", () => {
  const nobody = 65_534;
  const asNobody = (command: string, args: readonly string[], env: NodeJS.ProcessEnv) => run("setpriv", [`--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups", command, ...args], { env: { PATH: process.env["PATH"], ...env } });
  const connects = `require("node:net").connect(process.argv[1]).on("connect", () => { console.log("connected"); process.exit(0); }).on("error", (e) => { console.log(e.code); process.exit(1); })`;

  it("cannot connect to either socket, list or sign, even where the directory of sockets can be walked into", async () => {
    await chmod(world.folder, 0o755);
    await chmod(runtime, 0o755);
    try {
      for (const name of ["agent.sock", "ssh.sock"]) {
        const path = join(place().directory, name);
        expect(await run(process.execPath, ["-e", connects, path])).toMatchObject({ code: 0 });
        expect(await asNobody(process.execPath, ["-e", connects, path], {})).toMatchObject({ code: 1, stdout: "EACCES\n" });
        expect((await lstat(path)).mode & 0o077).toBe(0);
      }
      const listed = await asNobody("ssh-add", ["-l"], { SSH_AUTH_SOCK: place().ssh });
      expect(listed).toMatchObject({ code: 2, stdout: "" });
    } finally {
      await chmod(runtime, 0o700);
      await chmod(world.folder, 0o700);
    }
  });

  it("who put a socket of their own there is not spoken to: the reason is told, and the login comes from the keychain", async () => {
    const path = place().control;
    await chown(path, nobody, nobody);
    try {
      const { outcome, key } = await credentials();
      expect(outcome).toMatchObject({ code: 0, stderr: expect.stringContaining("belongs to another user") as string });
      expect(showsKey(Buffer.from(key), traces)).toBe(true);
    } finally {
      await chown(path, 0, 0);
    }
  });
});

it.skipIf(!hasTools)("a link in the socket's place is not followed, and the reason is told", async () => {
  const path = place().control;
  await rename(path, `${path}.real`);
  await symlink(`${path}.real`, path);
  try {
    expect((await machine.tsh(["agent", "status"])).stderr).toContain("is a link");
  } finally {
    await rename(`${path}.real`, path);
  }
});
