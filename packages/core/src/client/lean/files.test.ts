import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensurePrivateDirectory, readFileLimited, writeFileAtomic } from "./files.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-files-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

describe("writing a file", () => {
  it("gives it the mode asked for, whatever the umask, and leaves nothing else behind", async () => {
    await writeFileAtomic(path("a"), "one", 0o640);
    await writeFileAtomic(path("a"), "two", 0o600);
    expect(await readFile(path("a"), "utf8")).toBe("two");
    expect((await stat(path("a"))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["a"]);
  });

  it("is refused where something that is not a file is in the way", async () => {
    await mkdir(path("directory"));
    await symlink(path("elsewhere"), path("link"));
    execFileSync("mkfifo", [path("fifo")]);
    for (const name of ["directory", "link", "fifo"]) await expect(writeFileAtomic(path(name), "x", 0o600)).rejects.toThrow(/not a regular file/);
    await expect(writeFileAtomic(path("missing/a"), "x", 0o600)).rejects.toThrow(/could not write .*ENOENT/);
  });

  it("removes what a killed writer left an hour ago, and not what another is writing now", async () => {
    await writeFile(path(".a.0123.tmp"), "old");
    await utimes(path(".a.0123.tmp"), new Date(Date.now() - 3_600_000), new Date(Date.now() - 3_600_000));
    await writeFile(path(".a.4567.tmp"), "now");
    await writeFileAtomic(path("a"), "x", 0o600);
    expect((await readdir(folder)).sort()).toEqual([".a.4567.tmp", "a"]);
  });

  it("leaves the old text or the new when the process is killed at any moment", async () => {
    const entry = path("writer.ts");
    await writeFile(
      entry,
      `import { writeFileAtomic } from ${JSON.stringify(fileURLToPath(new URL("files.ts", import.meta.url)))};\nconsole.log("go");\nfor (let i = 0; ; i++) await writeFileAtomic(${JSON.stringify(path("target"))}, String(i % 10).repeat(200_000), 0o600);\n`,
    );
    await build({ entryPoints: [entry], outfile: path("writer.mjs"), bundle: true, platform: "node", format: "esm", logLevel: "silent" });
    for (const delay of [1, 3, 7, 12, 20, 31]) {
      const child = spawn(process.execPath, [path("writer.mjs")], { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await once(child, "exit");
      const text = await readFile(path("target"), "utf8").catch(() => undefined);
      if (text !== undefined) expect(text).toBe((text[0] ?? "").repeat(200_000));
    }
  });
});

describe("reading a file", () => {
  it("stops at the limit, at what is no file, and at a key that others may read", async () => {
    await writeFile(path("a"), "x".repeat(100), { mode: 0o644 });
    expect(await readFileLimited(path("a"), { limit: 100 })).toHaveLength(100);
    await expect(readFileLimited(path("a"), { limit: 99 })).rejects.toMatchObject({ code: "limit_exceeded" });
    await expect(readFileLimited(path("a"), { limit: 100, secret: true })).rejects.toThrow(/can be read by others/);
    await chmod(path("a"), 0o600);
    expect(await readFileLimited(path("a"), { limit: 100, secret: true })).toHaveLength(100);
    expect(await readFileLimited(path("none"), { limit: 1 })).toBeUndefined();
    execFileSync("mkfifo", [path("fifo")]);
    await expect(readFileLimited(path("fifo"), { limit: 1 })).rejects.toThrow(/not a regular file/);
  });
});

it("a directory that others could enter is closed", async () => {
  await mkdir(path("open"), { mode: 0o755 });
  await ensurePrivateDirectory(path("open"));
  expect((await stat(path("open"))).mode & 0o777).toBe(0o700);
});
