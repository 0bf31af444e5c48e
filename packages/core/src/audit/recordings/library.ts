import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setImmediate as breath } from "node:timers/promises";
import { GatehouseError, createGate, errorMessage, systemErrorCode, type Logger } from "../../base/index.ts";
import { createCatalogue, openRecordingFile, recordingFolders, sidPattern, type CatalogueEntry, type SessionKey } from "./catalogue.ts";
import { endedSuffix } from "./disk.ts";
import { readRecordingFacts, type RecordingFacts } from "./facts.ts";

/** Which recordings; what is absent does not matter. */
export interface RecordingQuery {
  /** Beginning of the session id. */
  readonly id?: string | undefined;
  readonly user?: string | undefined;
  readonly cluster?: string | undefined;
  readonly pod?: string | undefined;
  /** Name or id of a host. */
  readonly node?: string | undefined;
  /** User name on a host. */
  readonly login?: string | undefined;
  readonly kind?: string | undefined;
  /** Sessions that started at this moment (ms since the epoch) or later. */
  readonly since?: number | undefined;
  readonly limit: number;
}

/** A recording as it is listed. */
export interface ListedRecording {
  readonly sid: string;
  readonly serverId: string;
  /** Start of the session; where its header cannot be read, the end of its file. ms since the epoch. */
  readonly started: number;
  /** Undefined where its header cannot be read. */
  readonly facts: RecordingFacts | undefined;
  /** What is wrong with it, in words, where that shows without reading it whole. */
  readonly problem: string | undefined;
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
  /**
   * At most `limit`, the latest start first; only those that `visible` lets pass, which is asked with undefined where a header cannot be read.
   * Throws `limit_exceeded` where too many ask at once.
   */
  list(query: RecordingQuery, visible: (session: SessionKey | undefined) => boolean): Promise<readonly ListedRecording[]>;
  /** Throws `not_found`, also for what is no session id. */
  open(sid: string): Promise<OpenRecording>;
}

/** Lists that are made at once, and those that wait for them. */
const atOnce = { running: 4, waiting: 32, what: "lists of recordings" };
/** Entries that are looked at before others have their turn. */
const turn = 2000;
const maxRemembered = 5000;
/** Files looked at together. */
const together = 16;

/** Opens the library. `directory` is that of logs: recordings are in `<server id>/sessions/default`. */
export function openRecordingLibrary(options: { readonly directory: string; readonly logger: Logger }): RecordingLibrary {
  const { directory, logger } = options;
  const catalogue = createCatalogue(options);
  const gate = createGate(atOnce);
  // What has ended does not change. The order is that of last use.
  const remembered = new Map<string, RecordingFacts>();

  async function factsOf({ path }: CatalogueEntry): Promise<RecordingFacts> {
    let facts = remembered.get(path);
    if (facts === undefined) {
      const file = await openRecordingFile(path);
      try {
        facts = await readRecordingFacts(file);
      } finally {
        await file.close();
      }
    }
    remembered.delete(path);
    remembered.set(path, facts);
    if (remembered.size > maxRemembered) remembered.delete(remembered.keys().next().value ?? "");
    return facts;
  }

  async function listed(entry: CatalogueEntry): Promise<ListedRecording | undefined> {
    const { sid, serverId, started, problem } = entry;
    if (entry.session === undefined) return { sid, serverId, started, facts: undefined, problem };
    try {
      const facts = await factsOf(entry);
      return { sid, serverId, started, facts, problem: facts.problem };
    } catch (error) {
      // Retention may take it away meanwhile.
      if (systemErrorCode(error) === "ENOENT") return undefined;
      logger.warn({ path: entry.path, error: errorMessage(error) }, "a recording cannot be read");
      return { sid, serverId, started, facts: undefined, problem: "the file cannot be read" };
    }
  }

  async function list(query: RecordingQuery, visible: (session: SessionKey | undefined) => boolean): Promise<readonly ListedRecording[]> {
    const chosen: CatalogueEntry[] = [];
    let looked = 0;
    for (const entry of await catalogue.entries()) {
      if (chosen.length >= query.limit || entry.started < (query.since ?? 0)) break;
      if (matches(entry, query) && visible(entry.session)) chosen.push(entry);
      if (++looked % turn === 0) await breath();
    }
    const found: ListedRecording[] = [];
    for (let at = 0; at < chosen.length; at += together) {
      const some = await Promise.all(chosen.slice(at, at + together).map(listed));
      found.push(...some.filter((one) => one !== undefined));
    }
    return found;
  }

  return {
    list: (query, visible) => gate.run(() => list(query, visible)),
    async open(sid) {
      const missing = new GatehouseError("not_found", "there is no such recording", { hint: "tsh recordings ls lists those that you may play" });
      if (!sidPattern.test(sid)) throw missing;
      for (const { path } of await recordingFolders(directory)) {
        const file = await openRecordingFile(join(path, `${sid}${endedSuffix}`)).catch((error: unknown) => {
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

function matches({ sid, session, started }: CatalogueEntry, query: RecordingQuery): boolean {
  const { id, user, cluster, pod, node, login, kind, since } = query;
  return (
    sid.startsWith(id ?? "") &&
    (user === undefined || session?.user === user) &&
    (cluster === undefined || session?.cluster === cluster) &&
    (pod === undefined || session?.pod === pod) &&
    (node === undefined || session?.node === node || session?.nodeId === node) &&
    (login === undefined || session?.login === login) &&
    (kind === undefined || session?.kind === kind) &&
    (since === undefined || started >= since)
  );
}
