import { appendFile, rename, rm, stat } from "node:fs/promises";
import { errorMessage, escapeLine, systemErrorCode, type Clock } from "@gatehouse/core/base";

/** The agent's own log: one line an event, in a file that never grows beyond a bound. */
export interface AgentLog {
  write(text: string): void;
  /** Resolves when all is written. */
  close(): Promise<void>;
}

/** Bytes of both files together. */
const maxLog = 1024 * 1024;
/** Lines that may wait for a disk that is slow. */
const maxWaiting = 1000;

/** Writes to `path`, and keeps the half before as `path.1`. What cannot be written is told to `onError` once: an agent without a log works. */
export function openLog(path: string, clock: Clock, onError: (text: string) => void): AgentLog {
  let waiting = 0;
  let lost = 0;
  let failed = false;
  let size: number | undefined;
  let last = Promise.resolve();

  async function append(line: string): Promise<void> {
    size ??= (await stat(path).catch((error: unknown) => {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    }))?.size ?? 0;
    if (size + line.length > maxLog / 2) {
      await rm(`${path}.1`, { force: true });
      if (size > 0) await rename(path, `${path}.1`);
      size = 0;
    }
    await appendFile(path, line, { mode: 0o600 });
    size += Buffer.byteLength(line);
  }

  function queue(text: string): void {
    waiting++;
    const line = `${new Date(clock.now()).toISOString()} ${process.pid} ${escapeLine(text.slice(0, 2000))}\n`;
    last = last
      .then(() => append(line))
      .catch((error: unknown) => {
        if (!failed) onError(`the log ${path} cannot be written: ${errorMessage(error)}`);
        failed = true;
      })
      .finally(() => waiting--);
  }

  return {
    write(text) {
      if (waiting >= maxWaiting) {
        lost++;
        return;
      }
      if (lost > 0) queue(`${lost} lines before this one could not be written in time`);
      lost = 0;
      queue(text);
    },
    close: () => last,
  };
}
