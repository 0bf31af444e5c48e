import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withLock } from "./lock.ts";
import { describeProcess } from "./process.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-lock-"));
  path = join(folder, "config.lock");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Of a process that cannot be: numbers end at 2^22 on Linux, at 99999 on macOS. */
const dead = `gatehouse 999999999 ${hostname()} 1\n`;
const options = { wait: 60_000, purpose: "change the file" };
const gone = async (): Promise<boolean> => access(path).then(() => false, () => true);

describe("a lock", () => {
  it("lets one in at a time, and is gone afterwards, also after an error", async () => {
    let inside = 0;
    let most = 0;
    const enter = async (): Promise<void> => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inside--;
    };
    await Promise.all(Array.from({ length: 10 }, () => withLock(path, options, enter)));
    expect(most).toBe(1);
    await expect(withLock(path, options, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await gone()).toBe(true);
  });

  it("that someone else holds stays, and the error names it, its age and the way out", async () => {
    await writeFile(path, "", { mode: 0 });
    const refused = withLock(path, { ...options, wait: 60 }, () => Promise.resolve());
    await expect(refused).rejects.toThrow(/could not change the file: the lock .*config\.lock is held by another program, such as kubectl \(\d+ s old\)/);
    await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining(`rm -f ${path}`) as string });
    expect(await gone()).toBe(false);
  });

  it("of a live process of ours is waited for, and named", async () => {
    await withLock(path, options, async () => {
      await expect(withLock(path, { ...options, wait: 60 }, () => Promise.resolve())).rejects.toThrow(new RegExp(`held by process ${process.pid} on `));
    });
  });

  it("can be given up", async () => {
    await writeFile(path, "");
    expect(await withLock(path, { ...options, giveUp: () => Promise.resolve(true) }, () => Promise.resolve("in"))).toBeUndefined();
  });

  it("of a process that was killed is taken over, by one of many", async () => {
    const entry = join(folder, "holder.ts");
    await writeFile(entry, `import { withLock } from ${JSON.stringify(fileURLToPath(new URL("lock.ts", import.meta.url)))};\nawait withLock(${JSON.stringify(path)}, { wait: 1000, purpose: "hold" }, async () => { console.log("held"); await new Promise((r) => setTimeout(r, 60000)); });\n`);
    const program = join(folder, "holder.mjs");
    await build({ entryPoints: [entry], outfile: program, bundle: true, platform: "node", format: "esm", logLevel: "silent" });
    const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    expect(await readFile(path, "utf8")).toContain(String(child.pid));
    child.kill("SIGKILL");
    await once(child, "exit");
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, () =>
        withLock(path, options, async () => {
          most = Math.max(most, ++inside);
          await new Promise((resolve) => setTimeout(resolve, 3));
          inside--;
        }),
      ),
    );
    expect(most).toBe(1);
    expect(await gone()).toBe(true);
  });

  it("of a dead process is broken by one process, however long that one takes", async () => {
    await writeFile(path, dead);
    const breaker = `${path}.break`;
    await writeFile(breaker, await describeProcess(process.pid));
    await utimes(breaker, 1, 1);
    const refused = withLock(path, { ...options, wait: 60 }, () => Promise.resolve());
    await expect(refused).rejects.toThrow(new RegExp(`config\\.lock\\.break is held by process ${process.pid} on `));
    expect(await readFile(path, "utf8")).toBe(dead);
  });

  it("is broken also where who began to has been killed, and who has begun to break that one's", async () => {
    for (const left of [path, `${path}.break`, `${path}.break.break`]) await writeFile(left, dead);
    expect(await withLock(path, options, () => Promise.resolve("in"))).toBe("in");
    expect(await readdir(folder)).toEqual([]);
  });

  it("of an earlier process with the same id, or of another machine, is told apart", async () => {
    await writeFile(path, `gatehouse ${process.pid} ${hostname()} 1\n`);
    if (process.platform === "linux") expect(await withLock(path, options, () => Promise.resolve("in"))).toBe("in");
    await writeFile(path, "gatehouse 999999999 elsewhere 1\n");
    await expect(withLock(path, { ...options, wait: 60 }, () => Promise.resolve())).rejects.toThrow(/on elsewhere/);
  });
});
