import { GatehouseError } from "../base/index.ts";
import { compileRegexp, maxPatternLength } from "./regexp.ts";

/** A label value's pattern. */
export interface Pattern {
  matches(text: string): boolean;
}

/**
 * How a `^…$` expression with alternatives is read. `strict`: the whole text must be one of them, as Teleport's documentation means
 * `^test|staging$`. `broad`: as RE2 reads it, where `^` belongs to the first and `$` to the last alone. Allow is strict, deny is broad, so
 * that neither reading ever grants more.
 */
export type Reading = "strict" | "broad";

/**
 * Compiles a label value (reference §8.4): `*` is anything, `^…$` a regular expression, other text a literal with `*` as a glob.
 * Matching takes time linear in the text whatever the pattern. Throws `bad_parameter`.
 */
export function compilePattern(source: string, reading: Reading = "strict"): Pattern {
  checkPatternLength(source);
  if (source === "*") return { matches: () => true };
  const body = regexpBody(source);
  if (body !== undefined) return compileRegexp(body, reading);
  if (!source.includes("*")) return { matches: (text) => text === source };
  return compileGlob(source);
}

/** Throws `bad_parameter` for a source that is too long. */
export function checkPatternLength(source: string): void {
  if (source.length > maxPatternLength) throw new GatehouseError("bad_parameter", `a pattern has at most ${maxPatternLength} characters`);
}

/** What is between `^` and `$` in a value that is a regular expression; undefined for other text. */
export function regexpBody(source: string): string | undefined {
  return source.length >= 2 && source.startsWith("^") && source.endsWith("$") ? source.slice(1, -1) : undefined;
}

/** A literal in which `*` is anything. Leftmost placement of every piece is enough: no backtracking. */
export function compileGlob(source: string): Pattern {
  const pieces = source.split("*");
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  const middle = pieces.slice(1, -1).filter((piece) => piece !== "");
  return {
    matches(text) {
      if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
      const end = text.length - last.length;
      let at = first.length;
      for (const piece of middle) {
        const found = text.indexOf(piece, at);
        if (found < 0 || found + piece.length > end) return false;
        at = found + piece.length;
      }
      return true;
    },
  };
}
