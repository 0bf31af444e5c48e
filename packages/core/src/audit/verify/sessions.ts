import { errorMessage } from "../../base/index.ts";
import { RecordingReader } from "../../formats/index.ts";
import type { Teller } from "./gaps.ts";
import type { LogSource, Place } from "./types.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Sessions that are open at once, and those whose end names a recording. */
const maxOpen = 100_000;
const maxNamed = 2_000_000;
const maxGone = 100_000;
const sidText = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const sidPattern = new RegExp(`^${sidText}$`);
const namePattern = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}/sessions/default/${sidText}\\.rec$`);

/** Whether this is the name of a recording below the log's directory: `<server id>/sessions/default/<session id>.rec`. */
export function isRecordingName(name: unknown): name is string {
  return typeof name === "string" && namePattern.test(name);
}

/** A place within a recording, and the digest of all before it. */
interface Stretch {
  readonly bytes: number;
  readonly sha256: string;
}

interface OpenSession {
  readonly place: Place;
  readonly chain: string;
  readonly recorded: boolean;
  /** What a `session.digest` said last of its recording. */
  digest?: Stretch;
}

/** What is known of a log at its end, for {@link SessionCheck.finish}. */
export interface LogEnd {
  /** Whether all sessions of a chain must have ended: it was closed, or a process after it has signed already. */
  readonly over: (chain: string) => boolean;
  /** Whether this day's file is the one that a pruning was about to take away. */
  readonly pruned: (place: Place) => boolean;
  /** Earlier or later days were not looked at, or have been pruned. */
  readonly partial: boolean;
  readonly later: boolean;
}

/** Follows sessions through a log: each start has its end, each end its recording, each recording its end. */
export class SessionCheck {
  recordings = 0;
  readonly #open = new Map<string, OpenSession>();
  readonly #named = new Set<string>();
  readonly #gone: { readonly place: Place; readonly text: string }[] = [];
  readonly #source: LogSource;
  readonly #tell: Teller;

  constructor(source: LogSource, tell: Teller) {
    this.#source = source;
    this.#tell = tell;
  }

  start(event: Fields, chain: string, place: Place): void {
    const { sid, recorded } = event;
    if (typeof sid !== "string" || !sidPattern.test(sid)) return;
    if (this.#open.size < maxOpen) this.#open.set(sid, { place, chain, recorded: recorded === true });
    else if (!this.#open.has(sid)) this.#tell.finding("many", place, `more than ${maxOpen} sessions are open here: whether this one ends is not looked at`);
  }

  /** Takes what a live recording was when the next checkpoint was signed. */
  digest(event: Fields): void {
    const { recordings } = event;
    if (!Array.isArray(recordings)) return;
    for (const one of recordings as readonly unknown[]) {
      const { sid, bytes, sha256 } = typeof one === "object" && one !== null ? (one as Fields) : {};
      const session = typeof sid === "string" ? this.#open.get(sid) : undefined;
      if (session && typeof bytes === "number" && typeof sha256 === "string" && bytes > (session.digest?.bytes ?? 0)) session.digest = { bytes, sha256: sha256.slice(0, 64) };
    }
  }

  gap(event: Fields, place: Place): void {
    const { sid, bytes, over, error } = event;
    if (over === true) this.#tell.note("gap", place, `${textOf(bytes)} bytes of session ${textOf(sid)} are missing from its recording: ${textOf(error)}`);
  }

  async end(event: Fields, place: Place): Promise<void> {
    const { sid, recording, cut, damaged, reason } = event;
    const session = typeof sid === "string" ? this.#open.get(sid) : undefined;
    if (typeof sid === "string") this.#open.delete(sid);
    if (typeof recording !== "object" || recording === null) {
      if (session?.recorded === true) this.#tell.finding("recording", place, `session ${textOf(sid)} was recorded, and its end names no recording: ${textOf(reason)}`);
      return;
    }
    const { file, bytes, sha256, complete } = recording as Fields;
    this.recordings += 1;
    if (!isRecordingName(file) || file !== `${this.#source.server}/sessions/default/${textOf(sid)}.rec` || typeof bytes !== "number" || typeof sha256 !== "string") {
      this.#tell.finding("recording", place, "the session's end does not say which recording is its own");
      return;
    }
    if (this.#named.size < maxNamed) this.#named.add(file);
    if (complete === false) this.#tell.note("gap", place, `recording ${file} does not have all that passed`);
    if (typeof cut === "number") this.#tell.note("torn", place, `${cut} bytes at the end of recording ${file} were torn by a crash and cut off`);
    if (typeof damaged === "object" && damaged !== null) {
      const { chunk, offset } = damaged as Fields;
      this.#tell.finding("recording", place, `recording ${file} was found damaged after a crash, at chunk ${textOf(chunk)}, byte ${textOf(offset)}: what it was then is beside it, as .damaged`);
    }
    const problem = await this.#problem(file, { bytes, sha256 }, session?.digest);
    if (problem === gone) {
      if (this.#gone.length < maxGone) this.#gone.push({ place, text: `recording ${file}: ${gone}` });
    } else if (problem !== undefined) this.#tell.finding("recording", place, `recording ${file}: ${problem}`);
  }

  /** Tells of what is left: sessions without an end, ends without a recording, recordings without an end. */
  async finish(log: LogEnd): Promise<void> {
    for (const { place, text } of this.#gone) if (!log.pruned(place)) this.#tell.finding("recording", place, text);
    for (const [sid, { place, chain }] of this.#open) {
      if (log.over(chain) && !log.later) this.#tell.finding("session", place, `session ${sid} has no end, though the process that carried it has ended`);
      else this.#tell.note("open", place, `session ${sid} has no end yet`);
    }
    await this.#unnamed(log);
  }

  async #unnamed(log: LogEnd): Promise<void> {
    const names = (this.#source.recordings ?? []).filter((name) => !this.#named.has(name));
    let outside = 0;
    for (const name of names) {
      const sid = name.slice(name.lastIndexOf("/") + 1).replace(/\.[a-z]+$/, "");
      if (name.endsWith(".live")) {
        if (!this.#open.has(sid) && !log.partial && !log.later) this.#tell.note("open", undefined, `${name} is the recording of a session that the log does not know, or not yet`);
      } else if (namePattern.test(name)) {
        if (log.partial || log.later || this.#named.size >= maxNamed) outside += 1;
        else if (!this.#open.has(sid) && !this.#tell.full && (await this.#isThere(name))) this.#tell.finding("added", undefined, `${name} is a recording that no session's end names`);
      } else if (!name.endsWith(".damaged")) this.#tell.note("open", undefined, `${name} is no recording`);
    }
    if (outside > 0) this.#tell.note("begins", undefined, `${outside} recording${outside === 1 ? " is" : "s are"} of sessions that ended on days that are not looked at or are pruned, or of none`);
  }

  async #isThere(name: string): Promise<boolean> {
    const stream = await this.#source.recording(name);
    // What is not read to its end, or left, stays open.
    for await (const bytes of stream ?? []) if (bytes.byteLength > 0) break;
    return stream !== undefined;
  }

  async #problem(file: string, whole: Stretch, part: Stretch | undefined): Promise<string | undefined> {
    try {
      const stream = await this.#source.recording(file);
      if (!stream) return gone;
      const reader = new RecordingReader();
      let seen = part === undefined;
      for await (const bytes of stream) {
        const records = reader.feed(bytes);
        while (records.next().done !== true) seen ||= isAt(reader, part);
        seen ||= isAt(reader, part);
      }
      const { bytes, torn, digest } = reader.end();
      if (bytes + torn !== whole.bytes) return `has ${bytes + torn} bytes; the session's end says ${whole.bytes}`;
      if (digest !== whole.sha256) return "is not the one that was recorded: its digest is another";
      return seen ? undefined : `its beginning is not what it was when the session was under way: ${part?.bytes ?? 0} bytes had another digest`;
    } catch (error) {
      return errorMessage(error);
    }
  }
}

const gone = "is gone";

function isAt(reader: RecordingReader, part: Stretch | undefined): boolean {
  return part !== undefined && reader.bytes === part.bytes && reader.chain.hash.toString("hex") === part.sha256;
}

/** A value of an event in words of bounded length; it may be anything. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 200) : typeof value === "number" ? String(value) : "?";
}
