import { open, readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "../../base/index.ts";
import { ensurePrivateDirectory } from "./files.ts";

/** How long a refusal is remembered, ms: kubectl runs a failing plugin up to five times. */
const remembered = 30_000;

async function markedAt(path: string): Promise<number | undefined> {
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && Math.abs(Date.now() - info.mtimeMs) < remembered ? info.mtimeMs : undefined;
}

/** Remembers, for 30 s, that something was refused. */
export interface Refusals {
  /** True where it was marked in the last 30 s (and not before `since`, ms since the epoch). */
  known(key: string, since?: number): Promise<boolean>;
  /** Marks it; true for the first who does. The 30 s run from that first mark, or with `renew` from this one. */
  mark(key: string, renew?: boolean): Promise<boolean>;
}

/** Refusals of one profile, kept as empty files in the directory. */
export function openRefusals(directory: string, profile: string): Refusals {
  const path = (key: string): string => join(directory, `${profile}+${key}`);
  const removeOld = async (): Promise<void> => {
    for (const name of await readdir(directory)) {
      if ((await markedAt(join(directory, name))) === undefined) await rm(join(directory, name), { force: true });
    }
  };
  return {
    async known(key, since = 0) {
      const at = await markedAt(path(key));
      return at !== undefined && at >= since;
    },
    async mark(key, renew = false) {
      await ensurePrivateDirectory(directory);
      await removeOld();
      try {
        await (await open(path(key), "wx", 0o600)).close();
        return true;
      } catch (error) {
        if (systemErrorCode(error) !== "EEXIST") throw error;
        const now = new Date();
        if (renew) await utimes(path(key), now, now).catch(() => undefined);
        return false;
      }
    },
  };
}
