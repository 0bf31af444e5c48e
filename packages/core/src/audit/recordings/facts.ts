import type { FileHandle } from "node:fs/promises";
import { GatehouseError } from "../../base/index.ts";
import { parseRecordingEnd, parseRecordingHeader, recordingFormat } from "../../formats/index.ts";
import type { RecordedSession, RecordingEnd, RecordingHeader, TerminalSize } from "../../formats/index.ts";

const { chunkHeader, recordHeader, maxPayload, maxJson, magic } = recordingFormat;

/** What a recording says of itself. Its checksums are for whoever reads it whole. */
export interface RecordingFacts {
  readonly session: RecordedSession;
  readonly size: TerminalSize;
  /** Bytes of the file. */
  readonly bytes: number;
  /** ms from the start to the last record that can be found. */
  readonly duration: number;
  /** Absent where the recording has no end. */
  readonly end: RecordingEnd | undefined;
  /** What is wrong with it, in words, where that shows without reading it whole. */
  readonly problem: string | undefined;
}

/** Bytes that most headers are within. */
const mostHeaders = 4096;

/** Reads the header of a recording. Throws `bad_parameter` where there is none. */
export async function readRecordingHeader(file: FileHandle): Promise<RecordingHeader> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(mostHeaders), 0, mostHeaders, 0);
  const start = chunkHeader + recordHeader;
  if (bytesRead < start || buffer.readUInt32BE(0) !== magic || buffer.readUInt8(chunkHeader) !== "h".charCodeAt(0)) throw noRecording(0);
  const length = buffer.readUInt32BE(chunkHeader + 5);
  if (length > maxJson) throw noRecording(0);
  return parseRecordingHeader(start + length <= bytesRead ? buffer.subarray(start, start + length) : await readExactly(file, start, length));
}

/** Reads header and end of a recording: some bytes of each chunk, and the last one. Throws `bad_parameter` where it has no header. */
export async function readRecordingFacts(file: FileHandle): Promise<RecordingFacts> {
  const { size } = await file.stat();
  const header = await readRecordingHeader(file);
  const about = { session: header.gatehouse, size: { columns: header.width, rows: header.height }, bytes: size };
  try {
    return { ...about, ...(await readEnd(file, size)), problem: undefined };
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    return { ...about, duration: 0, end: undefined, problem: error.message };
  }
}

async function readEnd(file: FileHandle, size: number): Promise<{ readonly duration: number; readonly end: RecordingEnd | undefined }> {
  const { last, torn } = await findLastChunk(file, size);
  const records = await readExactly(file, last.start + chunkHeader, last.length);
  let final = { type: 0, at: 0, data: records.subarray(0, 0) };
  for (let at = 0; at + recordHeader <= records.length; ) {
    const length = records.readUInt32BE(at + 5);
    final = { type: records.readUInt8(at), at: records.readUInt32BE(at + 1), data: records.subarray(at + recordHeader, at + recordHeader + length) };
    at += recordHeader + length;
  }
  const ended = final.type === "x".charCodeAt(0) && !torn;
  return { duration: final.at, end: ended ? parseRecordingEnd(final.data) : undefined };
}

interface ChunkPlace {
  readonly start: number;
  readonly length: number;
}

/** Goes from chunk to chunk by their lengths: where the last one begins cannot be told from the end. */
async function findLastChunk(file: FileHandle, size: number): Promise<{ readonly last: ChunkPlace; readonly torn: boolean }> {
  let last: ChunkPlace | undefined;
  let at = 0;
  while (at + chunkHeader <= size) {
    const header = await readExactly(file, at, 8);
    const length = header.readUInt32BE(4);
    if (header.readUInt32BE(0) !== magic || length > maxPayload) throw damaged(at);
    if (at + chunkHeader + length > size) break;
    last = { start: at, length };
    at += chunkHeader + length;
  }
  if (!last) throw damaged(0);
  return { last, torn: at !== size };
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at);
  if (bytesRead !== length) throw damaged(at);
  return buffer;
}

function noRecording(at: number): GatehouseError {
  return new GatehouseError("bad_parameter", `the file is no recording: no chunk at byte ${at}`);
}

function damaged(at: number): GatehouseError {
  return new GatehouseError("bad_parameter", `the recording is damaged: no chunk at byte ${at}`);
}
