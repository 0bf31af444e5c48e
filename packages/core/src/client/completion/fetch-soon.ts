import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Clock } from "../../base/index.ts";
import type { ClientHome, Environment } from "../lean/index.ts";
import { fetchCommand } from "../main/index.ts";
import { markTried, nameAges, readNames, type NameLists } from "./cache.ts";
import type { NameKind } from "./places.ts";

/** Where names are asked for, and how. */
export interface NameSource {
  readonly home: ClientHome;
  /** As `cacheKey` makes it. */
  readonly key: string;
  /** Arguments of this program that fetch: the hidden command, and the flags that choose the gateway. */
  readonly command: readonly string[];
}

/** Runs the fetching command by itself, so that it goes on when this process is gone. Resolves at its end, or after `wait` ms. Never throws: a shell's line is no place for it. */
async function fetchBeside(source: NameSource, kinds: readonly NameKind[], env: Environment, wait: number): Promise<void> {
  const [, script = ""] = process.argv;
  const child = spawn(process.execPath, [script, fetchCommand, source.key, kinds.join(","), ...source.command], { detached: true, stdio: "ignore", cwd: "/", env, windowsHide: true });
  const ended = once(child, "exit").catch(() => undefined);
  child.unref();
  if (wait <= 0) return;
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([ended, new Promise<void>((resolve) => (timer = setTimeout(resolve, wait)))]);
  clearTimeout(timer);
}

/**
 * Names of these kinds: kept ones while they are less than a minute old; older ones at once, while new ones are fetched for the next time; where there are
 * none, new ones if they come within `wait` ms. What failed is not tried again for ten seconds.
 */
export async function namesSoon(source: NameSource, kinds: readonly NameKind[], options: { readonly env: Environment; readonly clock: Clock; readonly wait: number }): Promise<NameLists> {
  const { home, key } = source;
  const { env, clock, wait } = options;
  const kept = await readNames(home, key, clock);
  if (kinds.every((kind) => (kept[kind]?.age ?? Infinity) <= nameAges.fresh)) return kept;
  if (!(await markTried(home, key, kinds))) return kept;
  const missing = kinds.some((kind) => kept[kind] === undefined);
  await fetchBeside(source, kinds, env, missing ? wait : 0);
  return missing ? readNames(home, key, clock) : kept;
}
