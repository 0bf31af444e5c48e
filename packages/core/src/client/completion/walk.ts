import type { CommandFacts, FlagFacts, Manifest } from "./manifest.ts";

/** What the word at the cursor is. */
export type Spot =
  /** A command, or the topic that some stand behind: what comes after `path`. */
  | { readonly kind: "command"; readonly path: readonly string[] }
  | { readonly kind: "flag"; readonly id: string; readonly given: ReadonlySet<string> }
  /** `attached` is what of the word stands before the value: `--proxy=`, or nothing. */
  | { readonly kind: "value"; readonly id: string; readonly flag: FlagFacts; readonly attached: string }
  | { readonly kind: "argument"; readonly id: string; readonly before: readonly string[] }
  | { readonly kind: "leading"; readonly given: ReadonlySet<string> }
  /** Nothing of ours. */
  | { readonly kind: "none" };

/** A line that was walked through. */
export interface Walked {
  readonly spot: Spot;
  /** Values of the flags so far, the last of each. */
  readonly values: Readonly<Record<string, string>>;
}

/** Help and debug are on every command. */
export const everywhere: readonly FlagFacts[] = [{ name: "help", char: "h", summary: "Show help" }];

/** The flag that a word names: `--proxy`, `--no-openssh`, `-i`. */
function flagOf(flags: readonly FlagFacts[], word: string): FlagFacts | undefined {
  if (!word.startsWith("--")) return flags.find(({ char }) => char !== undefined && word === `-${char}`);
  const name = word.slice(2).split("=", 1)[0] ?? "";
  return flags.find((flag) => flag.name === name || (flag.negatable === true && name === `no-${flag.name}`));
}

/** The flag whose value the next word is: `-p 22`, `-tp 22`, `--port 22`, but not `-p22`. */
function awaiting(flags: readonly FlagFacts[], word: string): FlagFacts | undefined {
  if (word.startsWith("--")) {
    const flag = word.includes("=") ? undefined : flagOf(flags, word);
    return flag?.value === undefined ? undefined : flag;
  }
  for (let at = 1; at < word.length; at++) {
    const flag = flagOf(flags, `-${word[at] ?? ""}`);
    if (flag?.value !== undefined) return at === word.length - 1 ? flag : undefined;
  }
  return undefined;
}

/** Flags that may stand before the command's name. */
export function leadingFlags(manifest: Manifest): readonly FlagFacts[] {
  const all = Object.values(manifest.commands).flatMap(({ flags }) => flags);
  const names = Object.keys(manifest.leading).filter((word) => word.startsWith("--")).map((word) => word.slice(2));
  return [...names.flatMap((name) => all.find((flag) => flag.name === name) ?? []), ...everywhere, { name: "version", summary: "Print the version" }];
}

interface State {
  readonly values: Record<string, string>;
  readonly given: Set<string>;
}

/** Goes over flags from `at` on, and stops at the first word that is none. Resolves with where, and with the flag that still waits for its value at the end. */
function skipFlags(words: readonly string[], from: number, flags: readonly FlagFacts[], state: State): { readonly at: number; readonly open?: FlagFacts } {
  let at = from;
  while (at < words.length) {
    const word = words[at] ?? "";
    if (!word.startsWith("-") || word === "-" || word === "--") break;
    const flag = flagOf(flags, word);
    if (flag) state.given.add(flag.name);
    const equals = word.indexOf("=");
    if (flag?.value !== undefined && word.startsWith("--") && equals > 0) state.values[flag.name] = word.slice(equals + 1);
    const open = awaiting(flags, word);
    at++;
    if (!open) continue;
    state.given.add(open.name);
    const value = words[at];
    if (value === undefined) return { at, open };
    state.values[open.name] = value;
    at++;
  }
  return { at };
}

/** The longest command id that the words begin with. */
function matchCommand(manifest: Manifest, words: readonly string[]): { readonly id: string; readonly length: number } | undefined {
  const plain = words.slice(0, words.findIndex((word) => word.startsWith("-")) >>> 0);
  for (let length = plain.length; length > 0; length--) {
    const id = plain.slice(0, length).join(":");
    if (Object.hasOwn(manifest.commands, id)) return { id, length };
  }
  return undefined;
}

/** Whether commands stand behind these words. */
export const hasCommandsBehind = (manifest: Manifest, path: readonly string[]): boolean => Object.keys(manifest.commands).some((id) => id.startsWith([...path, ""].join(":")));

function inCommand(id: string, command: CommandFacts, rest: readonly string[], current: string, state: State): Spot {
  const flags = [...command.flags, ...everywhere];
  const before: string[] = [];
  let ended = false;
  for (let at = 0; at < rest.length;) {
    const skipped: { readonly at: number; readonly open?: FlagFacts } = ended ? { at } : skipFlags(rest, at, flags, state);
    at = skipped.at;
    if (skipped.open) return { kind: "value", id, flag: skipped.open, attached: "" };
    const word = rest[at];
    if (word === undefined) break;
    if (word === "--" && !ended) {
      // Behind it there are arguments of ours where there is one to come, else somebody else's words.
      if (command.verbatim !== true || before.length > 0) return { kind: "none" };
      ended = true;
    } else before.push(word);
    at++;
    if (command.verbatim === true && before.length > 1) return { kind: "none" };
  }
  if (!ended && current.startsWith("-")) {
    const flag = current.startsWith("--") && current.includes("=") ? flagOf(flags, current) : undefined;
    if (flag?.value !== undefined) return { kind: "value", id, flag, attached: current.slice(0, current.indexOf("=") + 1) };
    return { kind: "flag", id, given: state.given };
  }
  return command.verbatim === true && before.length > 0 ? { kind: "none" } : { kind: "argument", id, before };
}

/** Says what the word at the cursor is. `words` are those before it, without the program's name. */
export function walk(manifest: Manifest, words: readonly string[], current: string): Walked {
  const state: State = { values: {}, given: new Set() };
  const leading = leadingFlags(manifest);
  const first = skipFlags(words, 0, leading, state);
  const done = (spot: Spot): Walked => ({ spot, values: state.values });
  if (first.open) return done({ kind: "value", id: "", flag: first.open, attached: "" });
  const rest = words.slice(first.at);
  if (rest[0] === "help") return done({ kind: "command", path: rest.slice(1) });
  const found = matchCommand(manifest, rest);
  const command = found && manifest.commands[found.id];
  if (command) {
    const spot = inCommand(found.id, command, rest.slice(found.length), current, state);
    return done(spot);
  }
  if (rest.length === 0 && current.startsWith("-")) {
    const flag = current.startsWith("--") && current.includes("=") ? flagOf(leading, current) : undefined;
    if (flag?.value !== undefined) return done({ kind: "value", id: "", flag, attached: current.slice(0, current.indexOf("=") + 1) });
    return done({ kind: "leading", given: state.given });
  }
  return done(rest.length === 0 || hasCommandsBehind(manifest, rest) ? { kind: "command", path: rest } : { kind: "none" });
}
