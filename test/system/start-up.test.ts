import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

let world: World;
let machine: Machine;
let probe: string;

beforeAll(async () => {
  world = await createClientWorld(["example"]);
  machine = await newMachine(world, "ana");
  expect(await machine.logIn()).toMatchObject({ code: 0 });
  probe = join(world.folder, "probe.cjs");
  // What Node has loaded of itself by the end, beyond what it always has; and every file of the commands.
  await writeFile(
    probe,
    `const before = new Set(process.moduleLoadList);
const fs = require("node:fs");
process.on("exit", () => {
  const modules = process.moduleLoadList.filter((name) => !before.has(name) && name.startsWith("NativeModule ")).map((name) => name.slice(13)).filter((name) => !name.startsWith("internal/"));
  const files = Object.keys(require.cache).map((path) => path.replace(/^.*\\/packages\\//, ""));
  fs.writeFileSync(process.env.PROBE_OUT, JSON.stringify({ modules, files: files.filter((path) => path.startsWith("tsh/")) }));
});
`,
  );
});
afterAll(() => world.close());

/** Runs tsh and tells what was loaded for it. */
async function loadedBy(args: readonly string[], env: NodeJS.ProcessEnv = machine.env): Promise<{ readonly code: number | null; readonly modules: readonly string[]; readonly files: readonly string[] }> {
  const out = join(world.folder, "probe.json");
  const { code } = await run(process.execPath, ["--require", probe, tshPath, ...args], { env: { ...env, PROBE_OUT: out } });
  return { code, ...(JSON.parse(await readFile(out, "utf8")) as { modules: string[]; files: string[] }) };
}

const begun = ["tsh/bin/tsh.js", "tsh/dist/start.cjs"];
const lean = [...begun, "tsh/dist/lean.cjs"];

describe("what a command loads when it runs", () => {
  it("tsh version: two files, and nothing of Node that is not there anyway", async () => {
    expect(await loadedBy(["version"])).toMatchObject({ code: 0, files: lean, modules: [] });
  });

  it("tsh kube credentials with a good login in a file: no more than that", async () => {
    expect(await loadedBy(["kube", "credentials", `--proxy=${world.proxy}`])).toMatchObject({ code: 0, files: lean, modules: [] });
  });

  it("tsh kube credentials with an agent that has the login: the first file alone", async () => {
    const runtime = join(world.folder, "runtime");
    await mkdir(runtime, { mode: 0o700 });
    const env = { ...machine.env, TSH_AGENT: "", XDG_RUNTIME_DIR: runtime };
    expect(await run(process.execPath, [tshPath, "agent", "start"], { env })).toMatchObject({ code: 0 });
    try {
      const loaded = await loadedBy(["kube", "credentials", `--proxy=${world.proxy}`], env);
      expect(loaded).toMatchObject({ code: 0, files: begun });
      for (const heavy of ["crypto", "http", "https", "tls", "tty", "child_process", "worker_threads", "fs/promises"]) expect(loaded.modules).not.toContain(heavy);
    } finally {
      await run(process.execPath, [tshPath, "agent", "stop"], { env });
    }
  });

  it("tsh kube credentials that has to refuse: no network, no framework", async () => {
    const home = join(world.folder, "nobody");
    await mkdir(home, { recursive: true });
    const { code, files, modules } = await loadedBy(["kube", "credentials", `--proxy=${world.proxy}`], { ...machine.env, HOME: home });
    expect({ code, files }).toEqual({ code: 3, files: lean });
    for (const heavy of ["http", "https", "tls", "child_process", "worker_threads"]) expect(modules).not.toContain(heavy);
  });
});
