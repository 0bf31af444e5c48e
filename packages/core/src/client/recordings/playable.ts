import type { FileHandle } from "node:fs/promises";
import { createInterface } from "node:readline";
import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import { encodeRecordingResize, parseRecordingHeader, readRecording, type RecordingRecord, type RecordingSummary, type TerminalSize } from "../../formats/index.ts";

/** A recording that can be played from its beginning as often as wanted. Nothing of it is kept in memory. */
export interface Playable {
  readonly size: TerminalSize;
  /** A recording of Gatehouse's, not an asciicast. */
  readonly container: boolean;
  /** The session had a terminal. */
  readonly tty: boolean;
  /** ms of the last record. */
  readonly duration: number;
  /** It has its end, and nothing is cut off. */
  readonly complete: boolean;
  /** Where and how it is damaged, in words; only what comes before can be played. */
  readonly damage: string | undefined;
  /** Output, resizes and markers, in order, up to where it is damaged. A record's data is valid until the next one is asked for. */
  records(): AsyncIterable<RecordingRecord>;
}

const played = new Set(["o", "e", "r"]);

/**
 * Checks a recording (`.rec`) or an asciicast v2 file whole, and makes it playable. Throws `bad_parameter` where nothing of it can be played, and
 * for an asciicast that is damaged anywhere. The caller closes the file.
 */
export async function openPlayable(file: FileHandle): Promise<Playable> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  const isRecording = buffer.toString("latin1", 0, bytesRead) === "GHR1" || bytesRead === 0;
  return isRecording ? openRecording(file) : openAsciicast(file);
}

const block = 128 * 1024;

/** A file from its beginning. It stays open, also for whoever stops early: a stream of Node's would close it. */
export async function* fileBytes(file: FileHandle): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(block), 0, block, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function openRecording(file: FileHandle): Promise<Playable> {
  let header: ReturnType<typeof parseRecordingHeader> | undefined;
  let duration = 0;
  let complete = false;
  let damage: string | undefined;
  const records = readRecording(fileBytes(file));
  try {
    let step: IteratorResult<RecordingRecord, RecordingSummary> = await records.next();
    for (; step.done !== true; step = await records.next()) {
      if (step.value.type === "h") header = parseRecordingHeader(step.value.data);
      duration = Math.max(duration, step.value.at);
    }
    complete = step.value.complete;
  } catch (error) {
    if (!header || !isDamage(error)) throw error;
    damage = error.message;
  }
  if (!header) throw new GatehouseError("bad_parameter", "the recording is empty");
  return {
    size: { columns: header.width || 80, rows: header.height || 24 },
    container: true,
    tty: header.gatehouse.tty,
    duration,
    complete,
    damage,
    records: () => goodPart(file),
  };
}

/** Whether this says that the bytes of a recording are not what was written. */
function isDamage(error: unknown): error is GatehouseError {
  return error instanceof GatehouseError && error.code === "bad_parameter";
}

async function* goodPart(file: FileHandle): AsyncGenerator<RecordingRecord, void, void> {
  const records = readRecording(fileBytes(file));
  for (;;) {
    let step: IteratorResult<RecordingRecord, RecordingSummary>;
    try {
      step = await records.next();
    } catch (error) {
      if (isDamage(error)) return;
      throw error;
    }
    if (step.done === true) return;
    yield step.value;
  }
}

const maxLine = 16 * 1024 * 1024;
const castHeader = z.object({ version: z.literal(2), width: z.int().min(1).max(65_535), height: z.int().min(1).max(65_535) });
const castEvent = z.tuple([z.number().nonnegative(), z.string(), z.string()]);

async function openAsciicast(file: FileHandle): Promise<Playable> {
  let duration = 0;
  for await (const { at } of asciicastRecords(file)) duration = Math.max(duration, at);
  return { size: await asciicastSize(file), container: false, tty: true, duration, complete: true, damage: undefined, records: () => asciicastRecords(file) };
}

async function asciicastSize(file: FileHandle): Promise<TerminalSize> {
  for await (const line of lines(file)) {
    const { width, height } = parse(castHeader, line, 1);
    return { columns: width, rows: height };
  }
  throw new GatehouseError("bad_parameter", "the file is empty");
}

async function* asciicastRecords(file: FileHandle): AsyncGenerator<RecordingRecord, void, void> {
  let number = 0;
  for await (const line of lines(file)) {
    number++;
    if (number === 1) parse(castHeader, line, number);
    else if (line !== "") {
      const [seconds, code, text] = parse(castEvent, line, number);
      const at = Math.round(seconds * 1000);
      const size = /^(\d{1,5})x(\d{1,5})$/.exec(text);
      if (code === "o") yield { type: "o", at, data: Buffer.from(text) };
      else if (code === "r" && size) yield { type: "r", at, data: encodeRecordingResize({ columns: Number(size[1]), rows: Number(size[2]) }) };
    }
  }
}

async function* lines(file: FileHandle): AsyncGenerator<string, void, void> {
  async function* bounded(): AsyncGenerator<Buffer, void, void> {
    let length = 0;
    for await (const piece of fileBytes(file)) {
      const newline = piece.lastIndexOf(0x0a);
      length = newline < 0 ? length + piece.length : piece.length - newline;
      if (length > maxLine) throw new GatehouseError("limit_exceeded", `a line of the asciicast is longer than ${maxLine} bytes`);
      yield piece;
    }
  }
  const { Readable } = await import("node:stream");
  const source = Readable.from(bounded(), { objectMode: false });
  const failures: Error[] = [];
  source.on("error", (error) => failures.push(error));
  yield* createInterface({ input: source, crlfDelay: Infinity });
  // readline ends its lines where its source fails.
  const [failure] = failures;
  if (failure) throw failure;
}

function parse<T>(schema: z.ZodType<T>, line: string, number: number): T {
  const refuse = (cause: unknown): GatehouseError => new GatehouseError("bad_parameter", `the file is neither a recording nor an asciicast of version 2: line ${number} does not fit`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw refuse(error);
  }
  const result = schema.safeParse(value);
  if (!result.success) throw refuse(result.error);
  return result.data;
}

/** Whether the player shows this record. Markers would get into the screen of a terminal: where there was one, exports have them. */
export function isPlayed({ type }: RecordingRecord, { tty }: Pick<Playable, "tty">): boolean {
  return played.has(type) || (type === "m" && !tty);
}
