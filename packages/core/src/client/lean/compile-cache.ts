import { lstatSync, mkdirSync, readdirSync, rmSync, statSync, type Stats } from "node:fs";
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { systemErrorCode, version } from "../../base/index.ts";
import type { Environment } from "./home.ts";

/** What of Node this needs (there since 22.8), and whose cache it is; tests give their own. */
export interface CompileOptions {
  readonly enable?: ((folder: string) => unknown) | undefined;
  readonly platform?: NodeJS.Platform;
  /** Effective user id; undefined on Windows. */
  readonly uid?: number | undefined;
}

/** Where this system keeps what can be made again. */
function cacheRoot(env: Environment, platform: NodeJS.Platform): string {
  const home = env["HOME"] !== undefined && env["HOME"] !== "" ? env["HOME"] : homedir();
  if (platform === "win32") return env["LOCALAPPDATA"] ?? join(home, "AppData", "Local");
  if (platform === "darwin") return join(home, "Library", "Caches");
  const asked = env["XDG_CACHE_HOME"];
  return asked?.startsWith("/") === true ? asked : join(home, ".cache");
}

function look(path: string, read: (path: string) => Stats): Stats | undefined {
  try {
    return read(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** What this process runs comes from here: nobody else may write it, and a superuser in somebody's home leaves nothing there. */
const isOurs = (info: Stats, uid: number | undefined): boolean => info.isDirectory() && (uid === undefined || (info.uid === uid && (info.mode & 0o022) === 0));

/** A directory that is this user's alone; undefined where it is not, or a link. */
function ownFolder(path: string, uid: number | undefined): "made" | "there" | undefined {
  const before = look(path, lstatSync);
  if (!before) mkdirSync(path, { mode: 0o700 });
  if (!isOurs(before ?? lstatSync(path), uid)) return undefined;
  return before ? "there" : "made";
}

function openFolder(root: string, uid: number | undefined): string | undefined {
  const info = look(root, statSync);
  // A superuser's `mkdir ~/.cache` in somebody's home would lock its owner out.
  const above = info ?? look(dirname(root), statSync);
  if (!above || !isOurs(above, uid)) return undefined;
  if (!info) mkdirSync(root, { mode: 0o700 });
  const ours = join(root, "gatehouse");
  const name = `compiled-${version}`;
  if (ownFolder(ours, uid) === undefined) return undefined;
  const state = ownFolder(join(ours, name), uid);
  if (state === "made") {
    for (const other of readdirSync(ours)) if (other.startsWith("compiled-") && other !== name) rmSync(join(ours, other), { recursive: true, force: true });
  }
  return state === undefined ? undefined : join(ours, name);
}

/**
 * Lets Node keep what it compiles of the commands, in this user's own cache directory, for the next start. Returns the directory; undefined where this Node
 * cannot, the directory is not this user's alone, or there is none to write: then everything is compiled as ever.
 */
export function keepCompiled(env: Environment, options: CompileOptions = {}): string | undefined {
  const { enable = (nodeModule as { readonly enableCompileCache?: (folder: string) => unknown }).enableCompileCache, platform = process.platform, uid = process.geteuid?.() } = options;
  if (enable === undefined || env["NODE_DISABLE_COMPILE_CACHE"] !== undefined || env["NODE_COMPILE_CACHE"] !== undefined) return undefined;
  let folder: string | undefined;
  try {
    folder = openFolder(cacheRoot(env, platform), uid);
  } catch {
    // A cache that cannot be had (read-only, full, no home) is none: nothing of it is worth a word.
    return undefined;
  }
  if (folder !== undefined) enable(folder);
  return folder;
}
