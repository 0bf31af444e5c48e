import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { browserCommand, openBrowser, splitCommand } from "./browser.ts";

describe("BROWSER", () => {
  it("names a program and its arguments; %s is the link, which no shell sees", () => {
    expect(splitCommand(`  a  'b c' d"e f"g `)).toEqual(["a", "b c", "de fg"]);
    expect(browserCommand("firefox --new-window", "http://x/$(id)")).toEqual(["firefox", "--new-window", "http://x/$(id)"]);
    expect(browserCommand("open -u=%s -b", "http://x")).toEqual(["open", "-u=http://x", "-b"]);
  });

  it("is a list: the first that starts is taken, and the link is one argument", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-browser-"));
    const program = join(folder, "browser");
    await writeFile(program, `#!/bin/sh\nprintf '%s\\n' "$#" "$@" > ${folder}/seen.tmp && mv ${folder}/seen.tmp ${folder}/seen\n`, { mode: 0o700 });
    expect(await openBrowser("http://127.0.0.1:1/a;b", { BROWSER: `${folder}/none:${program}` }, undefined)).toBeUndefined();
    await vi.waitFor(async () => expect(await readFile(join(folder, "seen"), "utf8")).toBe("1\nhttp://127.0.0.1:1/a;b\n"));
    expect(await openBrowser("http://x", { BROWSER: `${folder}/none` }, undefined)).toMatch(/ENOENT/);
    expect(await openBrowser("http://x", { BROWSER: program }, `${folder}/other`)).toMatch(/ENOENT/);
    await rm(folder, { recursive: true });
  });
});
