import type * as Fs from "node:fs";
import { existsSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemRandom } from "../../../base/index.ts";
import { sharedPath } from "./shared-path.ts";

const hooks: { removed?: ((path: string) => void) | undefined } = {};
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof Fs>();
  return {
    ...fs,
    unlinkSync(path: string) {
      fs.unlinkSync(path);
      hooks.removed?.(path);
    },
  };
});

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gatehouse-shared-"));
});
afterEach(() => {
  hooks.removed = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Takes the path as a process does that is still there: this one. */
function taken() {
  const path = join(directory, "agent.sock");
  const made = sharedPath(path, systemRandom);
  writeFileSync(made.own, "");
  made.take();
  return { path, ...made };
}

describe("a path that processes share", () => {
  it("is handed on by whoever leads and goes, and gone after the last", () => {
    const [first, last] = [taken(), taken()];
    expect(readlinkSync(last.path)).toBe(basename(last.own));
    last.leave();
    expect(readlinkSync(first.path)).toBe(basename(first.own));
    first.leave();
    expect(existsSync(first.path)).toBe(false);
  });

  it("is left in peace where its directory goes at the same moment: that of `tsh ssh`, whose ssh and ProxyCommand end together", () => {
    const other = taken();
    const { own, leave } = taken();
    hooks.removed = (gone) => {
      if (gone === own) rmSync(directory, { recursive: true });
    };
    leave();
    expect(existsSync(directory)).toBe(false);
    other.leave();
  });
});
