import { rmSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ensurePrivateDirectory } from "./files.ts";
import { isRunning } from "./process.ts";

/** A folder of this process, of mode 0700, gone with it. */
export interface OwnFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/** Removes what processes that were killed have left. */
async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(/^run-(\d{1,10})-/.exec(name)?.[1] ?? 0);
    if (pid > 0 && !isRunning(pid)) await rm(join(parent, name), { recursive: true, force: true });
  }
}

/** Makes a folder of this process in `parent`, which is made too, and removes those of processes that are gone. Only their owner can enter either. */
export async function openOwnFolder(parent: string): Promise<OwnFolder> {
  await ensurePrivateDirectory(parent);
  await sweep(parent);
  // Of mode 0700 (mkdtemp(3)).
  const path = await mkdtemp(join(parent, `run-${process.pid}-`));
  const onExit = (): void => rmSync(path, { recursive: true, force: true });
  process.once("exit", onExit);
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true });
      process.removeListener("exit", onExit);
    },
  };
}
