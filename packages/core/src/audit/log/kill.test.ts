import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nullLogger, systemClock } from "../../base/index.ts";
import { openAuditLog } from "../index.ts";
import { verifyLogs, type LogSource } from "../verify/index.ts";

const bundleFolder = fileURLToPath(new URL(`../../../node_modules/.cache/audit-test-${process.pid}`, import.meta.url));
const bundle = join(bundleFolder, "process.mjs");
let directory: string;

beforeAll(async () => {
  await mkdir(bundleFolder, { recursive: true });
  directory = await mkdtemp(join(tmpdir(), "gatehouse-kill-"));
  const entry = fileURLToPath(new URL("kill-fixture.ts", import.meta.url));
  const banner = { js: 'import{createRequire as gatehouseRequire}from"node:module";const require=gatehouseRequire(import.meta.url);' };
  await build({ entryPoints: [entry], outfile: bundle, bundle: true, format: "esm", platform: "node", target: "node20.18", external: ["@photostructure/sqlite"], banner, logLevel: "error" });
});
afterAll(async () => {
  await rm(bundleFolder, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
});

async function* whole(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

it("is unbroken, and proven by its witness, after kill -9 at fifty moments", async () => {
  for (let round = 0; round < 50; round += 1) {
    const child = spawn(process.execPath, [bundle, directory], { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    // Every third gets far, however busy the machine is; the others as far as they come.
    if (round % 3 === 0) await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, (round * 37) % 120));
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  const last = await openAuditLog({ directory, serverId: "gw1", clock: systemClock, logger: nullLogger, sync: "group" });
  await last.close();
  const names = (await readdir(join(directory, "gw1"))).filter((name) => name.endsWith(".log")).sort();
  const files = await Promise.all(names.map(async (name) => ({ name, bytes: await readFile(join(directory, "gw1", name)) })));
  const source: LogSource = { server: "gw1", files: files.map(({ name, bytes }) => ({ name, size: bytes.length, read: () => whole(bytes) })), recording: () => Promise.resolve(undefined) };
  const witness = await readFile(join(directory, "witness"));
  const found = await verifyLogs({ sources: [source], witnesses: [{ name: "witness", read: () => whole(witness) }] });
  expect(found.findings).toEqual([]);
  // One that was killed before its first line has none.
  expect(found.servers[0]!.chains).toBeGreaterThan(10);
  expect(found.servers[0]!.checkpoints).toBeGreaterThan(10);
  expect(found.servers[0]!.proven).toBeDefined();
}, 120_000);
