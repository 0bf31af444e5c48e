import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
let metafile: Metafile;

beforeAll(async () => {
  ({ metafile } = await build({
    absWorkingDir: root,
    entryPoints: ["packages/tctl/src/main.ts"],
    outdir: "packages/tctl/dist",
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    conditions: ["gatehouse-source"],
    metafile: true,
    external: ["@napi-rs/keyring", "@node-rs/argon2", "@photostructure/sqlite", "@oclif/core"],
    logLevel: "silent",
  }));
});

/** Every source that is loaded with the chunk that holds this one, lazy imports left out. */
function loaded(source: string): readonly string[] {
  const chunks = new Set<string>();
  const visit = (path: string): void => {
    const chunk = metafile.outputs[path];
    if (!chunk || chunks.has(path)) return;
    chunks.add(path);
    for (const { kind, path: next } of chunk.imports) if (kind === "import-statement") visit(next);
  };
  for (const [path, chunk] of Object.entries(metafile.outputs)) if (source in chunk.inputs) visit(path);
  return [...chunks].flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}));
}

describe("the library that reads an administrator's kubeconfig", () => {
  it("is loaded by no command before it is needed, the one that needs it included", () => {
    const commands = Object.keys(metafile.inputs).filter((path) => path.startsWith("packages/tctl/src/"));
    expect(commands).toContain("packages/tctl/src/commands/kubeconfig/create.ts");
    for (const command of commands) expect([command, loaded(command).filter((path) => path.includes("@kubernetes/client-node"))]).toEqual([command, []]);
    expect(Object.keys(metafile.inputs).some((path) => path.includes("@kubernetes/client-node"))).toBe(true);
  });
});
