import { resourceKinds } from "../../resources/lean/index.ts";
import type { Name } from "./cache.ts";
import { everywhere, hasCommandsBehind, leadingFlags, type Spot } from "./walk.ts";
import type { FlagFacts, Manifest } from "./manifest.ts";
import { argPlace, flagPlace, nameKinds, type NameKind, type NamePlaces, type Place } from "./places.ts";

/** One way to go on: the whole word, and what it is. `open`: more may follow it in the same word. */
export interface Candidate {
  readonly value: string;
  readonly note?: string | undefined;
  readonly open?: true;
}

/** Whether the shell completes names of files besides. */
export type Files = "none" | "files" | "folders";

/** Everything that may stand at the cursor. */
export interface Answer {
  readonly candidates: readonly Candidate[];
  readonly files: Files;
}

/** Asked for names; `profile` and `kept-user` are looked up on this machine. */
export type LookUp = (kind: NameKind | "profile" | "kept-user") => Promise<readonly Name[]>;

const nothing: Answer = { candidates: [], files: "none" };
const asCandidates = (names: readonly Name[], before = ""): readonly Candidate[] => names.map(({ name, note }) => ({ value: `${before}${name}`, note }));

function flagCandidates(flags: readonly FlagFacts[], given: ReadonlySet<string>, current: string): readonly Candidate[] {
  if (/^-[A-Za-z]$/.test(current)) return flags.filter(({ char }) => current === `-${char ?? ""}`).map(({ summary }) => ({ value: current, note: summary }));
  return flags
    .filter(({ name, multiple }) => multiple === true || !given.has(name))
    .flatMap(({ name, value, summary, negatable }): Candidate[] => [
      value === undefined ? { value: `--${name}`, note: summary } : { value: `--${name}=`, note: summary, open: true },
      ...(negatable === true ? [{ value: `--no-${name}`, note: summary }] : []),
    ]);
}

function commandCandidates(manifest: Manifest, path: readonly string[]): readonly Candidate[] {
  const start = [...path, ""].join(":");
  const found = new Map<string, string | undefined>();
  for (const [id, { summary }] of Object.entries(manifest.commands)) {
    if (!id.startsWith(start)) continue;
    const [word = "", ...more] = id.slice(start.length).split(":");
    if (more.length === 0) found.set(word, summary);
    else if (!found.has(word)) found.set(word, manifest.topics[`${start}${word}`]);
  }
  return [...found].map(([value, note]) => ({ value, note }));
}

/** `[login@]host`: hosts, and behind an `@` those that one may be that account on; accounts too where none is written. */
async function targets(current: string, lookUp: LookUp, behind: string): Promise<readonly Candidate[]> {
  const hosts = await lookUp("node");
  const open = behind === "" ? {} : { open: true as const };
  const at = current.lastIndexOf("@");
  if (at >= 0) {
    const login = current.slice(0, at);
    return hosts.filter(({ logins }) => logins === undefined || logins.includes(login)).map(({ name, note }) => ({ value: `${login}@${name}${behind}`, note, ...open }));
  }
  const logins = [...new Set(hosts.flatMap((host) => host.logins ?? []))];
  return [...hosts.map(({ name, note }) => ({ value: `${name}${behind}`, note, ...open })), ...logins.map((login) => ({ value: `${login}@`, note: "account", open: true as const }))];
}

/** One word for each kind: as people list all of it, and as they name one. */
export const listedKinds = ["roles", "users", "connectors", "github", "oidc", "saml", "cap", "tokens", "locks", "bots", "nodes"] as const;
export const namedKinds = ["role", "user", "connector", "github", "oidc", "saml", "cap", "token", "lock", "bot", "node"] as const;

const isNameKind = (place: string): place is NameKind => (nameKinds as readonly string[]).includes(place);

/** Names of the resources of a kind; those of tokens are secrets. */
async function resourceNames(word: string, lookUp: LookUp): Promise<readonly Name[]> {
  const kind = resourceKinds.get(word.toLowerCase());
  if (kind === undefined || kind === "token" || kind === "cluster_auth_preference") return [];
  return lookUp(kind === "connectors" ? "connector" : kind === "node" ? "node-id" : kind);
}

