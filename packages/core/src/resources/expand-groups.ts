import { escapeLine } from "../base/index.ts";

const reference = /\$(?:\$|(\d{1,9})(?![A-Za-z_])|\{(\d{1,9})\})?/g;

/** Why `$1`, `${1}` in a text cannot be expanded from an expression with this many groups, in words; undefined where they can. */
export function groupsProblem(template: string, groups: number): string | undefined {
  for (const [all, bare, braced] of template.matchAll(reference)) {
    if (all === "$$") continue;
    const shown = escapeLine(template);
    const number = bare ?? braced;
    if (number === undefined) return `"${shown}" has a "$" that is no reference to a group; write $1, \${1} (before a letter, digit or _) or $$ for a plain $`;
    if (Number(number) > groups) return `"${shown}" refers to group ${number}, and ${groups === 0 ? "there is none: nothing in the value is in parentheses or a *" : `the last one is ${groups}`}`;
  }
  return undefined;
}

/**
 * Fills `$1`, `${1}` from what groups matched (entry 0 is the whole match); `$$` is a plain `$` (syntax of Go's `Regexp.Expand`, without names).
 * Undefined where a reference cannot be filled: {@link groupsProblem} says why.
 */
export function expandGroups(template: string, captures: readonly string[]): string | undefined {
  if (groupsProblem(template, captures.length - 1) !== undefined) return undefined;
  return template.replace(reference, (all: string, bare?: string, braced?: string) => (all === "$$" ? "$" : (captures[Number(bare ?? braced)] ?? "")));
}
