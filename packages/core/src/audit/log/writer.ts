import { errorMessage, type Logger, type Random } from "../../base/index.ts";
import type { LogPosition } from "../types.ts";
import { dayFileName, dayOf, linkCurrent, openLogFile, type LogFile } from "./log-file.ts";
import { daysIn, findTail, tailOf, type Tail } from "./tail.ts";

/** Where a log ended before this process opened it. */
export interface Ending {
  readonly tail: Tail | undefined;
  readonly torn: LogFile["torn"];
}

/**
 * Appends lines to the file of their day, whole or not at all; a day that is over gets no more lines, so that files in order of their names
 * have lines in order of writing. One append at a time. Throws what the system throws.
 */
export interface LogWriter {
  /** Opens the file of the day of `time` (ms since the epoch), or of a later day that has one. */
  open(time: number): Promise<Ending>;
  /** Appends and returns when write(2) has taken all of it. A failed or short write leaves no part behind. */
  append(day: number, bytes: Buffer): Promise<void>;
  /** Where the next line goes; what a failed write left behind it does not count. */
  position(): LogPosition;
  /** fsync of what was appended. After a failure the next append tries it again first; while one hangs, appends fail. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** How long a sync may take, ms, before nothing more is appended. */
const slowSync = 10_000;

/** A writer for `<directory>/<serverId>/`. */
export function createWriter(options: { readonly directory: string; readonly serverId: string; readonly random: Random; readonly logger: Logger; readonly slowSyncMs?: number | undefined }): LogWriter {
  const { directory, serverId, random, logger, slowSyncMs = slowSync } = options;
  const folder = `${directory}/${serverId}`;
  let file: LogFile | undefined;
  let syncing: Promise<void> = Promise.resolve();
  /** When the sync under way began. */
  let began: number | undefined;
  /** What was asked for meanwhile, and begins behind it. */
  let queued: Promise<void> | undefined;
  let size = 0;
  let unsynced = false;
  let syncFailed = false;
  /** A write failed: after `size` bytes there may be part of a line. */
  let torn = false;

  async function syncNow(opened: LogFile): Promise<void> {
    unsynced = false;
    began = performance.now();
    try {
      await opened.handle.datasync();
      syncFailed = false;
    } catch (error) {
      unsynced = true;
      syncFailed = true;
      throw error;
    } finally {
      began = undefined;
    }
  }

  /** One at a time: each that hangs has one of the few threads that the process has for files. */
  function sync(): Promise<void> {
    if (!file || !unsynced) return syncing;
    if (began === undefined) return (syncing = syncNow(file));
    queued ??= syncing.then(ignore, ignore).then(() => {
      queued = undefined;
      return sync();
    });
    return queued;
  }

  async function repair(): Promise<void> {
    if (!file) return;
    if (torn) await file.handle.truncate(size);
    torn = false;
    if (began !== undefined && performance.now() - began > slowSyncMs) throw new Error("the disk takes what is written and does not secure it");
    if (syncFailed) await sync();
  }

  async function turnTo(day: number): Promise<void> {
    if (file && file.day >= day) return;
    const next = await openLogFile(folder, day, logger);
    try {
      await sync();
      await file?.handle.close();
    } catch (error) {
      logger.error({ error: errorMessage(error) }, "yesterday's audit log could not be synced and closed");
    }
    file = next;
    size = next.size;
    unsynced = false;
    syncFailed = false;
    syncing = Promise.resolve();
    torn = false;
    await linkCurrent(directory, serverId, day, random, logger);
  }

  return {
    async open(time) {
      const today = dayOf(time);
      const days = await daysIn(folder).catch(() => []);
      const newest = days.at(-1) ?? today;
      if (newest > today) logger.warn({ file: dayFileName(newest) }, "the audit log has a file of a day to come: it goes on in that one");
      // The newest first, so that a line torn there is cut off, whatever day it is now.
      await turnTo(newest);
      const torn = file?.torn;
      await turnTo(today);
      const opened = file;
      const tail = opened && (await tailOf(opened.handle, size, dayFileName(opened.day)));
      const before = days.filter((day) => day < (opened?.day ?? 0)).map(dayFileName);
      return { tail: tail ?? (await findTail(folder, before)), torn };
    },
    async append(day, bytes) {
      if (torn || syncFailed || began !== undefined) await repair();
      if (file?.day !== day) await turnTo(day);
      if (!file) return;
      torn = true;
      try {
        const { bytesWritten } = await file.handle.write(bytes, 0, bytes.length);
        if (bytesWritten !== bytes.length) throw new Error(`the file took only ${bytesWritten} of ${bytes.length} bytes`);
      } catch (error) {
        // Where this fails too, the next append begins with it.
        await repair().catch((second: unknown) => logger.error({ error: errorMessage(second) }, "a torn line of the audit log could not be cut off yet"));
        throw error;
      }
      size += bytes.length;
      unsynced = true;
      torn = false;
    },
    sync,
    position: () => ({ file: file ? dayFileName(file.day) : "", offset: size }),
    async close() {
      const last = file;
      if (!last) return;
      try {
        await repair();
        await sync();
      } finally {
        file = undefined;
        await last.handle.close();
      }
    },
  };
}

const ignore = (): void => undefined;
