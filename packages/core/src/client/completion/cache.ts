import { createHash } from "node:crypto";
import { readdir, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { escapeLine, type Clock } from "../../base/index.ts";
import { ensurePrivateDirectory, readFileLimited, withLock, writeFileAtomic, type ClientHome } from "../lean/index.ts";
import { nameKinds, type NameKind } from "./places.ts";

/** A name that may be completed. */
export interface Name {
  readonly name: string;
  /** What tells it from others, one short line. */
  readonly note?: string | undefined;
  /** Of a host: accounts that one may be there. */
  readonly logins?: readonly string[] | undefined;
}

/** Names of some kinds, and how old they are. */
export type NameLists = Readonly<Partial<Record<NameKind, { readonly age: number; readonly names: readonly Name[] }>>>;

/** ms: younger names are used as they are; older ones too, up to `usable`, while new ones are fetched. */
export const nameAges = { fresh: 60_000, usable: 86_400_000 } as const;
/** ms in which nothing is fetched again that failed, or is being fetched. */
const triedAge = 10_000;
/** Names of one kind; characters of a name and of a note; logins of a host; bytes and number of files. */
export const bounds = { names: 2000, name: 256, note: 80, logins: 50, file: 4 * 1024 * 1024, files: 200 } as const;
const lockWait = 5000;

/** Whether a name can stand on a command line at all: what has control or invisible characters in it cannot be typed, and what begins with a dash is a flag. */
export const isTypable = (name: string): boolean => name !== "" && name.length <= bounds.name && !name.startsWith("-") && escapeLine(name) === name;

/** A note as one short line. */
export const shortNote = (text: string): string => {
  const line = Array.from(escapeLine(text));
  return line.length > bounds.note ? `${line.slice(0, bounds.note - 1).join("")}…` : line.join("");
};

function bounded(names: readonly Name[]): readonly Name[] {
  const seen = new Set<string>();
  const kept: Name[] = [];
  for (const { name, note, logins } of names) {
    if (kept.length >= bounds.names) break;
    if (!isTypable(name) || seen.has(name)) continue;
    seen.add(name);
    kept.push({ name, ...(note === undefined || note === "" ? {} : { note: shortNote(note) }), ...(logins === undefined ? {} : { logins: logins.filter(isTypable).slice(0, bounds.logins) }) });
  }
  return kept;
}

/** Where names come from, as a file name: `profile` (or `local`) first, so that a logout finds them. */
export function cacheKey(profile: string, program: string, origin: readonly (string | undefined)[]): string {
  const hash = createHash("sha256").update(JSON.stringify(origin.map((part) => part ?? null))).digest("hex").slice(0, 16);
  return `${profile}.${program}.${hash}`;
}

const filePath = (home: ClientHome, key: string): string => join(home.cache, `${key}.json`);
const triedPath = (home: ClientHome, key: string, kinds: readonly NameKind[]): string => join(home.cache, `${key}.${[...kinds].sort().join("+")}.tried`);

interface Kept {
  readonly at: number;
  readonly names: readonly Name[];
}

const isText = (value: unknown): value is string => typeof value === "string";

/** What a file holds, as far as it is what we write: the rest is as good as absent. */
function parseKept(text: string): Partial<Record<NameKind, Kept>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {};
  }
  const all = typeof value === "object" && value !== null && "kinds" in value ? (value.kinds) : undefined;
  const kept: Partial<Record<NameKind, Kept>> = {};
  for (const kind of nameKinds) {
    const one = typeof all === "object" && all !== null ? (all as Record<string, unknown>)[kind] : undefined;
    const { at, names } = (typeof one === "object" && one !== null ? one : {}) as { readonly at?: unknown; readonly names?: unknown };
    if (typeof at !== "number" || !Array.isArray(names)) continue;
    const read = (names as readonly unknown[]).flatMap((each): Name[] => {
      const { name, note, logins } = (typeof each === "object" && each !== null ? each : {}) as Readonly<Record<string, unknown>>;
      if (!isText(name)) return [];
      return [{ name, note: isText(note) ? note : undefined, logins: Array.isArray(logins) ? logins.filter(isText) : undefined }];
    });
    kept[kind] = { at, names: bounded(read) };
  }
  return kept;
}

/** Names that are kept and not older than a day. A clock that went back makes them old. */
export async function readNames(home: ClientHome, key: string, clock: Clock): Promise<NameLists> {
  const text = await readFileLimited(filePath(home, key), { limit: bounds.file });
  const lists: Partial<Record<NameKind, { age: number; names: readonly Name[] }>> = {};
  for (const [kind, { at, names }] of Object.entries(text === undefined ? {} : parseKept(text)) as [NameKind, Kept][]) {
    const age = clock.now() - at;
    if (age >= 0 && age <= nameAges.usable) lists[kind] = { age, names };
  }
  return lists;
}

/** Files that nobody has used for a day, and what is over the bound, the oldest first. */
async function prune(home: ClientHome): Promise<void> {
  const files = await Promise.all((await readdir(home.cache)).map(async (name) => ({ path: join(home.cache, name), at: (await stat(join(home.cache, name)).catch(() => undefined))?.mtimeMs ?? 0 })));
  const old = files.sort((a, b) => b.at - a.at).filter(({ at }, index) => index >= bounds.files || Math.abs(Date.now() - at) > nameAges.usable);
  for (const { path } of old) await rm(path, { force: true });
}

/** Keeps names: those of other kinds stay as they are. Nothing but names, their notes and logins is written, for this person's eyes alone. Throws `internal`. */
export async function keepNames(home: ClientHome, key: string, found: Readonly<Partial<Record<NameKind, readonly Name[]>>>, clock: Clock): Promise<void> {
  await ensurePrivateDirectory(home.cache);
  await withLock(join(home.cache, ".lock"), { wait: lockWait, purpose: "keep names for completion" }, async () => {
    const path = filePath(home, key);
    const before = parseKept((await readFileLimited(path, { limit: bounds.file }).catch(() => undefined)) ?? "");
    const fresh = Object.fromEntries(Object.entries(found).map(([kind, names]) => [kind, { at: clock.now(), names: bounded(names) }]));
    await writeFileAtomic(path, JSON.stringify({ version: 1, kinds: { ...before, ...fresh } }), 0o600);
    await prune(home);
  });
}

/** Marks that these kinds are being fetched; false where they were marked in the last ten seconds. */
export async function markTried(home: ClientHome, key: string, kinds: readonly NameKind[]): Promise<boolean> {
  const path = triedPath(home, key, kinds);
  const last = await stat(path).catch(() => undefined);
  if (last && Math.abs(Date.now() - last.mtimeMs) < triedAge) return false;
  await ensurePrivateDirectory(home.cache);
  await writeFile(path, "", { mode: 0o600 });
  const now = new Date();
  await utimes(path, now, now);
  return true;
}

/** Forgets the names that a profile's login was told. */
export async function forgetNames(home: ClientHome, profile: string): Promise<void> {
  const names = await readdir(home.cache).catch(() => []);
  for (const name of names) if (name.startsWith(`${profile}.`)) await rm(join(home.cache, name), { force: true });
}
