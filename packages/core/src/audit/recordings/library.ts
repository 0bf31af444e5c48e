import { constants, type Dirent } from "node:fs";
import { open, readdir, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { GatehouseError, errorMessage, systemErrorCode, type Logger } from "../../base/index.ts";
import { endedSuffix } from "./disk.ts";
import { readRecordingFacts, type RecordingFacts } from "./facts.ts";

/** Which recordings; what is absent does not matter. */
export interface RecordingQuery {
  /** Beginning of the session id. */
  readonly id?: string | undefined;
  readonly user?: string | undefined;
  readonly cluster?: string | undefined;
  readonly pod?: string | undefined;
  readonly kind?: string | undefined;
  /** Sessions that started at this moment (ms since the epoch) or later. */
  readonly since?: number | undefined;
  readonly limit: number;
}

/** A recording that is open for reading. */
export interface OpenRecording {
  readonly facts: RecordingFacts;
  /** Its {@link RecordingFacts.bytes}, as fast as they are taken. Closes the file at its end. */
  stream(): Readable;
  /** For when `stream` was not called. */
  close(): Promise<void>;
}

/** The recordings of ended sessions below a directory of logs, of every gateway that wrote there. */
export interface RecordingLibrary {
  /** Those that ended last, at most `limit`, the latest start first; only sessions that `visible` lets pass. Files that are no recordings are left out and logged. */
  list(query: RecordingQuery, visible: (facts: RecordingFacts) => boolean): Promise<readonly RecordingFacts[]>;
  /** Throws `not_found`, also for what is no session id. */
  open(sid: string): Promise<OpenRecording>;
}

const sidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const serverPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const maxRemembered = 10_000;
/** Files looked at together. */
const together = 16;

interface Found {
  readonly sid: string;
  readonly path: string;
  readonly ended: number;
}

/** Opens the library. `directory` is that of logs: recordings are in `<server id>/sessions/default`. */
export function openRecordingLibrary(options: { readonly directory: string; readonly logger: Logger }): RecordingLibrary {
  const { directory, logger } = options;
  // What has ended does not change.
  const remembered = new Map<string, RecordingFacts>();

  async function folders(): Promise<readonly string[]> {
    const entries = await entriesOf(directory);
    return entries.filter((entry) => entry.isDirectory() && serverPattern.test(entry.name)).map((entry) => join(directory, entry.name, "sessions", "default"));
  }

  async function find(query: RecordingQuery): Promise<readonly Found[]> {
    const found: Found[] = [];
    for (const folder of await folders()) {
      const sids = (await entriesOf(folder))
        .filter((entry) => entry.isFile() && entry.name.endsWith(endedSuffix))
        .map((entry) => entry.name.slice(0, -endedSuffix.length))
        .filter((sid) => sidPattern.test(sid) && sid.startsWith(query.id ?? ""));
      for (let at = 0; at < sids.length; at += together) {
        const some = await Promise.all(
          sids.slice(at, at + together).map(async (sid) => {
            const path = join(folder, `${sid}${endedSuffix}`);
            const ended = await stat(path).then((file) => file.mtimeMs, () => undefined);
            return ended === undefined || ended < (query.since ?? 0) ? undefined : { sid, path, ended };
          }),
        );
        found.push(...some.filter((one) => one !== undefined));
      }
    }
    return found.sort((a, b) => b.ended - a.ended);
  }

  async function factsOf({ sid, path }: Found): Promise<RecordingFacts | undefined> {
    const known = remembered.get(sid);
    if (known) return known;
    try {
      const file = await openFile(path);
      try {
        const facts = await readRecordingFacts(file);
        if (facts.session.sid !== sid) throw new GatehouseError("bad_parameter", `the file is a recording of session ${facts.session.sid}`);
        if (remembered.size >= maxRemembered) remembered.clear();
        remembered.set(sid, facts);
        return facts;
      } finally {
        await file.close();
      }
    } catch (error) {
      // Retention may take it away meanwhile.
      if (systemErrorCode(error) !== "ENOENT") logger.warn({ path, error: errorMessage(error) }, "a recording cannot be read");
      return undefined;
    }
  }

  return {
    async list(query, visible) {
      const chosen: RecordingFacts[] = [];
      for (const found of await find(query)) {
        const facts = await factsOf(found);
        if (facts && matches(facts, query) && visible(facts)) chosen.push(facts);
        if (chosen.length >= query.limit) break;
      }
      return chosen.sort((a, b) => b.session.started - a.session.started);
    },
    async open(sid) {
      const missing = new GatehouseError("not_found", "there is no such recording", { hint: "tsh recordings ls lists those that you may play" });
      if (!sidPattern.test(sid)) throw missing;
      for (const folder of await folders()) {
        const file = await openFile(join(folder, `${sid}${endedSuffix}`)).catch((error: unknown) => {
          // A link is no recording.
          if (["ENOENT", "ELOOP"].includes(systemErrorCode(error) ?? "")) return undefined;
          throw error;
        });
        if (file) return await opened(file);
      }
      throw missing;
    },
  };
}

async function opened(file: FileHandle): Promise<OpenRecording> {
  try {
    const facts = await readRecordingFacts(file);
    return {
      facts,
      stream: () => file.createReadStream({ start: 0, end: facts.bytes - 1, highWaterMark: 256 * 1024 }),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function matches({ session }: RecordingFacts, query: RecordingQuery): boolean {
  const { user, cluster, pod, kind, since } = query;
  return (
    (user === undefined || session.user === user) &&
    (cluster === undefined || session.cluster === cluster) &&
    (pod === undefined || session.pod === pod) &&
    (kind === undefined || session.kind === kind) &&
    (since === undefined || session.started >= since)
  );
}

function openFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  });
}
