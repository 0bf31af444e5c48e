import { constants } from "node:fs";
import { open, readdir, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { GatehouseError, errorMessage, systemErrorCode, type Logger } from "../../base/index.ts";
import { sessionPlace, type RecordedSession, type SessionPlace } from "../../formats/index.ts";
import { endedSuffix } from "./disk.ts";
import { readRecordingHeader } from "./facts.ts";

/** Whose session it was, and where: what recordings are chosen by, before more of them is read. */
export interface SessionKey extends SessionPlace {
  readonly sid: string;
  readonly kind: RecordedSession["kind"];
  readonly user: string;
}

/** A recording in the catalogue. */
export interface CatalogueEntry {
  readonly sid: string;
  readonly path: string;
  readonly serverId: string;
  /** Start of the session; where its header cannot be read, the end of its file. ms since the epoch. */
  readonly started: number;
  readonly session: SessionKey | undefined;
  /** Why there is no session, in words. */
  readonly problem: string | undefined;
}

/** The ended recordings below a directory of logs, in memory. */
export interface Catalogue {
  /** All of them as they are now, the latest start first. Reads the headers of those that are new alone; whoever asks meanwhile shares the next look. */
  entries(): Promise<readonly CatalogueEntry[]>;
}

/** The form of a session id. */
export const sidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const serverPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Recordings that are listed; of more, those that started first are not. */
const maxEntries = 200_000;
/** Files looked at together. */
const together = 16;
/** A folder as it was this long before it was read has nothing newer in it: file systems' clocks are coarse. */
const coarseMs = 2000;
const maxWords = 10_000;

interface Folder {
  readonly serverId: string;
  readonly path: string;
  /** By name of file; null for what is no file, or not listed. */
  readonly known: Map<string, CatalogueEntry | null>;
  /** Names that the system would not let read: they are asked for anew. */
  readonly again: Set<string>;
  /** Change of the folder that `known` surely has. */
  seen: number | undefined;
}

/** Opens a recording: no link, and nothing that waits for somebody. */
export function openRecordingFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** Folders of recordings of every gateway that wrote below `directory`: `<server id>/sessions/default`. */
export async function recordingFolders(directory: string): Promise<readonly { readonly serverId: string; readonly path: string }[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(nothing);
  return entries.filter((entry) => entry.isDirectory() && serverPattern.test(entry.name)).map(({ name }) => ({ serverId: name, path: join(directory, name, "sessions", "default") }));
}

/** Opens the catalogue; nothing is read yet. */
export function createCatalogue(options: { readonly directory: string; readonly logger: Logger }): Catalogue {
  const { directory, logger } = options;
  const folders = new Map<string, Folder>();
  let sorted: readonly CatalogueEntry[] = [];
  let words = new Map<string, string>();
  let told = false;

  /** The same text as the same string: users, clusters and namespaces are few. */
  function shared(word: string): string {
    const known = words.get(word);
    if (known !== undefined) return known;
    if (words.size >= maxWords) words = new Map();
    words.set(word, word);
    return word;
  }

  async function read(folder: Folder, name: string): Promise<CatalogueEntry | null> {
    const path = join(folder.path, name);
    const about = { sid: name.slice(0, -endedSuffix.length), path, serverId: folder.serverId };
    let started = 0;
    try {
      const file = await openRecordingFile(path);
      try {
        const facts = await file.stat();
        if (!facts.isFile()) return null;
        started = facts.mtimeMs;
        const recorded = (await readRecordingHeader(file)).gatehouse;
        const { sid, kind, user, started: begin } = recorded;
        if (sid !== about.sid) throw new GatehouseError("bad_parameter", `the file is a recording of session ${sid}`);
        const { proto, cluster, namespace, pod, container, login, node, nodeId } = sessionPlace(recorded);
        const place = { cluster: shared(cluster), namespace: shared(namespace), pod: shared(pod), container: shared(container), login: shared(login), node: shared(node), nodeId: shared(nodeId) };
        const session = { sid: about.sid, proto, kind, user: shared(user), ...place };
        return { ...about, started: begin, session, problem: undefined };
      } finally {
        await file.close();
      }
    } catch (error) {
      // A link is no recording; retention may take one away meanwhile.
      if (["ENOENT", "ELOOP", "ENXIO"].includes(systemErrorCode(error) ?? "")) return null;
      logger.warn({ path, error: errorMessage(error) }, "a recording cannot be read");
      if (error instanceof GatehouseError) return { ...about, started, session: undefined, problem: error.message };
      folder.again.add(name);
      return { ...about, started, session: undefined, problem: `the file cannot be read: ${systemErrorCode(error) ?? "unknown"}` };
    }
  }

  /** Returns whether anything is different. */
  async function look(folder: Folder): Promise<boolean> {
    const now = Date.now();
    const changed = await stat(folder.path).then(({ mtimeMs }) => mtimeMs, () => undefined);
    if (changed !== undefined && changed === folder.seen && folder.again.size === 0) return false;
    const names = new Set((await readdir(folder.path).catch(nothing)).filter((name) => name.endsWith(endedSuffix) && sidPattern.test(name.slice(0, -endedSuffix.length))));
    let different = false;
    for (const name of folder.known.keys()) if (!names.has(name)) different = folder.known.delete(name);
    const fresh = [...names].filter((name) => !folder.known.has(name) || folder.again.has(name));
    folder.again.clear();
    for (let at = 0; at < fresh.length; at += together) {
      await Promise.all(fresh.slice(at, at + together).map(async (name) => void folder.known.set(name, await read(folder, name))));
    }
    folder.seen = changed !== undefined && changed < now - coarseMs ? changed : undefined;
    return different || fresh.length > 0;
  }

  async function scan(): Promise<readonly CatalogueEntry[]> {
    const found = await recordingFolders(directory);
    let different = false;
    for (const path of folders.keys()) if (!found.some((one) => one.path === path)) different = folders.delete(path);
    for (const { serverId, path } of found) {
      const folder = folders.get(path) ?? { serverId, path, known: new Map<string, CatalogueEntry | null>(), again: new Set<string>(), seen: undefined };
      folders.set(path, folder);
      if (await look(folder)) different = true;
    }
    if (different) sorted = arranged();
    return sorted;
  }

  function arranged(): readonly CatalogueEntry[] {
    const all = [...folders.values()].flatMap(({ known }) => [...known.values()].filter((entry) => entry !== null)).sort((a, b) => b.started - a.started);
    if (all.length > maxEntries && !told) {
      told = true;
      logger.warn({ recordings: all.length, listed: maxEntries }, "there are more recordings than are listed; the oldest are reached by their id alone");
    }
    return all.slice(0, maxEntries);
  }

  let running: Promise<readonly CatalogueEntry[]> | undefined;
  /** Has not begun. */
  let next: Promise<readonly CatalogueEntry[]> | undefined;
  const begin = (): Promise<readonly CatalogueEntry[]> => {
    next = undefined;
    return (running = scan().finally(() => (running = undefined)));
  };
  return {
    entries() {
      if (next !== undefined) return next;
      if (running === undefined) return begin();
      // One under way may be past what is asked for.
      return (next = running.catch(() => undefined).then(begin));
    },
  };
}

function nothing(error: unknown): [] {
  if (systemErrorCode(error) === "ENOENT") return [];
  throw error;
}
