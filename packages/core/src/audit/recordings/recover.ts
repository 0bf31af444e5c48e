import { constants, createReadStream } from "node:fs";
import { open, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { errorMessage, systemErrorCode, type Logger } from "../../base/index.ts";
import {
  RecordingReader,
  encodeChunk,
  encodeRecordingJson,
  parseRecordingEnd,
  parseRecordingHeader,
  type RecordedSession,
  type RecordingChain,
  type RecordingEnd,
} from "../../formats/index.ts";
import { auditEvents } from "../events.ts";
import type { AuditLog } from "../types.ts";
import { endedSuffix, liveSuffix, syncFolder } from "./disk.ts";
import { sessionEnd } from "./events.ts";

interface Recovery {
  /** Where recordings are. */
  readonly folder: string;
  /** The same, below the directory of logs. */
  readonly below: string;
  /** Where this gateway's log files are. */
  readonly directory: string;
  readonly audit: AuditLog;
  readonly logger: Logger;
}

/** What is good of a file. */
interface Found {
  readonly session: RecordedSession;
  readonly chain: RecordingChain;
  readonly bytes: number;
  readonly size: number;
  /** When its last record was, ms since the session's start. */
  readonly last: number;
  readonly end: RecordingEnd | undefined;
}

const interrupted: RecordingEnd = { reason: "the gateway died during the session", interrupted: true };

/**
 * Closes the recordings that a gateway which died has left open: what a crash has torn is cut off, an end is written, the log is told, and the
 * file gets its lasting name. In this order, so that dying at any point loses nothing and tells nothing twice.
 */
export async function recoverRecordings(recovery: Recovery): Promise<void> {
  const { folder, logger } = recovery;
  const names = (await readdir(folder).catch(noneIfMissing)).filter((name) => name.endsWith(liveSuffix));
  for (const name of names) {
    try {
      await recoverOne(recovery, join(folder, name), name.slice(0, -liveSuffix.length));
    } catch (error) {
      logger.error({ path: join(folder, name), error: errorMessage(error) }, "a recording that an earlier run left open could not be closed");
    }
  }
  if (names.length > 0) await syncFolder(folder);
}

async function recoverOne(recovery: Recovery, path: string, sid: string): Promise<void> {
  const { folder, below, audit, logger } = recovery;
  const found = await examine(path);
  if (found === undefined) {
    // Its header was not whole: the session had not begun.
    logger.warn({ path }, "a recording without a beginning was removed");
    await unlink(path);
    return;
  }
  const { end = interrupted, size } = found;
  const closed = await closeFile(path, found);
  if (found.end === undefined || !(await isAudited(recovery.directory, sid, (await stat(path)).mtimeMs))) {
    await audit.emit(
      sessionEnd(found.session, {
        reason: end.reason,
        exitCode: end.exitCode,
        interrupted: end.interrupted ?? false,
        duration: found.last,
        recording: { file: join(below, `${sid}${endedSuffix}`), ...closed },
        ...(size > found.bytes ? { cut: size - found.bytes } : {}),
      }),
    );
  }
  await rename(path, join(folder, `${sid}${endedSuffix}`));
  logger.info({ sid, cut: size - found.bytes }, "a recording that an earlier run left open was closed");
}

/** Reads as far as it is good. Undefined where not even the header is. */
async function examine(path: string): Promise<Found | undefined> {
  const reader = new RecordingReader();
  let session: RecordedSession | undefined;
  let last = 0;
  let end: RecordingEnd | undefined;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) {
      for (const record of reader.feed(piece as Buffer)) {
        last = Math.max(last, record.at);
        if (record.type === "h") session = parseRecordingHeader(record.data).gatehouse;
        else if (record.type === "x") end = parseRecordingEnd(record.data);
      }
    }
  } catch (error) {
    // What is damaged, and what comes after it, is cut off like what is torn; a disk that cannot be read is not.
    if (reader.damage === undefined) throw error;
  }
  if (session === undefined || reader.bytes === 0) return undefined;
  return { session, chain: reader.chain, bytes: reader.bytes, size: (await stat(path)).size, last, end };
}

async function closeFile(path: string, { chain, bytes, last, end }: Found): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    await handle.truncate(bytes);
    let sum = { bytes, sha256: chain.hash.toString("hex") };
    if (end === undefined) {
      const chunk = encodeChunk(chain, [{ type: "x", at: last, data: encodeRecordingJson(interrupted) }]);
      const { bytesWritten } = await handle.write(chunk, 0, chunk.length, bytes);
      if (bytesWritten !== chunk.length) throw new Error(`the file took only ${bytesWritten} of ${chunk.length} bytes`);
      // The hash stands in the chunk's own header.
      sum = { bytes: bytes + chunk.length, sha256: chunk.toString("hex", 12, 44) };
    }
    await handle.datasync();
    return sum;
  } finally {
    await handle.close();
  }
}

const dayMs = 86_400_000;

/** Whether the log already tells that this session has ended; asked only where a gateway died right at an end. */
async function isAudited(directory: string, sid: string, since: number): Promise<boolean> {
  const from = new Date(since - dayMs).toISOString().slice(0, 10);
  const files = (await readdir(directory).catch(noneIfMissing)).filter((name) => name.endsWith(".log") && name.slice(0, 10) >= from).sort();
  for (const name of files) {
    for await (const line of createInterface({ input: createReadStream(join(directory, name)), crlfDelay: Infinity })) {
      if (line.includes(sid) && line.includes(`"${auditEvents.sessionEnd.event}"`)) return true;
    }
  }
  return false;
}

function noneIfMissing(error: unknown): string[] {
  if (systemErrorCode(error) === "ENOENT") return [];
  throw error;
}
