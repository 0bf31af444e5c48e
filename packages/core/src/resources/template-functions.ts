import { compileReplace } from "./regexp-replace.ts";
import type { Filler, Traits, Variable } from "./types.ts";

const maxAddress = 320;
const notInAddress = new Set(Array.from('"(),:;<>[\\]@'));

/** What is before the `@` of a plain address such as `ana@example.com`; undefined for other text (names, quotes, comments, spaces). */
export function emailLocal(address: string): string | undefined {
  const at = address.indexOf("@");
  if (at < 1 || at === address.length - 1 || address.length > maxAddress) return undefined;
  const local = address.slice(0, at);
  const plain = (char: string): boolean => char > " " && char < "\u007f" && !notInAddress.has(char);
  return Array.from(local).every(plain) && Array.from(address.slice(at + 1)).every(plain) ? local : undefined;
}

/** The trait that a filler takes its values from. */
export function variableOf(filler: Filler): Variable {
  return "call" in filler ? variableOf(filler.of) : filler;
}

const replacers = new WeakMap<Filler, (text: string) => string | undefined>();

/** What a filler makes of one value of its trait; undefined where it makes nothing of it. */
export function fill(filler: Filler, value: string): string | undefined {
  if (!("call" in filler)) return value;
  const inner = fill(filler.of, value);
  if (inner === undefined) return undefined;
  if (filler.call === "email.local") return emailLocal(inner);
  let replace = replacers.get(filler);
  if (!replace) {
    replace = compileReplace(filler.pattern, filler.replacement);
    replacers.set(filler, replace);
  }
  return replace(inner);
}

/** The values of a trait: only its own property counts, whatever it is called. */
export function traitValues(traits: Traits, name: string): readonly string[] {
  return Object.hasOwn(traits, name) ? (traits[name] ?? []) : [];
}
