import { spawn as spawnChild } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawn } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

let world: World;
beforeAll(async () => {
  world = await createClientWorld(["example"]);
});
afterAll(() => world.close());

const request = (interactive: boolean): string => JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", spec: { interactive } });
const keyFile = (machine: Machine): string => join(machine.home, ".tsh/keys", `${world.proxy.replace(":", "_")}.json`);

/** As if the login had ended three minutes ago. */
async function expire(machine: Machine): Promise<void> {
  const record = JSON.parse(await readFile(keyFile(machine), "utf8")) as Record<string, unknown>;
  await writeFile(keyFile(machine), JSON.stringify({ ...record, expires: Date.now() - 181_000 }));
}

/** A browser that notes each time it is started. */
async function countingBrowser(machine: Machine): Promise<{ readonly env: NodeJS.ProcessEnv; opened(): Promise<number> }> {
  const folder = join(machine.home, "opened");
  const script = join(machine.home, "browser.sh");
  await mkdir(folder, { recursive: true });
  const [program, page] = (machine.env["BROWSER"] ?? "").split(" ");
  await writeFile(script, `#!/bin/sh\ntouch "${folder}/$$"\nexec "${program ?? ""}" "${page ?? ""}" "$1"\n`, { mode: 0o700 });
  return { env: { ...machine.env, BROWSER: script }, opened: async () => (await readdir(folder)).length };
}

/** Runs a shell script whose controlling terminal is a new one; resolves with what the terminal showed. */
async function onTerminal(script: string, machine: Machine, env: NodeJS.ProcessEnv): Promise<string> {
  const terminal = spawn("/bin/sh", ["-c", script], { cwd: machine.home, env: { ...env, TERM: "xterm" }, cols: 200, rows: 50 });
  let shown = "";
  terminal.onData((text) => (shown += text));
  await new Promise<void>((resolve) => terminal.onExit(() => resolve()));
  return shown;
}

describe("tsh kube credentials when the login has ended", () => {
  it("without questions: exit 3, the line to run once per parent process, and no browser", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    await expire(ana);
    const browser = await countingBrowser(ana);
    const script = `for i in 1 2 3 4 5; do "${process.execPath}" "${tshPath}" kube credentials --proxy=${world.proxy}; echo "code $?"; done`;
    const outcome = await run("/bin/sh", ["-c", script], { env: { ...browser.env, KUBERNETES_EXEC_INFO: request(false) } });
    expect(outcome.stdout).toBe("code 3\n".repeat(5));
    expect(outcome.stderr).toBe(`tsh: your login to ${world.proxy} ended 3 min 1 s ago; run: tsh login --proxy=${world.proxy} --auth=github\n`.replace("3 min 1 s", /ended (.*) ago/.exec(outcome.stderr)?.[1] ?? ""));
    expect(await browser.opened()).toBe(0);
  });

  it("kubectl without a terminal shows the reason once, and fails", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    await expire(ana);
    const outcome = await run("kubectl", ["get", "pods"], { env: ana.env });
    expect(outcome.code).not.toBe(0);
    expect(outcome.stderr.match(/tsh: your login to /g)).toHaveLength(1);
    expect(outcome.stdout).toBe("");
  });

  it("on a terminal: forty at once open one browser, and get forty answers", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    await expire(ana);
    const browser = await countingBrowser(ana);
    const script = `i=0; while [ $i -lt 40 ]; do "${process.execPath}" "${tshPath}" kube credentials --proxy=${world.proxy} > out.$i 2> err.$i & i=$((i+1)); done; wait`;
    const shown = await onTerminal(script, ana, { ...browser.env, KUBERNETES_EXEC_INFO: request(true) });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => readFile(join(ana.home, `out.${index}`), "utf8")));
    const errors = await Promise.all(Array.from({ length: 40 }, (_, index) => readFile(join(ana.home, `err.${index}`), "utf8")));
    expect(errors.join("")).toBe("");
    expect(new Set(answers.map((answer) => (JSON.parse(answer) as { status: { clientCertificateData: string } }).status.clientCertificateData)).size).toBe(1);
    expect(await browser.opened()).toBe(1);
    expect(shown.match(/If the browser does not open/g)).toHaveLength(1);
    parse(await readFile(ana.kubeconfig, "utf8"));
    expect((await readdir(join(ana.home, ".tsh"))).filter((name) => name.endsWith(".lock") || name.endsWith(".tmp"))).toEqual([]);
  });

  it("on a terminal where GitHub says no: one browser, the cause, and no second try by the same kubectl", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    await expire(ana);
    const browser = await countingBrowser(ana);
    world.github.setFault("user", "500");
    try {
      const script = `for i in 1 2 3; do "${process.execPath}" "${tshPath}" kube credentials --proxy=${world.proxy} >> out 2>> err; echo "code $?" >> codes; done`;
      await onTerminal(script, ana, { ...browser.env, KUBERNETES_EXEC_INFO: request(true) });
    } finally {
      world.github.setFault("user", undefined);
    }
    expect(await browser.opened()).toBe(1);
    expect(await readFile(join(ana.home, "out"), "utf8")).toBe("");
    expect((await readFile(join(ana.home, "err"), "utf8")).match(/✖ login failed/g)).toHaveLength(1);
    expect((await readFile(join(ana.home, "codes"), "utf8")).split("\n").slice(1, 3)).toEqual(["code 3", "code 3"]);
  });
});

describe("a login that is killed while it writes", () => {
  it("leaves the old login or the new one, and the next login works", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    for (const delay of [0, 2, 5, 9, 14, 25]) {
      const child = spawnChild(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, "--keystore=file", "--force"], { env: ana.env, stdio: "ignore" });
      const ended = once(child, "exit");
      const watcher = watch(join(ana.home, ".tsh"));
      // The first thing that a login writes is its lock.
      await once(watcher, "change");
      watcher.close();
      await sleep(delay);
      child.kill("SIGKILL");
      await ended;
      expect((await ana.tsh(["status", "--format=json"])).code).toBe(0);
      const credentials = await ana.tsh(["kube", "credentials"]);
      expect(credentials).toMatchObject({ code: 0, stderr: "" });
      expect(JSON.parse(credentials.stdout)).toMatchObject({ kind: "ExecCredential" });
      expect(parse(await readFile(ana.kubeconfig, "utf8"))).toMatchObject({ users: [{ name: "example" }] });
    }
    expect((await ana.logIn()).code).toBe(0);
  });

  it("two logins at once both end well, and key and certificates belong together", async () => {
    const ana = await newMachine(world, "ana");
    const outcomes = await Promise.all([ana.logIn(), ana.logIn(), ana.logIn()]);
    expect(outcomes.map((outcome) => outcome.code)).toEqual([0, 0, 0]);
    expect((await ana.tsh(["kube", "ls"])).code).toBe(0);
  });
});
