import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { World } from "./world.ts";

const command = promisify(execFile);
const mount = (folder: string, options: string) => command("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);

/** Why this process may not mount a disk of its own; undefined where it may. With `CI=true` it throws. */
export async function whyNoSmallDisk(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-mount-"));
  try {
    await mount(folder, "size=64k");
    await command("umount", [folder]);
    return undefined;
  } catch (error) {
    const why = "a small disk cannot be mounted here: run this as root";
    if (process.env["CI"] === "true") throw new Error(why, { cause: error });
    return why;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A small disk of its own under a gateway's recordings. Its log is on another: a gateway that cannot write that lets nothing pass. */
export interface SmallDisk {
  fill(): Promise<void>;
  empty(): Promise<void>;
  /** Makes it read-only; false while somebody writes. */
  freeze(): Promise<boolean>;
  thaw(): Promise<void>;
  unmount(): Promise<void>;
}

/** Mounts one of 512 KiB. */
export async function mountUnderRecordings(world: World): Promise<SmallDisk> {
  const log = join(world.dataDir, "log");
  const server = (await readdir(log, { withFileTypes: true })).find((entry) => entry.isDirectory() && /^[0-9a-f-]{36}$/.test(entry.name));
  const folder = join(log, server?.name ?? "", "sessions", "default");
  await mkdir(folder, { recursive: true });
  await mount(folder, "size=512k");
  return {
    fill: () => writeFile(join(folder, "filler"), Buffer.alloc(1024 * 1024)).catch(() => undefined),
    async empty() {
      for (const file of await readdir(folder)) await rm(join(folder, file));
    },
    freeze: () => command("mount", ["-o", "remount,ro", folder]).then(() => true, () => false),
    async thaw() {
      await command("mount", ["-o", "remount,rw", folder]);
    },
    async unmount() {
      await command("umount", ["-l", folder]).catch(() => undefined);
    },
  };
}
