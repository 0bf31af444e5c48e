import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { spawn } from "@lydell/node-pty";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run, start, type Outcome } from "../support/process.ts";
import { cleanEnv, tctlPath } from "../support/world.ts";

const demo = fileURLToPath(new URL("../dist/demo.js", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-start-"));
  await mkdir(join(folder, "tmp"));
  await mkdir(join(folder, "bin"));
  await symlink(process.execPath, join(folder, "bin/node"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const env = (extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => cleanEnv({ HOME: folder, TMPDIR: join(folder, "tmp"), ...extra });
const demoWith = (extra: NodeJS.ProcessEnv = {}): Promise<Outcome> => run(process.execPath, [demo], { env: env(extra) });

describe("npm start", () => {
  afterEach(async () => expect(await readdir(join(folder, "tmp"))).toEqual([]));

  it("on a machine with Node and nothing else makes the request itself, and leaves nothing behind", async () => {
    const outcome = await demoWith({ PATH: join(folder, "bin") });
    expect(outcome).toMatchObject({ code: 0, stderr: "" });
    expect(outcome.stdout).toMatch(/kubectl is not on this machine[^]*pod\/shell\n[^]*The audit log has \d+ events/);
  });

  it("shows the commands as they were run", async () => {
    const { stdout } = await demoWith();
    expect(stdout).toMatch(/\$ tsh login --proxy=\S+ --auth=github --ca-pin=sha256:[0-9a-f]{64} --keystore=file\n/);
    expect(stdout).toContain('$ kubectl exec pod/shell -- echo "hello from the pod"\n  hello from the pod\n');
  });

  it("says in a line what is wrong with KUBECONFIG", async () => {
    const missing = await demoWith({ KUBECONFIG: join(folder, "none") });
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringMatching(/^\n✖ there is no file \S+\/none: set KUBECONFIG[^\n]*\n$/) as string });
    const bad = join(folder, "bad");
    await writeFile(bad, "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: a, user: {token: t}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\ncurrent-context: a\n");
    const unusable = await demoWith({ KUBECONFIG: `${join(folder, "none")}:${bad}` });
    expect(unusable).toMatchObject({ code: 1, stderr: expect.stringMatching(/^\n✖ the gateway did not start:\n {2}✖ [^\n]*certificate authority/) as string });
    expect(unusable.stderr).not.toMatch(/\bat .*:\d+:\d+|ended before/);
  });

  it.each(["SIGTERM", "SIGHUP", "SIGINT"])("on a terminal stays up until %s, and takes everything with it", async (signal) => {
    const terminal = spawn(process.execPath, [demo], { cols: 200, rows: 50, env: { ...env(), TERM: "xterm" } });
    let shown = "";
    terminal.onData((text) => (shown += text));
    const ended = new Promise((resolve) => terminal.onExit(resolve));
    await expect.poll(() => shown).toContain("stays up until Ctrl-C");
    const dataDir = /--data-dir=(\S+) get/.exec(shown)?.[1] ?? "";
    expect((await run(process.execPath, [tctlPath, `--data-dir=${dataDir}`, "status"], { env: env() })).code).toBe(0);
    terminal.kill(signal);
    await ended;
  });

  it("ends where nobody reads on", async () => {
    const running = start(process.execPath, [demo], { env: env() });
    await running.waitFor(/tsh login/, "stdout");
    running.child.stdout?.destroy();
    await running.ended;
  });
});

describe("tctl on the gateway's machine", () => {
  it("finds the data directory in the configuration, named or where it always is", async () => {
    const config = join(folder, "teleport.yaml");
    const dataDir = join(folder, "data");
    await writeFile(config, `teleport: {data_dir: ${dataDir}}\nauth_service: {cluster_name: example, listen_addr: "127.0.0.1:0"}\nproxy_service: {web_listen_addr: "127.0.0.1:0"}\n`);
    const named = { env: env({ TELEPORT_CONFIG_FILE: config }) };
    const gateway = start(process.execPath, [tctlPath.replace(/tctl/g, "tsh"), "proxy", "--format=json"], named);
    try {
      await gateway.waitFor(/"ca_pin"/, "stdout");
      for (const args of [["status", "-c", config], ["status"]]) expect(await run(process.execPath, [tctlPath, ...args], named)).toMatchObject({ code: 0, stdout: expect.stringContaining("example") as string });
      await writeFile(config, "teleport: [");
      expect(await run(process.execPath, [tctlPath, "status", "-c", config], named)).toMatchObject({ code: 1, stderr: expect.stringContaining("is not valid YAML: ") as string });
      expect(await run(process.execPath, [tctlPath, "status", "-c", join(folder, "none")], named)).toMatchObject({ code: 5 });
    } finally {
      await gateway.stop();
    }
  });
});
