import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, rename, symlink, unlink, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomHex, syncDirectory, systemErrorCode, type Logger, type Random } from "../../base/index.ts";

const dayMs = 86_400_000;
const tailBlock = 64 * 1024;

/** Days since the epoch, UTC. */
export function dayOf(time: number): number {
  return Math.floor(time / dayMs);
}

/** The last ms of a day. */
export function endOfDay(day: number): number {
  return (day + 1) * dayMs - 1;
}

/** v3's name of a day's file (reference §12.2): `2026-11-24.00:00:00.log`. */
export function dayFileName(day: number): string {
  return `${new Date(day * dayMs).toISOString().slice(0, 10)}.00:00:00.log`;
}

const filePattern = /^(\d{4}-\d{2}-\d{2})\.00:00:00\.log$/;

/** The day of a file of {@link dayFileName}'s form; undefined for any other name. */
export function dayOfFile(name: string): number | undefined {
  const day = Date.parse(`${filePattern.exec(name)?.[1] ?? ""}T00:00:00Z`) / dayMs;
  return Number.isNaN(day) || dayFileName(day) !== name ? undefined : day;
}

/** Where the last whole line ends. */
async function endOfLastLine(file: FileHandle, size: number): Promise<number> {
  const block = Buffer.alloc(tailBlock);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - tailBlock);
    const { bytesRead } = await file.read(block, 0, end - start, start);
    const newline = block.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (newline >= 0) return start + newline + 1;
    end = start;
  }
  return 0;
}

/** An open day's file. */
export interface LogFile {
  readonly handle: FileHandle;
  readonly day: number;
  /** Bytes of whole lines. */
  readonly size: number;
  /** What a crash had left after them, and was cut off. */
  readonly torn: { readonly file: string; readonly bytes: number; readonly sha256: string } | undefined;
}

const maxTorn = 16 * 1024 * 1024;

async function hashFrom(file: FileHandle, start: number, end: number): Promise<string> {
  const hash = createHash("sha256");
  const block = Buffer.alloc(tailBlock);
  for (let at = start; at < Math.min(end, start + maxTorn); ) {
    const { bytesRead } = await file.read(block, 0, Math.min(block.length, end - at), at);
    if (bytesRead === 0) break;
    hash.update(block.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest("hex");
}

/**
 * Opens (or makes, 0640 in a 0700 directory) a day's file for appending. The line that a crash has torn is cut off. Throws what the
 * system throws.
 */
export async function openLogFile(directory: string, day: number, logger: Logger): Promise<LogFile> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, dayFileName(day));
  const handle = await open(path, constants.O_CREAT | constants.O_APPEND | constants.O_RDWR | constants.O_NOFOLLOW, 0o640);
  try {
    const found = (await handle.stat()).size;
    const size = await endOfLastLine(handle, found);
    const torn = size === found ? undefined : { file: basename(path), bytes: found - size, sha256: await hashFrom(handle, size, found) };
    if (torn) {
      logger.warn({ path, bytes: found - size }, "the audit log ended in a torn line, which was cut off");
      await handle.truncate(size);
    }
    if (found === 0) await syncDirectory(directory);
    return { handle, day, size, torn };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Points the link `events.log` at the current file, in one step. A file of that name that is no link is left alone. */
export async function linkCurrent(directory: string, serverId: string, day: number, random: Random, logger: Logger): Promise<void> {
  const link = join(directory, "events.log");
  try {
    const there = await lstat(link).catch((error: unknown) => {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (there && !there.isSymbolicLink()) {
      logger.warn({ path: link }, "events.log is not a link, and stays as it is");
      return;
    }
    const draft = `${link}.${randomHex(random, 8)}`;
    await symlink(join(serverId, dayFileName(day)), draft);
    try {
      await rename(draft, link);
    } catch (error) {
      await unlink(draft);
      throw error;
    }
    await syncDirectory(dirname(link));
  } catch (error) {
    logger.warn({ path: link, error: systemErrorCode(error) ?? String(error) }, "events.log cannot be pointed at the current file");
  }
}
