import { chmod, lstat, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run, start } from "../support/process.ts";
import type { World } from "../support/world.ts";

let world: World;
beforeAll(async () => {
  world = await createClientWorld(["production"]);
});
afterAll(() => world.close());

const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.tsh(["agent", "stop", "--force"]);
});

/** A machine whose commands start an agent by themselves. */
async function desk(extra: NodeJS.ProcessEnv = {}): Promise<Machine> {
  const machine = await newMachine(world, "ana", { TSH_AGENT: undefined, ...extra });
  machines.push(machine);
  return machine;
}

const directoryOf = (machine: Machine): string => join(machine.home, ".tsh", "run");
const socketOf = (machine: Machine): string => join(directoryOf(machine), "agent.sock");

interface Status {
  readonly running: boolean;
  readonly pid: number;
  readonly build: string;
  readonly clients: number;
  readonly locked: boolean;
  readonly memory_bytes: number;
}

async function statusOf(machine: Machine): Promise<Status> {
  const { stdout, stderr } = await machine.tsh(["agent", "status", "--format=json"]);
  try {
    return JSON.parse(stdout) as Status;
  } catch {
    throw new Error(`no status: ${stdout}${stderr}`);
  }
}

/** Waits until the agent is as it should be; the last status where it is. */
async function until(machine: Machine, wanted: (status: Status) => boolean): Promise<Status> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const status = await statusOf(machine);
    if (wanted(status)) return status;
    if (Date.now() > deadline) throw new Error(`the agent is ${JSON.stringify(status)}; its log: ${await readFile(join(directoryOf(machine), "agent.log"), "utf8").catch(String)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const running = (machine: Machine): Promise<Status> => until(machine, (status) => status.running);

/** All that comes until the other side ends. */
const answerOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => undefined).once("close", () => resolve(text));
  });

/** The first line that comes. */
const lineOf = (socket: Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    socket.once("error", reject).once("close", () => resolve(text));
  });

const hello = `${JSON.stringify({ v: 1, verb: "hello" })}\n`;

describe("the local agent", () => {
  it("comes with the first login, inherits nothing, and is gone when it is told to go", async () => {
    const machine = await desk({ SECRET_OF_THE_SHELL: "s3cret", NODE_OPTIONS: "--no-deprecation" });
    expect(await machine.logIn()).toMatchObject({ code: 0, stderr: expect.not.stringContaining("agent") as string });
    const { pid } = await running(machine);

    expect((await stat(directoryOf(machine))).mode & 0o777).toBe(0o700);
    for (const name of ["agent.sock", "ssh.sock"]) expect((await lstat(join(directoryOf(machine), name))).mode & 0o777).toBe(0o600);
    const shown = (await machine.tsh(["agent", "status"])).stdout;
    expect(shown).toMatch(/ana .*production|ana /);
    expect(shown).toContain(join(directoryOf(machine), "ssh.sock"));

    if (process.platform === "linux") {
      expect(await readFile(`/proc/${pid}/environ`, "latin1")).not.toMatch(/s3cret|NODE_OPTIONS/);
      expect(await readFile(`/proc/${pid}/limits`, "utf8")).toMatch(/Max core file size +0 /);
      expect(await readFile(`/proc/${pid}/cmdline`, "latin1")).toMatch(/^tsh agent/);
    }
    expect(await machine.tsh(["agent", "stop"])).toMatchObject({ code: 0, stderr: expect.stringContaining("has ended") as string });
    expect(await machine.tsh(["agent", "status"])).toMatchObject({ code: 5, stderr: expect.stringContaining("no local agent runs") as string });
    expect(await machine.tsh(["agent", "status", "--format=json"])).toMatchObject({ code: 5, stdout: '{\n  "running": false\n}\n' });
    expect(await machine.tsh(["agent", "stop"])).toMatchObject({ code: 0, stderr: "no local agent runs\n" });
    await expect(lstat(socketOf(machine))).rejects.toThrow("ENOENT");
    await expect(lstat(join(directoryOf(machine), "ssh.sock"))).rejects.toThrow("ENOENT");
  });

  it.runIf(process.platform === "linux")("runs as commands start it where the system does, from nothing but what tsh agent install wrote", async () => {
    const machine = await desk({ XDG_CONFIG_HOME: undefined });
    const [bin, told] = [join(machine.home, "bin"), join(machine.home, "told")];
    await mkdir(bin);
    await writeFile(join(bin, "systemctl"), `#!/bin/sh\necho "$@" >> "${told}"\n`, { mode: 0o700 });
    machine.env["PATH"] = `${bin}:${machine.env["PATH"] ?? ""}`;
    expect(await machine.tsh(["agent", "install"])).toMatchObject({ code: 0, stderr: expect.stringContaining("systemd starts the local agent") as string });
    expect(await readFile(told, "utf8")).toBe("--user daemon-reload\n--user enable gatehouse-agent.service\n");
    const unit = join(machine.home, ".config/systemd/user/gatehouse-agent.service");
    const [, command = ""] = /^ExecStart=(.*)$/m.exec(await readFile(unit, "utf8")) ?? [];
    expect(command).toBe(`"${join(machine.home, ".tsh/bin/tsh")}" "agent" "run" "--log-file"`);
    const agent = start("/bin/sh", ["-c", `ulimit -S -c "$(ulimit -H -c)"; exec ${command}`], { env: { ...machine.env, NODE_OPTIONS: "--no-deprecation" } });
    try {
      const { pid } = await running(machine);
      expect(pid).toBe(agent.child.pid);
      expect(await readFile(`/proc/${pid}/limits`, "utf8")).toMatch(/Max core file size +0 +0 /);
      expect(await readFile(`/proc/${pid}/environ`, "latin1")).not.toContain("NODE_OPTIONS");
    } finally {
      await agent.stop();
    }
    expect(await machine.tsh(["agent", "uninstall"])).toMatchObject({ code: 0 });
    await expect(lstat(unit)).rejects.toThrow("ENOENT");
  });

  it("asks before it signs where it was started so", async () => {
    const machine = await desk();
    expect(await machine.tsh(["agent", "start", "--confirm"])).toMatchObject({ code: 0 });
    expect((await machine.tsh(["agent", "config"])).stdout).toMatch(/confirm +true/);
    expect(await machine.tsh(["agent", "start", "--confrim"])).toMatchObject({ code: 2, stdout: "" });
  });

  it("stays away in CI, where it is turned off, and where the person has said so", async () => {
    for (const extra of [{ CI: "true" }, { TSH_AGENT: "off" }]) {
      const machine = await desk(extra);
      await machine.tsh(["status"]);
      await expect(lstat(directoryOf(machine))).rejects.toThrow("ENOENT");
    }
    const machine = await desk();
    expect(await machine.tsh(["agent", "config", "agent=off"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/agent +off/) as string });
    await machine.tsh(["status"]);
    await expect(lstat(directoryOf(machine))).rejects.toThrow("ENOENT");
    await writeFile(join(machine.home, ".tsh", "config", "config.yaml"), "agnt: off\n");
    expect((await machine.tsh(["status"])).stderr).toMatch(/there is no setting "agnt"; did you mean "agent"\?/);
    expect(await machine.tsh(["agent", "config", "relogin=now"])).toMatchObject({ code: 2 });
  });

  it("is started once by many commands at once", async () => {
    const machine = await desk();
    const all = await Promise.all(Array.from({ length: 6 }, () => machine.tsh(["agent", "start"])));
    expect(new Set(all.map(({ code, stderr }) => `${code} ${stderr}`)).size).toBe(1);
    expect(all[0]).toMatchObject({ code: 0, stderr: expect.stringMatching(/^✔ the local agent runs \(process \d+\)\n$/) as string });
    // It answers before it has written that it does.
    await machine.tsh(["agent", "stop"]);
    const log = (): Promise<string> => readFile(join(directoryOf(machine), "agent.log"), "utf8");
    await expect.poll(log).toContain("ends: ");
    expect((await log()).match(/listens at/g)).toHaveLength(1);
  });

  it("is there again after it was killed", async () => {
    const machine = await desk();
    await machine.tsh(["agent", "start"]);
    const { pid } = await running(machine);
    process.kill(pid, "SIGKILL");
    await until(machine, (status) => !status.running);
    expect(await machine.tsh(["agent", "status"])).toMatchObject({ code: 5 });
    expect((await lstat(socketOf(machine))).isSocket()).toBe(true);
    expect((await machine.tsh(["status", "--all"])).code).toBe(0);
    expect((await running(machine)).pid).not.toBe(pid);
  });

  it("is ended by its process where it does not answer", async () => {
    const machine = await desk();
    await machine.tsh(["agent", "start"]);
    const { pid } = await running(machine);
    process.kill(pid, "SIGSTOP");
    expect(await machine.tsh(["agent", "stop"])).toMatchObject({ code: 0, stderr: "✔ the local agent did not answer, and was ended\n" });
    expect(await machine.tsh(["agent", "status"])).toMatchObject({ code: 5 });
    expect(await machine.tsh(["agent", "start"])).toMatchObject({ code: 0 });
  });

  it("shows who is behind a lock, and what to run, and locks and unlocks once", async () => {
    const machine = await desk();
    await machine.logIn();
    await machine.tsh(["agent", "start"]);
    expect(await machine.tsh(["agent", "unlock"], { input: "a\n" })).toMatchObject({ code: 5, stderr: "✖ the local agent is not locked\n" });
    await machine.tsh(["agent", "lock"], { input: "a\n" });
    expect(await machine.tsh(["agent", "lock"], { input: "b\n" })).toMatchObject({ code: 6, stderr: "✖ the local agent is locked already\n  unlock: tsh agent unlock\n" });
    expect(await machine.tsh(["status"])).toMatchObject({ code: 3, stderr: "", stdout: expect.stringMatching(/logged in as +ana +\(github\)\n +locked +with the local agent; unlock: tsh agent unlock\n/) as string });
    const { code, stdout } = await machine.tsh(["status", "--format=json"]);
    expect([code, JSON.parse(stdout)]).toMatchObject([3, { logged_in: false, locked: true, user: "ana" }]);
    const { checks } = JSON.parse((await machine.tsh(["doctor", "--format=json"])).stdout) as { checks: readonly { check: string; outcome: string; detail: string }[] };
    expect(checks.find(({ check }) => check === "login")).toMatchObject({ outcome: "skipped", detail: "the local agent is locked" });
    expect(await machine.tsh(["agent", "unlock"], { input: "a\n" })).toMatchObject({ code: 0 });
  });

  it("is not ended while it is locked, but by who says so: its lock would end with it", async () => {
    const machine = await desk();
    expect(await machine.logIn()).toMatchObject({ code: 0 });
    const { pid } = await running(machine);
    await machine.tsh(["agent", "lock"], { input: "a\n" });
    expect(await machine.tsh(["agent", "stop"])).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/^✖ the local agent is locked, and its lock would end with it: [^]*tsh agent unlock; [^]*tsh agent stop --force\n$/) as string });
    expect(await statusOf(machine)).toMatchObject({ pid, locked: true });
    expect((await machine.tsh(["kube", "credentials"])).code).toBe(3);
    expect(await machine.tsh(["agent", "stop", "--force"])).toMatchObject({ code: 0, stderr: "✔ the local agent has ended, and its lock with it: logins in a keychain or file can be used again\n" });
    expect((await machine.tsh(["kube", "credentials"])).code).toBe(0);
  });

  it("makes room for another build, but not while it is locked, when nobody is handed what it holds", async () => {
    const machine = await desk();
    await machine.tsh(["agent", "start"]);
    const before = await running(machine);
    expect(await machine.tsh(["agent", "lock"], { input: "open sesame\n" })).toMatchObject({ code: 0 });
    // What the program was built from is written anew: another build, of which this is all that an agent sees.
    const [chunk = ""] = await buildChunk();
    await utimes(chunk, new Date(), new Date());
    const asking = connect(socketOf(machine));
    asking.write(`${JSON.stringify({ v: 1, verb: "handover" })}\n`);
    expect(JSON.parse(await lineOf(asking))).toMatchObject({ ok: false, error: { locked: true } });
    asking.destroy();
    for (const words of [["status", "--all"], ["agent", "start"], ["agent", "env"]]) await machine.tsh(words);
    expect(await machine.tsh(["agent", "run"])).toMatchObject({ code: 3, stderr: expect.stringContaining("the local agent is locked") as string });
    expect(await running(machine)).toMatchObject({ pid: before.pid, build: before.build, locked: true });
    expect(await machine.tsh(["agent", "unlock"], { input: "open barley\n" })).toMatchObject({ code: 4 });
    expect(await machine.tsh(["agent", "unlock"], { input: "open sesame\n" })).toMatchObject({ code: 0 });
    await machine.tsh(["status", "--all"]);
    const after = await until(machine, ({ running: runs, pid }) => runs && pid !== before.pid);
    expect(after).toMatchObject({ locked: false });
    expect(after.build).not.toBe(before.build);
    expect(await readFile(join(directoryOf(machine), "agent.log"), "utf8")).not.toMatch(/sesame|barley/);
  });

  it("is not used, and not started, where its place is not the person's alone; the command goes on", async () => {
    const machine = await desk();
    const directory = directoryOf(machine);
    await machine.logIn();
    await running(machine);
    await chmod(directory, 0o755);
    expect(await machine.tsh(["status"])).toMatchObject({ code: 0, stderr: expect.stringMatching(/the local agent is not used: .*run is open to others \(mode 755\)/) as string });
    const told = await machine.tsh(["status"]);
    expect(told.stderr.match(/the local agent is not used/g)).toHaveLength(1);
    expect(told.stderr).toContain(`chmod go-rwx ${directory}`);
    expect(await machine.tsh(["agent", "status"])).toMatchObject({ code: 4 });
    expect(await machine.tsh(["proxy", "kube"])).toMatchObject({ code: 4, stdout: "", stderr: expect.stringMatching(/^✖ the proxy's kubeconfig has no safe place: .*run is open to others \(mode 755\)\n {2}chmod go-rwx .*\n$/) as string });
    await chmod(directory, 0o700);

    await machine.tsh(["agent", "stop"]);
    await symlink("/nowhere", socketOf(machine));
    expect(await machine.tsh(["status"])).toMatchObject({ code: 0, stderr: expect.stringMatching(/agent\.sock is a link/) as string });
    expect(await machine.tsh(["agent", "run"])).toMatchObject({ code: 4, stderr: expect.stringMatching(/agent\.sock is a link/) as string });
    await rm(socketOf(machine));
    await writeFile(socketOf(machine), "", { mode: 0o600 });
    expect(await machine.tsh(["agent", "start"])).toMatchObject({ code: 4, stderr: expect.stringMatching(/agent\.sock is no socket/) as string });
    await rm(socketOf(machine));

    await rename(directory, `${directory}.real`);
    await symlink(`${directory}.real`, directory);
    expect(await machine.tsh(["status"])).toMatchObject({ code: 0, stderr: expect.stringMatching(/run is a link/) as string });
    await rm(directory);
  });

  it("cannot be reached by another user, whatever they try", async () => {
    if (!requireTool("setpriv", "Debian: util-linux") || process.getuid?.() !== 0) return;
    const machine = await desk();
    await machine.tsh(["agent", "start"]);
    await running(machine);
    // All above it is open: what keeps others out is the agent's own directory.
    for (const path of [world.folder, join(world.folder, "machines"), machine.home, join(machine.home, ".tsh")]) await chmod(path, 0o755);
    const nobody = (script: string): ReturnType<typeof run> => run("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "-e", script], { env: { PATH: process.env["PATH"] } });
    const attempt = (path: string): string => `require("net").connect(${JSON.stringify(path)}).on("error", (e) => { console.log(e.code); }).on("connect", () => console.log("connected"))`;
    for (const name of ["agent.sock", "ssh.sock"]) expect((await nobody(attempt(join(directoryOf(machine), name)))).stdout).toBe("EACCES\n");
    // Even where somebody opens the directory, the socket itself is its owner's; and the agent is used no more.
    await chmod(directoryOf(machine), 0o755);
    for (const name of ["agent.sock", "ssh.sock"]) expect((await nobody(attempt(join(directoryOf(machine), name)))).stdout).toBe("EACCES\n");
    await chmod(directoryOf(machine), 0o700);
  });

  it("answers a thousand clients at once, and more are told that there is no room", async () => {
    const machine = await desk();
    await machine.tsh(["agent", "start"]);
    await running(machine);
    const sockets = Array.from({ length: 1000 }, () => connect(socketOf(machine)));
    const lines = await Promise.all(
      sockets.map((socket) => {
        socket.write(hello);
        return lineOf(socket);
      }),
    );
    expect(lines.filter((line) => line.includes('"ok":true'))).toHaveLength(1000);
    // Whoever says nothing for long is dropped.
    for (const socket of sockets) socket.write(hello);
    const more = Array.from({ length: 60 }, () => connect(socketOf(machine)));
    // They are told unasked; who has room is told nothing.
    const refused: string[] = [];
    for (const socket of more) void lineOf(socket).then((line) => line.includes("has 1024 clients already") && refused.push(line), () => undefined);
    await expect.poll(() => refused.length).toBeGreaterThanOrEqual(36);
    for (const socket of [...sockets, ...more]) socket.destroy();
    expect((await until(machine, ({ running: runs, clients }) => runs && clients < 10)).memory_bytes).toBeLessThan(512 * 1024 * 1024);
  });

  it("lets nobody who sends nonsense, too much or half a line stand in the way of others", async () => {
    const machine = await desk();
    await machine.tsh(["agent", "start"]);
    await running(machine);
    const half = connect(socketOf(machine));
    half.write('{"v":1,"verb":"hel');
    const silent = connect(socketOf(machine));
    const talk = (text: string | Buffer): Promise<string> => {
      const socket = connect(socketOf(machine));
      socket.end(text);
      return answerOf(socket);
    };
    expect(await talk("GET / HTTP/1.1\r\n\r\n")).toContain("the request is no JSON");
    expect(await talk('{"v":1,"verb":"dance"}\n')).toContain('this agent does not know \\"dance\\"');
    expect(await talk('{"v":1,"verb":"__proto__"}\n')).toContain("bad_parameter");
    expect(await talk('{"v":1,"verb":"credentials","profile":["x"]}\n')).toContain("not as it should be");
    expect(await talk('{"v":7,"verb":"credentials","profile":"x"}\n')).toContain("speaks version 1");
    expect(await talk(Buffer.alloc(600 * 1024, 0x61))).toContain("limit_exceeded");
    expect(await talk(`${hello}${hello}`)).toMatch(/^\{[^\n]*"ok":true[^\n]*\n\{[^\n]*"ok":true[^\n]*\n$/);
    expect((await statusOf(machine)).running).toBe(true);
    // Whoever does not finish is not waited for.
    await Promise.all([answerOf(half), answerOf(silent)]);
    expect((await statusOf(machine)).running).toBe(true);
  });

  it("runs in the foreground, once, until a signal", async () => {
    const machine = await desk();
    const foreground = machine.start(["agent", "run"]);
    await foreground.waitFor(/listens at/, "stderr");
    expect(await machine.tsh(["agent", "run"])).toMatchObject({ code: 6, stderr: expect.stringMatching(/runs already \(process \d+\)/) as string });
    expect(await foreground.stop("SIGTERM")).toEqual({ code: 0, signal: null });
    await expect(lstat(socketOf(machine))).rejects.toThrow("ENOENT");
  });
});

/** The files of the bundle that tell one build from another. */
async function buildChunk(): Promise<readonly string[]> {
  const dist = fileURLToPath(new URL("../../packages/tsh/dist", import.meta.url));
  const { outputs } = JSON.parse(await readFile(join(dist, "metafile.json"), "utf8")) as { readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>> };
  return Object.entries(outputs).flatMap(([path, { inputs }]) => ("packages/agent/src/start/build.ts" in inputs ? [join(dist, path.slice(path.lastIndexOf("/") + 1))] : []));
}

