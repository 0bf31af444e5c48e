import { GatehouseError } from "../base/index.ts";
import { checkPatternLength, compileGlob, regexpBody } from "./pattern.ts";
import { compileCapturing, maxGroups, type Capturing } from "./regexp-captures.ts";

/** Longest value of a claim or an attribute that is compared, in UTF-16 units; a longer one matches nothing. */
export const maxClaimLength = 4096;

/** The `value` of a rule in `claims_to_roles` or `attributes_to_roles`, ready to be compared. */
export interface ClaimValue {
  /** How many groups its roles may refer to. */
  readonly groups: number;
  /** What the whole (entry 0) and each group matched, empty for a group that took no part; undefined where the text is no match. */
  match(text: string): readonly string[] | undefined;
}

/**
 * Compiles the `value` of a mapping rule (reference §2.2): `^…$` is a regular expression that the whole text has to match (of alternatives
 * without parentheses too, which RE2 reads wider), other text a literal in which each `*` is a group `(.*)`. Matching takes time linear in
 * the text. Throws `bad_parameter`.
 */
export function compileClaimValue(value: string): ClaimValue {
  if (value === "") throw new GatehouseError("bad_parameter", "a value to compare with must not be empty");
  checkPatternLength(value);
  const body = regexpBody(value);
  if (body !== undefined) {
    const { groups, find } = compileCapturing(body);
    return { groups, match: (text) => whole(find, text) };
  }
  const pieces = value.split("*");
  const groups = pieces.length - 1;
  if (groups === 0) return { groups, match: (text) => (text === value ? [text] : undefined) };
  if (groups > maxGroups) throw new GatehouseError("bad_parameter", `a value has at most ${maxGroups} "*"`);
  const glob = compileGlob(value);
  const { find } = compileCapturing(pieces.map(quoteRegexp).join("(.*)"));
  // The glob is quicker, and most texts fail it.
  return { groups, match: (text) => (text.length <= maxClaimLength && glob.matches(text) ? whole(find, text) : undefined) };
}

function quoteRegexp(text: string): string {
  return text.replace(/[^\p{L}\p{N}_]/gu, "\\$&");
}

function whole(find: Capturing["find"], text: string): readonly string[] | undefined {
  if (text.length > maxClaimLength) return undefined;
  return find(text, 0, { begin: true, end: true })?.map((span) => (span ? text.slice(...span) : ""));
}

/** Whether `source` (the `value` of a rule) matches a claim's text, and what its groups matched: {@link compileClaimValue}. Throws `bad_parameter`. */
export function matchClaim(source: string, text: string): readonly string[] | undefined {
  return compileClaimValue(source).match(text);
}
