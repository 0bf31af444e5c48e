import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { RecordingReader, parseRecordingEnd, parseRecordingHeader, parseRecordingMarker, parseRecordingResize } from "@gatehouse/core/formats";
import type { RecordingEnd, RecordingHeader, RecordingMarker, RecordingSummary, TerminalSize } from "@gatehouse/core/formats";

/** A recording, read whole: for tests alone. */
export interface PlayedRecording {
  readonly header: RecordingHeader;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly stdin: Buffer;
  readonly sizes: readonly TerminalSize[];
  readonly markers: readonly RecordingMarker[];
  readonly end: RecordingEnd | undefined;
  readonly summary: RecordingSummary;
}

/** Reads a recording and checks every chunk of it. */
export async function playRecording(path: string): Promise<PlayedRecording> {
  const reader = new RecordingReader();
  const streams = { o: [] as Buffer[], e: [] as Buffer[], i: [] as Buffer[] };
  const sizes: TerminalSize[] = [];
  const markers: RecordingMarker[] = [];
  let header: RecordingHeader | undefined;
  let end: RecordingEnd | undefined;
  for (const { type, data } of reader.feed(await readFile(path))) {
    if (type === "o" || type === "e" || type === "i") streams[type].push(Buffer.from(data));
    else if (type === "h") header = parseRecordingHeader(data);
    else if (type === "r") sizes.push(parseRecordingResize(data));
    else if (type === "m") markers.push(parseRecordingMarker(data));
    else if (type === "x") end = parseRecordingEnd(data);
  }
  const summary = reader.end();
  if (header === undefined) throw new Error(`${path} has no header`);
  return { header, stdout: Buffer.concat(streams.o), stderr: Buffer.concat(streams.e), stdin: Buffer.concat(streams.i), sizes, markers, end, summary };
}

/** The recording that an event `session.end` names. The file gets its lasting name a moment after the event is in the log: it is waited for. */
export async function recordingOf(dataDir: string, event: Readonly<Record<string, unknown>>): Promise<PlayedRecording> {
  const path = join(dataDir, "log", (event["recording"] as { readonly file: string }).file);
  await expect.poll(() => existsSync(path), { message: path }).toBe(true);
  return playRecording(path);
}
