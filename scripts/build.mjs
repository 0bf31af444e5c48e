// Bundles with esbuild: packages/{tsh,tctl}/src/main.ts → packages/{tsh,tctl}/dist/main.js and its lazy chunks, and the
// programs that tests, the bench and npm start run, test/programs/*.ts → test/dist/*.js (never part of a release).
import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stampFile = join(root, "node_modules/.cache/gatehouse-build");

/** Loaded from node_modules at run time: native code, and oclif, which reads its own package. */
const external = ["@napi-rs/keyring", "@node-rs/argon2", "@photostructure/sqlite", "@oclif/core", "@lydell/node-pty", "playwright-core"];

/** What is bundled: where from, where to, and whether what the gateway reads at run time (worker threads, scripts for hosts) belongs beside it. */
const bundles = [
  { entries: ["packages/tsh/src/main.ts"], out: "packages/tsh/dist", beside: true },
  { entries: ["packages/tctl/src/main.ts"], out: "packages/tctl/dist", beside: false },
  { entries: "test/programs", out: "test/dist", beside: true },
];

/** ssh2 looks for these and does without: a bundle must not pick up a stranger's file of that name at run time. */
const withoutNative = {
  name: "ssh2-without-native",
  setup(build) {
    build.onResolve({ filter: /(?:^cpu-features|\/sshcrypto\.node)$/ }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: 'throw new Error("not built")', loader: "js" }));
  },
};

async function sources(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts")).map((entry) => join(entry.parentPath, entry.name));
}

/** Changes whenever a source, the lock file or this script does. */
async function fingerprint() {
  const folders = ["packages/core/src", "packages/agent/src", "packages/tsh/src", "packages/tctl/src", "test/bench", "test/programs", "test/stand-ins", "test/support"];
  const files = (await Promise.all(folders.map((folder) => sources(join(root, folder))))).flat();
  files.push(join(root, "pnpm-lock.yaml"), fileURLToPath(import.meta.url));
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

async function bundle({ entries, out: folder, beside }) {
  const { build: esbuild } = await import("esbuild");
  const out = join(root, folder);
  const fresh = `${out}.new`;
  await rm(fresh, { recursive: true, force: true });
  const result = await esbuild({
    absWorkingDir: root,
    entryPoints: Array.isArray(entries) ? entries : (await sources(join(root, entries))).map((file) => relative(root, file)),
    outdir: fresh,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    conditions: ["gatehouse-source"],
    chunkNames: "[name]-[hash]",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
    external,
    plugins: [withoutNative],
    define: { __dirname: "import.meta.dirname" },
    // Bundled CommonJS still asks for Node's own modules by require().
    banner: { js: 'import{createRequire as gatehouseRequire}from"node:module";const require=gatehouseRequire(import.meta.url);' },
  });
  await writeFile(join(fresh, "metafile.json"), JSON.stringify(result.metafile));
  if (beside) {
    for (const file of await sources(join(root, "packages/core/src"))) {
      if (file.endsWith("-worker.mjs") || file.endsWith(".sh")) await copyFile(file, join(fresh, file.slice(dirname(file).length + 1)));
    }
  }
  // tsc's declarations live in dist/types and stay.
  await mkdir(out, { recursive: true });
  for (const entry of await readdir(fresh)) await rename(join(fresh, entry), join(out, entry));
  const kept = new Set(Object.keys(result.metafile.outputs).map((path) => path.slice(path.lastIndexOf("/") + 1)));
  for (const entry of await readdir(out)) {
    if (entry.endsWith(".js") && !kept.has(entry)) await rm(join(out, entry));
  }
  await rm(fresh, { recursive: true, force: true });
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
