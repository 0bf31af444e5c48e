import { GatehouseError } from "../../base/index.ts";
import { createAsciicastExport, createJsonExport, readRecording, type RecordingExport, type RecordingSummary } from "../../formats/index.ts";
import { createTranscript } from "./transcript.ts";
import type { Playable } from "./playable.ts";

/** Formats that a recording can be had in: asciicast v2, JSON lines, plain text. */
export const exportFormats = ["cast", "json", "text"] as const;
export type ExportFormat = (typeof exportFormats)[number];

const makers: Readonly<Record<ExportFormat, () => RecordingExport>> = { cast: createAsciicastExport, json: createJsonExport, text: createTranscript };
const enough = 64 * 1024;

/** {@link exportRecording} as text of an asciicast. */
export async function exportAsciicastText(recording: Playable, write: (text: string) => Promise<void>): Promise<void> {
  const target = createTranscript();
  for await (const record of recording.records()) await write(target.write(record));
  await write(target.end(true));
}

/**
 * Writes a recording's container in another format, piece by piece: `write` is awaited. Throws `bad_parameter` that names chunk and byte where
 * it is damaged; what came before has been written then, and that it is cut off.
 */
export async function exportRecording(source: AsyncIterable<Uint8Array>, format: ExportFormat, write: (text: string) => Promise<void>): Promise<RecordingSummary> {
  const target = makers[format]();
  const records = readRecording(source);
  let text = "";
  let begun = false;
  try {
    let step = await records.next();
    for (; step.done !== true; step = await records.next()) {
      text += target.write(step.value);
      begun = true;
      if (text.length >= enough) {
        await write(text);
        text = "";
      }
    }
    if (step.value.bytes === 0) throw new GatehouseError("bad_parameter", "the recording is empty");
    text += target.end(step.value.complete);
    await write(text);
    return step.value;
  } catch (error) {
    if (begun && error instanceof GatehouseError && error.code === "bad_parameter") await write(text + target.end(false));
    throw error;
  }
}
