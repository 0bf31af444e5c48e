import { errorMessage, type Logger, type Random } from "../base/index.ts";
import { dayOf, linkCurrent, openLogFile } from "./log-file.ts";

/** Appends lines to the file of their day, whole or not at all. One call at a time. Throws what the system throws. */
export interface LogWriter {
  /** Opens the file of the day of `time` (ms since the epoch). */
  open(time: number): Promise<void>;
  /** Appends and returns when write(2) has taken all of it. A failed or short write leaves no part behind. */
  append(day: number, bytes: Buffer): Promise<void>;
  /** fsync of what was appended. After a failure the next append tries it again first. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A writer for `<directory>/<serverId>/`. */
export function createWriter(options: { readonly directory: string; readonly serverId: string; readonly random: Random; readonly logger: Logger }): LogWriter {
  const { directory, serverId, random, logger } = options;
  let file: Awaited<ReturnType<typeof openLogFile>> | undefined;
  let size = 0;
  let unsynced = false;
  let syncFailed = false;
  /** A write failed: after `size` bytes there may be part of a line. */
  let torn = false;

  async function sync(): Promise<void> {
    if (!file || !unsynced) return;
    unsynced = false;
    try {
      await file.handle.datasync();
      syncFailed = false;
    } catch (error) {
      unsynced = true;
      syncFailed = true;
      throw error;
    }
  }

  async function repair(): Promise<void> {
    if (!file) return;
    if (torn) await file.handle.truncate(size);
    torn = false;
    if (syncFailed) await sync();
  }

  async function turnTo(day: number): Promise<void> {
    if (file?.day === day) return;
    const next = await openLogFile(`${directory}/${serverId}`, day, logger);
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
    torn = false;
    await linkCurrent(directory, serverId, day, random, logger);
  }

  return {
    open: (time) => turnTo(dayOf(time)),
    async append(day, bytes) {
      await repair();
      await turnTo(day);
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
