import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeLauncher } from "./launcher.ts";
import { clientHome } from "./lean/index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-launcher-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What Node is run with, by a stand-in for it that tells. */
async function ran(args: readonly string[]): Promise<{ readonly words: readonly string[]; readonly core: string; readonly options: string }> {
  const home = clientHome({ HOME: folder });
  const [node, program, told] = [join(folder, "it's node"), join(folder, "tsh.js"), join(folder, "told")];
  await writeFile(node, `#!/bin/sh\nprintf '%s\\n' "$(ulimit -c)" "$NODE_OPTIONS" "$@" > "${told}"\n`, { mode: 0o700 });
  await writeFile(program, "");
  await writeLauncher(home, node, program);
  await promisify(execFile)("/bin/sh", ["-c", 'ulimit -S -c unlimited 2>/dev/null || ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh", home.launcher, ...args], { env: { PATH: process.env["PATH"], NODE_OPTIONS: "--inspect" } });
  const [core = "", options = "", ...words] = (await readFile(told, "utf8")).trimEnd().split("\n");
  return { words, core, options };
}

describe.skipIf(process.platform === "win32")("the launcher", () => {
  it("passes every word on as it is", async () => {
    expect(await ran(["kube", "credentials", "a b", "$x", "agent run"])).toMatchObject({ words: [join(folder, "tsh.js"), "kube", "credentials", "a b", "$x", "agent run"], options: "--inspect" });
  });

  it("runs the agent as commands start it: with a small heap, without core files, without what the environment has for Node", async () => {
    const { words, core, options } = await ran(["agent", "run", "--log-file"]);
    expect([core, options]).toEqual(["0", ""]);
    expect(words).toContain("--max-semi-space-size=1");
    expect(words.slice(words.indexOf(join(folder, "tsh.js")))).toEqual([join(folder, "tsh.js"), "agent", "run", "--log-file"]);
  });
});
