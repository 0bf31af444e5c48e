import { constants, createReadStream } from "node:fs";
import { open, rename, rm, stat, unlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { errorMessage, syncDirectory, systemErrorCode, type Logger } from "../../base/index.ts";
import {
  RecordingReader,
  encodeChunk,
  encodeRecordingJson,
  parseRecordingEnd,
  parseRecordingHeader,
  type RecordedSession,
  type RecordingChain,
  type RecordingDamage,
  type RecordingEnd,
} from "../../formats/index.ts";
import type { EventFields } from "../events.ts";
import type { AuditLog } from "../types.ts";
import { damagedSuffix, endedSuffix, liveSuffix, partSuffix } from "./disk.ts";
import { sessionEnd, sessionLost } from "./events.ts";
import { readTold, type Left, type Told } from "./left.ts";

interface Recovery {
  /** Where recordings are. */
  readonly folder: string;
  /** The same, below the directory of logs. */
  readonly below: string;
  readonly audit: AuditLog;
  readonly logger: Logger;
}

/** What is good of a file. */
interface Found {
  /** Absent where not even the header is good. */
  readonly session: RecordedSession | undefined;
  readonly chain: RecordingChain;
  readonly bytes: number;
  readonly size: number;
  /** When its last record was, ms since the session's start. */
  readonly last: number;
  readonly end: RecordingEnd | undefined;
  /** What no crash does. */
  readonly damage: RecordingDamage | undefined;
}

const interrupted: RecordingEnd = { reason: "the gateway died during the session", interrupted: true };
const block = 256 * 1024;

/**
 * Closes what a gateway that died has left open. Of a live recording, what a crash has torn is cut off, an end is written, the log is told, and the
 * file gets its lasting name; in this order, so that dying at any point loses nothing and tells nothing twice. One that is damaged otherwise is kept
 * as it is beside what is good of it. A session that has neither recording nor end is told to have ended.
 */
export async function recoverRecordings(recovery: Recovery, left: Left): Promise<void> {
  const { folder, logger } = recovery;
  const told = await readTold(left);
  const done = new Set<string>();
  for (const sid of left.live) {
    const path = join(folder, `${sid}${liveSuffix}`);
    try {
      if (await recoverOne(recovery, path, sid, told)) done.add(sid);
    } catch (error) {
      done.add(sid);
      logger.error({ path, error: errorMessage(error) }, "a recording that an earlier run left open could not be closed");
    }
  }
  for (const [sid, start] of told.open) if (!done.has(sid)) await endLost(recovery, sid, start);
  if (left.live.length > 0) await syncDirectory(folder);
}

/** False where nothing of the recording is good. */
async function recoverOne(recovery: Recovery, path: string, sid: string, told: Told): Promise<boolean> {
  const { folder, below, audit, logger } = recovery;
  const found = await examine(path);
  const { session, damage, end = interrupted, size } = found;
  if (session === undefined) {
    const known = told.open.has(sid) || damage !== undefined;
    logger.warn({ path, size }, known ? "a recording without a good beginning was put aside" : "a recording without a beginning, of a session that had not begun, was removed");
    await (known && size > 0 ? rename(path, join(folder, `${sid}${damagedSuffix}`)) : unlink(path));
    return false;
  }
  const part = join(folder, `${sid}${partSuffix}`);
  const closed = damage === undefined ? await closeFile(path, found) : await copyGood(path, part, found);
  if ((found.end === undefined && damage === undefined) || !told.ended.has(sid)) {
    await audit.emit(
      sessionEnd(session, {
        reason: end.reason,
        exitCode: end.exitCode,
        interrupted: end.interrupted ?? false,
        duration: found.last,
        recording: { file: join(below, `${sid}${endedSuffix}`), ...closed },
        ...(damage === undefined && size > found.bytes ? { cut: size - found.bytes } : {}),
        damaged: damage,
      }),
    );
  }
  if (damage === undefined) {
    await rename(path, join(folder, `${sid}${endedSuffix}`));
    logger.info({ sid, cut: size - found.bytes }, "a recording that an earlier run left open was closed");
  } else {
    await rename(part, join(folder, `${sid}${endedSuffix}`));
    await rename(path, join(folder, `${sid}${damagedSuffix}`));
    logger.error({ sid, chunk: damage.chunk, offset: damage.offset }, "a recording that an earlier run left open is damaged: it is kept as it is, beside what is good of it");
  }
  return true;
}

/** Tells the end of a session that has no live recording. */
async function endLost({ folder, below, audit, logger }: Recovery, sid: string, start: EventFields): Promise<void> {
  try {
    const file = `${sid}${endedSuffix}`;
    // Its end was told, and a power failure took that from the log.
    const found = start["recorded"] === true ? await examine(join(folder, file)).catch(undefinedIfMissing) : undefined;
    if (found?.session?.sid === sid && found.damage === undefined && found.end !== undefined) {
      const { session, end, last, bytes, chain } = found;
      await audit.emit(sessionEnd(session, { ...end, duration: last, recording: { file: join(below, file), bytes, sha256: chain.hash.toString("hex") } }));
      return;
    }
    logger.error({ sid, recorded: start["recorded"] === true }, "a session of an earlier run has no end, and no recording to close");
    await audit.emit(sessionLost(start, start["recorded"] === true ? "its recording is gone" : interrupted.reason));
  } catch (error) {
    logger.error({ sid, error: errorMessage(error) }, "the end of a session of an earlier run could not be told");
  }
}

/** Reads as far as it is good. */
async function examine(path: string): Promise<Found> {
  const reader = new RecordingReader();
  let session: RecordedSession | undefined;
  let last = 0;
  let end: RecordingEnd | undefined;
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    for await (const piece of file.createReadStream({ highWaterMark: block })) {
      for (const record of reader.feed(piece as Buffer)) {
        last = Math.max(last, record.at);
        if (record.type === "h") session = parseRecordingHeader(record.data).gatehouse;
        else if (record.type === "x") end = parseRecordingEnd(record.data);
      }
    }
    reader.end();
  } catch (error) {
    // A disk that cannot be read is another matter.
    if (reader.damage === undefined) throw error;
  }
  const { bytes } = reader;
  const { size } = await stat(path);
  // A file may be longer than what was written to it before power failed.
  const damage = reader.damage !== undefined && !(await isZero(path, bytes)) ? reader.damage : undefined;
  return { session: bytes === 0 ? undefined : session, chain: reader.chain, bytes, size, last, end, damage };
}

