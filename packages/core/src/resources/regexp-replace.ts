import { GatehouseError } from "../base/index.ts";
import { maxClaimLength } from "./claim-value.ts";
import { expandGroups, groupsProblem } from "./expand-groups.ts";
import { checkPatternLength } from "./pattern.ts";
import { compileCapturing } from "./regexp-captures.ts";

/** Most replacements in one text, which keeps the time linear in it. */
const maxReplacements = 256;

/**
 * A function that replaces every match of `pattern` by `replacement`, in which `$1` is what a group matched (as Go's `ReplaceAllString`). It gives
 * undefined for a text in which nothing matches, that is longer than 4096 UTF-16 units or that matches in more than 256 places. `^` and `$` hold a pattern to the ends of the
 * text. Time is linear in the text. Throws `bad_parameter`.
 */
export function compileReplace(pattern: string, replacement: string): (text: string) => string | undefined {
  checkPatternLength(pattern);
  const anchors = { begin: pattern.startsWith("^"), end: endsInAnchor(pattern) };
  const { groups, alternatives, find } = compileCapturing(pattern.slice(anchors.begin ? 1 : 0, anchors.end ? -1 : undefined));
  if (alternatives && (anchors.begin || anchors.end)) {
    throw new GatehouseError("bad_parameter", "the regular expression cannot be used: its ends belong to some of the alternatives alone", { hint: "write ^(?:a|b)$ for a|b" });
  }
  const problem = groupsProblem(replacement, groups);
  if (problem !== undefined) throw new GatehouseError("bad_parameter", problem);
  return (text) => {
    if (text.length > maxClaimLength) return undefined;
    const pieces: string[] = [];
    let copied = 0;
    let replaced = 0;
    for (let from = 0; from <= text.length; ) {
      const spans = find(text, from, anchors);
      const [begin, end] = spans?.[0] ?? [];
      if (!spans || begin === undefined || end === undefined) break;
      replaced += 1;
      if (replaced > maxReplacements) return undefined;
      pieces.push(text.slice(copied, begin));
      // Nothing, right behind a match, is no match of its own.
      if (end > copied || begin === 0) pieces.push(expandGroups(replacement, spans.map((span) => (span ? text.slice(...span) : ""))) ?? "");
      copied = end;
      const width = (text.codePointAt(from) ?? 0) > 0xffff ? 2 : 1;
      from = end >= from + width ? end : from + width;
    }
    return replaced === 0 ? undefined : pieces.join("") + text.slice(copied);
  };
}

function endsInAnchor(pattern: string): boolean {
  if (!pattern.endsWith("$") || pattern === "^") return false;
  let slashes = 0;
  while (pattern[pattern.length - 2 - slashes] === "\\") slashes += 1;
  return slashes % 2 === 0;
}
