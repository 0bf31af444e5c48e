import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { version } from "../../base/index.ts";
import { keepCompiled } from "./compile-cache.ts";

let home: string;
let enabled: string[];
const ours = `compiled-${version}`;
const keep = (env: Record<string, string> = {}, uid = process.geteuid?.()): string | undefined =>
  keepCompiled({ HOME: home, ...env }, { enable: (folder) => enabled.push(folder), platform: "linux", uid });

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "gatehouse-compiled-"));
  enabled = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe("what Node compiled is kept", () => {
  it("in a directory of this user alone", async () => {
    const folder = join(home, ".cache/gatehouse", ours);
    expect(keep()).toBe(folder);
    expect(keep()).toBe(folder);
    expect(enabled).toEqual([folder, folder]);
    for (const path of [folder, join(home, ".cache/gatehouse"), join(home, ".cache")]) expect((await lstat(path)).mode & 0o777).toBe(0o700);
  });

  it("where XDG_CACHE_HOME says, and without what another version left", async () => {
    const cache = join(home, "elsewhere");
    await mkdir(join(cache, "gatehouse/compiled-0.9.0/v22"), { recursive: true, mode: 0o700 });
    expect(keep({ XDG_CACHE_HOME: cache })).toBe(join(cache, "gatehouse", ours));
    expect(await readdir(join(cache, "gatehouse"))).toEqual([ours]);
  });
});

describe("nothing is kept", () => {
  it("in somebody else's home: a superuser leaves nothing there", async () => {
    expect(keep({}, (process.geteuid?.() ?? 0) + 1)).toBeUndefined();
    expect(await readdir(home)).toEqual([]);
  });

  it("where others could write what runs here", async () => {
    await mkdir(join(home, ".cache/gatehouse"), { recursive: true, mode: 0o700 });
    await chmod(join(home, ".cache/gatehouse"), 0o770);
    expect(keep()).toBeUndefined();
    await chmod(join(home, ".cache/gatehouse"), 0o700);
    await chmod(join(home, ".cache"), 0o777);
    expect(keep()).toBeUndefined();
  });

  it("behind a link", async () => {
    await mkdir(join(home, "other"), { mode: 0o700 });
    await mkdir(join(home, ".cache"), { mode: 0o700 });
    await symlink(join(home, "other"), join(home, ".cache/gatehouse"));
    expect(keep()).toBeUndefined();
    expect(await readdir(join(home, "other"))).toEqual([]);
  });

  it("where there is no home, or the person has said otherwise to Node", () => {
    expect(keep({ HOME: join(home, "gone/away") })).toBeUndefined();
    expect(keep({ NODE_DISABLE_COMPILE_CACHE: "1" })).toBeUndefined();
    expect(keep({ NODE_COMPILE_CACHE: join(home, "mine") })).toBeUndefined();
    expect(enabled).toEqual([]);
  });
});
