import { open, stat, type FileHandle } from "node:fs/promises";
import { GatehouseError, systemClock, systemErrorCode } from "@gatehouse/core/base";
import { openSession, type SessionChoice } from "@gatehouse/core/client";
import { fetchRecording, findRecording } from "@gatehouse/core/client/recordings";
import type { Output } from "@gatehouse/core/client/terminal";

/** An open recording, with its way to be let go. */
export interface OpenedRecording {
  readonly file: FileHandle;
  close(): Promise<void>;
}

/** The file of this name, or undefined where there is none and the word can be a session id. */
async function localFile(word: string): Promise<OpenedRecording | undefined> {
  const isPath = /[/\\]|\.(?:rec|cast)$/.test(word);
  const found = await stat(word).catch((error: unknown) => {
    if (isPath && systemErrorCode(error) === "ENOENT") throw new GatehouseError("not_found", `${word} does not exist`);
    if (isPath) throw error;
    return undefined;
  });
  if (!found?.isFile()) {
    if (isPath) throw new GatehouseError("bad_parameter", `${word} is not a file`);
    return undefined;
  }
  const file = await open(word, "r");
  return { file, close: () => file.close() };
}

/** Opens a recording by session id (a unique beginning is enough) or file name. What comes from the gateway shows its progress on a terminal. */
export async function openRecordingOf(word: string, login: SessionChoice, output: Output): Promise<OpenedRecording> {
  const local = await localFile(word);
  if (local) return local;
  const { admin } = await openSession(process.env, login, systemClock.now());
  const answer = await admin.recording(await findRecording(admin, word));
  const progress = progressOf(output, answer.length);
  try {
    return await fetchRecording(answer, progress.show);
  } finally {
    progress.stop();
  }
}

const mebibyte = 1024 * 1024;
const period = 100;

/** A line on the terminal that says how much of a download has come, once it takes longer than a second. */
export function progressOf(output: Output, length: number | undefined): { readonly show: (bytes: number) => void; stop(): void } {
  const started = performance.now();
  let drawn = started + 1000 - period;
  let visible = false;
  return {
    show(bytes) {
      const now = performance.now();
      if (!output.animated || now - drawn < period) return;
      drawn = now;
      visible = true;
      const of = length === undefined || length === 0 ? "" : ` of ${(length / mebibyte).toFixed(1)} MiB, ${Math.floor((100 * bytes) / length)} %`;
      output.stderr.write(`\r\x1b[2K${(bytes / mebibyte).toFixed(1)}${of === "" ? " MiB" : of}`);
    },
    stop() {
      if (visible) output.stderr.write("\r\x1b[2K");
    },
  };
}

/** Writes to standard output as fast as it takes it. */
export function writeSlowly(text: string): Promise<void> {
  if (text === "") return Promise.resolve();
  return new Promise((resolve, reject) => process.stdout.write(text, (error) => (error ? reject(error) : resolve())));
}

/** Lets `work` write to standard output; a reader that has gone (`| head`) is no error. */
export async function toStandardOutput<T>(work: () => Promise<T>): Promise<T | undefined> {
  // Each write tells its own failure.
  const ignore = (): void => undefined;
  process.stdout.on("error", ignore);
  try {
    return await work();
  } catch (error) {
    if (systemErrorCode(error) === "EPIPE") return undefined;
    throw error;
  }
}
