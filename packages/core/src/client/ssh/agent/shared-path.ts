import { createHash } from "node:crypto";
import { readdirSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { randomHex, systemErrorCode, type Random } from "../../../base/index.ts";
import { isRunning } from "../../lean/index.ts";

/**
 * A path that several processes share, each with a socket of its own beside it: a link that leads to that of the last one. Whoever leads and goes hands it
 * on to another that is still there, so that none of them is out of reach. Done without waiting, since processes end this way.
 */
export interface SharedPath {
  /** Where this process binds its socket. */
  readonly own: string;
  /** Makes the path lead to it. */
  take(): void;
  /** Removes the socket, and hands the path on where it led there. */
  leave(): void;
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}

function leadsTo(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** This process's part in the path. Its directory is the person's alone. */
export function sharedPath(path: string, random: Random): SharedPath {
  const directory = dirname(path);
  // The same length whatever the path's name is: a socket's path has little room.
  const family = `.${createHash("sha256").update(basename(path)).digest("hex").slice(0, 8)}.`;
  const own = `${family}${process.pid}.${randomHex(random, 3)}`;

  const point = (target: string): void => {
    const draft = join(directory, `${own}.link`);
    remove(draft);
    symlinkSync(target, draft);
    renameSync(draft, path);
  };

  /** Sockets of others who are still there; those that were killed have left theirs, which go. */
  const others = (): readonly string[] => {
    const alive: string[] = [];
    for (const name of readdirSync(directory)) {
      if (!name.startsWith(family) || name.startsWith(own)) continue;
      if (!isRunning(Number(name.slice(family.length).split(".")[0]))) remove(join(directory, name));
      else if (!name.endsWith(".link")) alive.push(name);
    }
    return alive;
  };

  const handOn = (): void => {
    const next = others().at(-1);
    if (next === undefined) remove(path);
    else point(next);
  };

  return {
    own: join(directory, own),
    take() {
      others();
      point(own);
    },
    leave() {
      const leads = leadsTo(path) === own;
      remove(join(directory, own));
      if (!leads) return;
      try {
        handOn();
      } catch (error) {
        // The directory is gone, and all that was in it: whoever made it for one command has ended too.
        if (systemErrorCode(error) !== "ENOENT") throw error;
      }
    },
  };
}
