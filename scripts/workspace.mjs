// What npm start, npm test and pnpm bench share: install what is missing, build what has changed, run a child and wait for it.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Runs a command in the root with this terminal; resolves with its exit code (128 + n for a signal). Signals in `forward` go on to it. */
export function run(command, args, { forward = [], ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
    for (const signal of forward) process.on(signal, () => child.kill(signal));
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal === null ? code : 128 + constants.signals[signal]));
  });
}

async function read(path) {
  return readFile(join(root, path), "utf8").catch((error) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** Installs exactly what the lock file says, unless that is what node_modules already holds. Needs only Node's own npm. */
export async function ensureInstalled() {
  const [major, minor, patch] = process.versions.node.split(".").map(Number);
  if (major * 1e6 + minor * 1e3 + patch < 20_018_001) throw new Error(`Gatehouse needs Node 20.18.1 or newer; this is ${process.version}`);
  const [wanted, installed, manifest] = await Promise.all([
    read("pnpm-lock.yaml"),
    read("node_modules/.pnpm/lock.yaml"),
    read("package.json"),
  ]);
  if (wanted !== undefined && wanted === installed) return;
  const { packageManager } = JSON.parse(manifest);
  console.error(`installing dependencies (${packageManager}, as the lock file says) …`);
  const npx = process.platform === "win32" ? "npx.cmd" : "npx";
  const code = await run(npx, ["--yes", packageManager, "install", "--frozen-lockfile", "--reporter=append-only"], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (code !== 0) throw new Error(`installing failed with exit code ${String(code)}`);
}

/** Bundles tsh and tctl where a source is newer than the last build. */
export async function ensureBuilt() {
  const { build } = await import("./build.mjs");
  await build();
}

/** Ends the process with an exit code, or 1 and the message of what was thrown. */
export async function main(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    console.error(`✖ ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