async function isZero(path: string, start: number): Promise<boolean> {
  for await (const piece of createReadStream(path, { start, highWaterMark: block })) if ((piece as Buffer).some((byte) => byte !== 0)) return false;
  return true;
}

async function closeFile(path: string, found: Found): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    if (found.size > found.bytes) await handle.truncate(found.bytes);
    return await finish(handle, found);
  } finally {
    await handle.close();
  }
}

/** Copies what is good of a damaged recording, and ends the copy. */
async function copyGood(path: string, part: string, found: Found): Promise<{ readonly bytes: number; readonly sha256: string }> {
  await rm(part, { force: true });
  const handle = await open(part, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW, 0o640);
  try {
    let at = 0;
    for await (const piece of createReadStream(path, { end: found.bytes - 1, highWaterMark: block })) at += await writeAll(handle, piece as Buffer, at);
    return await finish(handle, found);
  } finally {
    await handle.close();
  }
}

/** Writes an end where there is none, and has it all on the disk. */
async function finish(handle: FileHandle, { chain, bytes, last, end }: Found): Promise<{ readonly bytes: number; readonly sha256: string }> {
  let sum = { bytes, sha256: chain.hash.toString("hex") };
  if (end === undefined) {
    const chunk = encodeChunk(chain, [{ type: "x", at: last, data: encodeRecordingJson(interrupted) }]);
    // The hash stands in the chunk's own header.
    sum = { bytes: bytes + (await writeAll(handle, chunk, bytes)), sha256: chunk.toString("hex", 12, 44) };
  }
  await handle.datasync();
  return sum;
}

async function writeAll(handle: FileHandle, bytes: Buffer, position: number): Promise<number> {
  const { bytesWritten } = await handle.write(bytes, 0, bytes.length, position);
  if (bytesWritten !== bytes.length) throw new Error(`the file took only ${bytesWritten} of ${bytes.length} bytes`);
  return bytesWritten;
}

function undefinedIfMissing(error: unknown): undefined {
  if (systemErrorCode(error) === "ENOENT") return undefined;
  throw error;
}
