import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";
import { loadedWith, notAmong } from "@gatehouse/core/testing";
import { mainOptions, startOptions } from "../../../scripts/bundle.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let metafile: Metafile;

beforeAll(async () => {
  ({ metafile } = await build({ ...mainOptions(root, "tctl"), write: false }));
});

describe("what a shell waits for", () => {
  it("loads no command, no schema and no network", () => {
    const modules = loadedWith(metafile, ["packages/tctl/src/main.ts", "packages/tctl/src/completion/complete.ts"]);
    expect(modules).toContain("packages/core/src/client/completion/walk.ts");
    expect(modules.filter((module) => /@oclif|\/zod|\/yaml[@/]|undici|chalk|node:https|src\/commands|client\/(?!lean|completion|local-agent|main)/.test(module))).toEqual([]);
  });
});

describe("the library that reads an administrator's kubeconfig", () => {
  it("is loaded by no command before it is needed, the one that needs it included", () => {
    const commands = Object.keys(metafile.inputs).filter((path) => path.startsWith("packages/tctl/src/"));
    expect(commands).toContain("packages/tctl/src/commands/kubeconfig/create.ts");
    for (const command of commands) expect([command, loadedWith(metafile, [command]).filter((path) => path.includes("@kubernetes/client-node"))]).toEqual([command, []]);
    expect(Object.keys(metafile.inputs).some((path) => path.includes("@kubernetes/client-node"))).toBe(true);
  });
});

it("begins in one small file", async () => {
  const { metafile: start } = await build({ ...startOptions(root, "tctl"), write: false });
  const modules = loadedWith(start, ["packages/tctl/src/start.ts"]);
  expect(notAmong(modules, ["packages/tctl/src/{start}", "packages/core/src/base/{errors,index,random,text,version}", "packages/core/src/client/lean/{compile-cache,home}", "fastest-levenshtein/mod.js", ...["fs", "path"].map((name) => `node:${name}`), ...["crypto", "module", "os"].map((name) => `lazy-builtin:node:${name}`)])).toEqual([]);
});
