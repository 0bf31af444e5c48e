// Bundles with esbuild: packages/{tsh,tctl}/src/start.ts → packages/{tsh,tctl}/dist/start.cjs, one file in which every command begins and
// some end; packages/tsh/src/lean.ts → packages/tsh/dist/lean.cjs, where what kubectl and scripts wait for goes on; packages/{tsh,tctl}/src/main.ts → packages/{tsh,tctl}/dist/main.js and its lazy chunks; and the programs that tests, the
// bench and npm start run, test/programs/*.ts → test/dist/*.js (never part of a release). Beside each command's bundle: commands.json, what completion knows of it.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { commands, leanOptions, mainOptions, outFolder, splitOptions, startOptions } from "./bundle.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, "node_modules/.cache/gatehouse-build");

/** Where the bundles go, and whether what the gateway reads at run time (worker threads, scripts for hosts) belongs beside them, and what completion knows. */
const bundles = [
  ...commands.map((name) => ({ out: outFolder(name), beside: name === "tsh", described: true, options: (fresh) => [mainOptions(root, name, fresh), startOptions(root, name, fresh), leanOptions(root, name, fresh)].filter((options) => options !== undefined) })),
  { out: "test/dist", beside: true, options: async (fresh) => [splitOptions(root, (await sources(join(root, "test/programs"))).map((file) => relative(root, file)), fresh)] },
];

async function sources(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts")).map((entry) => join(entry.parentPath, entry.name));
}

/** Changes whenever a source, the lock file or this script does. */
async function fingerprint() {
  const folders = ["packages/core/src", "packages/agent/src", "packages/tsh/src", "packages/tctl/src", "test/bench", "test/programs", "test/stand-ins", "test/support"];
  const files = (await Promise.all(folders.map((folder) => sources(join(root, folder))))).flat();
  files.push(join(root, "pnpm-lock.yaml"), fileURLToPath(import.meta.url), join(root, "scripts/bundle.mjs"));
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    const { mtimeMs, size } = await stat(file);
    hash.update(`${relative(root, file)} ${String(mtimeMs)} ${String(size)}\n`);
  }
  return hash.digest("hex");
}

async function isBuilt(stamp) {
  const last = await readFile(stampFile, "utf8").catch(() => undefined);
  if (last !== stamp) return false;
  const outputs = await Promise.all(bundles.map(({ out }) => stat(join(root, out, "metafile.json")).catch(() => undefined)));
  return outputs.every((output) => output !== undefined);
}

/** Has a built command write down its commands and flags, for completion. */
async function describe(out) {
  const { stdout } = await promisify(execFile)(process.execPath, [join(out, "start.cjs"), "__commands"], { maxBuffer: 16 * 1024 * 1024 });
  await writeFile(join(out, "commands.json"), stdout);
}

async function bundle({ out: folder, beside, described, options }) {
  const { build: esbuild } = await import("esbuild");
  const out = join(root, folder);
  const fresh = `${out}.new`;
  await rm(fresh, { recursive: true, force: true });
  const outputs = {};
  for (const each of await options(fresh)) Object.assign(outputs, (await esbuild(each)).metafile.outputs);
  await writeFile(join(fresh, "metafile.json"), JSON.stringify({ outputs }));
  if (beside) {
    for (const file of await sources(join(root, "packages/core/src"))) {
      if (file.endsWith("-worker.mjs") || file.endsWith(".sh")) await copyFile(file, join(fresh, file.slice(dirname(file).length + 1)));
    }
  }
  // tsc's declarations live in dist/types and stay.
  await mkdir(out, { recursive: true });
  for (const entry of await readdir(fresh)) await rename(join(fresh, entry), join(out, entry));
  const kept = new Set(Object.keys(outputs).map((path) => path.slice(path.lastIndexOf("/") + 1)));
  for (const entry of await readdir(out)) {
    if (/\.c?js$/.test(entry) && !kept.has(entry)) await rm(join(out, entry));
  }
  await rm(fresh, { recursive: true, force: true });
  if (described) await describe(out);
}

/** Bundles both commands, unless nothing has changed since the last time. */
export async function build() {
  const stamp = await fingerprint();
  if (await isBuilt(stamp)) return;
  console.error("building tsh and tctl …");
  await rm(stampFile, { force: true });
  for (const entry of bundles) await bundle(entry);
  await mkdir(dirname(stampFile), { recursive: true });
  await writeFile(stampFile, stamp);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
