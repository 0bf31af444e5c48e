import { errorMessage } from "../../base/index.ts";
import { recordingDigest } from "../../formats/index.ts";
import type { Teller } from "./gaps.ts";
import type { LogSource, Place } from "./types.ts";

const maxOpen = 1_000_000;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*){1,5}$/;

/** Whether a name of a recording stays below the log's directory. */
export function isRecordingName(name: unknown): name is string {
  return typeof name === "string" && name.length <= 512 && namePattern.test(name);
}

/** Follows sessions through a log: each start has its end, each end its recording. */
export class SessionCheck {
  recordings = 0;
  readonly #open = new Map<string, Place>();
  readonly #source: LogSource;
  readonly #tell: Teller;

  constructor(source: LogSource, tell: Teller) {
    this.#source = source;
    this.#tell = tell;
  }

  start(event: Readonly<Record<string, unknown>>, place: Place): void {
    const { sid } = event;
    if (typeof sid === "string" && this.#open.size < maxOpen) this.#open.set(sid, place);
  }

  async end(event: Readonly<Record<string, unknown>>, place: Place): Promise<void> {
    const { sid, recording } = event;
    if (typeof sid === "string") this.#open.delete(sid);
    if (typeof recording !== "object" || recording === null) return;
    const { file, bytes, sha256 } = recording as Record<string, unknown>;
    this.recordings += 1;
    if (!isRecordingName(file) || typeof bytes !== "number" || typeof sha256 !== "string") {
      this.#tell.finding("recording", place, "the session's end does not say which recording is its own");
      return;
    }
    const problem = await this.#problem(file, bytes, sha256);
    if (problem !== undefined) this.#tell.finding("recording", place, `recording ${file}: ${problem}`);
  }

  /** Tells of sessions that nothing has ended. */
  finish(): void {
    for (const [sid, place] of this.#open) this.#tell.note("open", place, `session ${sid.slice(0, 64)} has no end yet`);
  }

  async #problem(file: string, bytes: number, sha256: string): Promise<string | undefined> {
    try {
      const stream = await this.#source.recording(file);
      if (!stream) return "is gone";
      const found = await recordingDigest(stream);
      if (found.bytes + found.torn !== bytes) return `has ${found.bytes + found.torn} bytes; the session's end says ${bytes}`;
      return found.digest === sha256 ? undefined : "is not the one that was recorded: its digest is another";
    } catch (error) {
      return errorMessage(error);
    }
  }
}