async function refs(current: string, alone: boolean, lookUp: LookUp): Promise<readonly Candidate[]> {
  const slash = current.indexOf("/");
  const word = slash < 0 ? current : current.slice(0, slash);
  const names = asCandidates(await resourceNames(word, lookUp), `${word}/`);
  if (slash >= 0) return names;
  const kinds = alone ? listedKinds.map((value): Candidate => ({ value })) : namedKinds.map((kind): Candidate => ({ value: `${kind}/`, open: true }));
  return [...kinds, ...names];
}

async function ofPlace(place: Place, current: string, before: readonly string[], lookUp: LookUp): Promise<Answer> {
  const only = (candidates: readonly Candidate[], files: Files = "none"): Answer => ({ candidates, files });
  if (isNameKind(place)) return only(asCandidates(await lookUp(place)));
  switch (place) {
    case "files":
    case "folders":
      return only([], place);
    case "profile":
    case "kept-user":
      return only(asCandidates(await lookUp(place)));
    case "target":
      return only(await targets(current, lookUp, ""));
    case "copy":
      // What is plainly a path here, or one there that only the host knows.
      if (current.includes(":")) return nothing;
      return /^[./~]|\//.test(current) ? only([], "files") : only(await targets(current, lookUp, ":"), "files");
    case "recording-or-file":
      return /[./~]/.test(current) ? only([], "files") : only(asCandidates(await lookUp("recording")), "files");
    case "ref":
      return only(await refs(current, true, lookUp));
    case "one-ref":
      return only(await refs(current, false, lookUp));
    case "ref-name":
      return (before[0] ?? "").includes("/") ? nothing : only(asCandidates(await resourceNames(before[0] ?? "", lookUp)));
    case "roles": {
      const comma = current.lastIndexOf(",") + 1;
      const taken = current.slice(0, comma).split(",");
      return only(asCandidates((await lookUp("role")).filter(({ name }) => !taken.includes(name)), current.slice(0, comma)));
    }
  }
}

/** What may stand at a spot: candidates that begin with `current`, and whether files may. */
export async function candidatesAt(manifest: Manifest, places: NamePlaces, spot: Spot, current: string, lookUp: LookUp): Promise<Answer> {
  const { candidates, files } = await allAt(manifest, places, spot, current, lookUp);
  return { candidates: candidates.filter(({ value }) => value.startsWith(current)), files };
}

async function allAt(manifest: Manifest, places: NamePlaces, spot: Spot, current: string, lookUp: LookUp): Promise<Answer> {
  switch (spot.kind) {
    case "none":
      return nothing;
    case "command":
      return { candidates: commandCandidates(manifest, spot.path), files: "none" };
    case "leading":
      return { candidates: flagCandidates(leadingFlags(manifest), spot.given, current), files: "none" };
    case "flag":
      return { candidates: flagCandidates([...(manifest.commands[spot.id]?.flags ?? []), ...everywhere], spot.given, current), files: "none" };
    case "value": {
      const { flag, attached, id } = spot;
      if (flag.options) return { candidates: flag.options.map((value) => ({ value: `${attached}${value}` })), files: "none" };
      const place = flagPlace(places, id, flag.name, flag.value ?? "");
      if (place === undefined) return nothing;
      const { candidates, files } = await ofPlace(place, current.slice(attached.length), [], lookUp);
      return { candidates: candidates.map((candidate) => ({ ...candidate, value: `${attached}${candidate.value}` })), files };
    }
    case "argument": {
      const { id, before } = spot;
      const path = id.split(":");
      const deeper = before.length === 0 && hasCommandsBehind(manifest, path) ? commandCandidates(manifest, path) : [];
      const options = manifest.commands[id]?.args[before.length]?.options;
      if (options) return { candidates: options.map((value) => ({ value })), files: "none" };
      const place = argPlace(places, id, before.length);
      const found = place === undefined ? nothing : await ofPlace(place, current, before, lookUp);
      return { ...found, candidates: [...deeper, ...found.candidates] };
    }
  }
}
