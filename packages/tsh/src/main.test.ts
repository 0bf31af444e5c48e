import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const external = ["@napi-rs/keyring", "@node-rs/argon2", "@photostructure/sqlite", "@oclif/core"];
let metafile: Metafile;

beforeAll(async () => {
  const result = await build({
    absWorkingDir: root,
    entryPoints: ["packages/tsh/src/main.ts"],
    outdir: "packages/tsh/dist",
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    conditions: ["gatehouse-source"],
    metafile: true,
    external,
    logLevel: "silent",
  });
  metafile = result.metafile;
});

/** Every source and package that is loaded with the chunks that hold these sources, lazy imports left out. */
function loaded(...sources: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const chunk = metafile.outputs[path];
    if (!chunk || seen.has(path)) return;
    seen.add(path);
    for (const input of Object.keys(chunk.inputs)) found.add(input);
    for (const { path: next, kind, external: outside } of chunk.imports) {
      if (kind !== "import-statement") continue;
      if (outside === true) found.add(next);
      else visit(next);
    }
  };
  for (const [path, chunk] of Object.entries(metafile.outputs)) if (sources.some((source) => source in chunk.inputs)) visit(path);
  return [...found];
}

const heavy = /@oclif|\/zod|\/yaml[@/]|undici|kubernetes|inquirer|chalk|^node:net$|^node:https?$|^net$/;

describe("what is loaded", () => {
  it("for tsh kube credentials: no command framework, no schema, YAML, network or Kubernetes library", () => {
    const modules = loaded("packages/tsh/src/main.ts", "packages/tsh/src/credentials.ts");
    expect(modules).toContain("packages/core/src/client/lean/credentials.ts");
    expect(modules.filter((module) => heavy.test(module))).toEqual([]);
    expect(modules.filter((module) => module.startsWith("packages/") && !/^packages\/(tsh\/src\/[a-z-]+|core\/src\/(base|client\/lean|client\/local-agent)\/[a-z-]+)\.ts$/.test(module))).toEqual([]);
  });

  it("for tsh proxy ssh: the agent and one connection, and nothing that reads configuration or speaks SSH", () => {
    const modules = loaded("packages/tsh/src/main.ts", "packages/tsh/src/proxy-ssh.ts");
    expect(modules).toEqual(expect.arrayContaining(["packages/core/src/client/ssh/connect-host.ts", "packages/core/src/client/ssh/agent/socket.ts"]));
    expect(modules.filter((module) => /@oclif|\/zod|\/yaml[@/]|undici|kubernetes|inquirer|chalk|ssh2/.test(module))).toEqual([]);
    const rooms = /^packages\/(tsh\/src\/[a-z-]+|core\/src\/(base|formats|formats\/ssh|api\/lean|client\/lean|client\/local-agent|client\/ssh|client\/ssh\/agent)\/[a-z0-9-]+|core\/src\/api\/(names|refusal|ssh)|core\/src\/client\/network-errors)\.ts$/;
    expect(modules.filter((module) => module.startsWith("packages/") && !rooms.test(module))).toEqual([]);
    expect(modules.length).toBeLessThan(80);
  });

  it("for tsh ssh, scp, sftp and config: ssh2 where there is no OpenSSH alone", () => {
    const commands = ["ssh", "scp", "sftp", "config"].map((name) => `packages/tsh/src/commands/${name}.ts`);
    expect(loaded("packages/tsh/src/main.ts", ...commands).filter((module) => /ssh2|own-ssh/.test(module))).toEqual([]);
  });

  it("for tsh version: less still", () => {
    const modules = loaded("packages/tsh/src/main.ts", "packages/tsh/src/version.ts");
    expect(modules.filter((module) => heavy.test(module) || module.includes("/client/"))).toEqual([]);
  });

  it("for any client command: no room of the server", () => {
    const commands = Object.keys(metafile.inputs).filter((path) => path.startsWith("packages/tsh/src/commands/") && !path.endsWith("/proxy.ts"));
    expect(commands.length).toBeGreaterThan(6);
    const modules = loaded("packages/tsh/src/main.ts", "packages/core/src/client/login.ts", ...commands);
    expect(modules.filter((module) => /core\/src\/(config|store|ca|audit|connectors|auth|proxy)\//.test(module))).toEqual([]);
  });
});
