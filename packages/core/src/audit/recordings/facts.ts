import type { FileHandle } from "node:fs/promises";
import { GatehouseError } from "../../base/index.ts";
import { parseRecordingEnd, parseRecordingHeader, recordingFormat } from "../../formats/index.ts";
import type { RecordedSession, RecordingEnd, TerminalSize } from "../../formats/index.ts";

const { chunkHeader, recordHeader, maxPayload, maxJson, magic } = recordingFormat;

/** What a recording says of itself. Its checksums are for whoever reads it whole. */
export interface RecordingFacts {
  readonly session: RecordedSession;
  readonly size: TerminalSize;
  /** Bytes of the file. */
  readonly bytes: number;
  /** ms from the start to the last record. */
  readonly duration: number;
  /** Absent where the recording has no end. */
  readonly end: RecordingEnd | undefined;
}

/** Reads header and end of a recording: some bytes of each chunk, and the last one. Throws `bad_parameter` where it is none. */
export async function readRecordingFacts(file: FileHandle): Promise<RecordingFacts> {
  const { size } = await file.stat();
  const header = parseRecordingHeader((await recordAt(file, chunkHeader, "h")).data);
  const { last, torn } = await findLastChunk(file, size);
  const records = await readExactly(file, last.start + chunkHeader, last.length);
  let final = { type: 0, at: 0, data: records.subarray(0, 0) };
  for (let at = 0; at + recordHeader <= records.length; ) {
    const length = records.readUInt32BE(at + 5);
    final = { type: records.readUInt8(at), at: records.readUInt32BE(at + 1), data: records.subarray(at + recordHeader, at + recordHeader + length) };
    at += recordHeader + length;
  }
  const ended = final.type === "x".charCodeAt(0) && !torn;
  return {
    session: header.gatehouse,
    size: { columns: header.width, rows: header.height },
    bytes: size,
    duration: final.at,
    end: ended ? parseRecordingEnd(final.data) : undefined,
  };
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

async function recordAt(file: FileHandle, at: number, type: string): Promise<{ readonly data: Buffer }> {
  const header = await readExactly(file, at, recordHeader);
  const length = header.readUInt32BE(5);
  if (header.readUInt8(0) !== type.charCodeAt(0) || length > maxJson) throw damaged(0);
  return { data: await readExactly(file, at + recordHeader, length) };
}

async function readExactly(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, at);
  if (bytesRead !== length) throw damaged(at);
  return buffer;
}

function damaged(at: number): GatehouseError {
  return new GatehouseError("bad_parameter", `the file is no recording: no chunk at byte ${at}`);
}
