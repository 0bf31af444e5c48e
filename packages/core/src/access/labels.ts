import { compilePattern, type LabelSelector, type Pattern, type Traits } from "../resources/index.ts";
import { expand } from "./traits.ts";

/** Labels of a host or cluster. */
export type Labels = Readonly<Record<string, string>>;

/** A selector with its variables filled. */
export interface Matcher {
  /** Whether it selects nothing by itself: there are no labels in it. */
  readonly empty: boolean;
  matches(labels: Labels): boolean;
}

type Side = "allow" | "deny";

const never: Pattern = { matches: () => false };
const always: Pattern = { matches: () => true };

// Patterns depend on their text alone, so all role sets share them.
const compiled = { allow: new Map<string, Pattern>(), deny: new Map<string, Pattern>() };
const maxCompiled = 5000;

function pattern(source: string, side: Side): Pattern {
  const cache = compiled[side];
  const known = cache.get(source);
  if (known) return known;
  let made: Pattern;
  try {
    made = compilePattern(source, side === "deny" ? "broad" : "strict");
  } catch {
    // Roles are checked when they are written; a pattern that came another way never allows and always denies.
    made = side === "deny" ? always : never;
  }
  if (cache.size >= maxCompiled) cache.clear();
  cache.set(source, made);
  return made;
}

/**
 * Patterns of one value. A trait's value is a literal under allow, for a trait of `*` must not open every host, and an empty one is none; under deny it
 * is a pattern too, as in v3, since that can only deny more.
 */
function patternsOf(text: string, traits: Traits, side: Side): Pattern[] {
  return expand(text, traits).values.flatMap(({ value, from }) => {
    if (from === undefined) return [pattern(value, side)];
    if (value === "" && side === "allow") return [];
    const literal: Pattern = { matches: (label) => label === value };
    return side === "deny" ? [literal, pattern(value, side)] : [literal];
  });
}

/** Keys that a templated key stands for: under allow the trait's first value, as in v3; under deny any of them. */
function keysOf(key: string, traits: Traits, side: Side): readonly string[] {
  const keys = expand(key, traits).values.map(({ value }) => value);
  return side === "deny" ? keys : keys.slice(0, 1);
}

/**
 * A selector as a test of labels (reference §8.4): every key has to be there with one of its values; `*: *` selects everything, an empty
 * selector nothing. A variable without a trait matches no label.
 */
export function compileSelector(selector: LabelSelector, traits: Traits, side: Side): Matcher {
  const entries = Object.entries(selector);
  if (entries.length === 0) return { empty: true, matches: () => false };
  if (Object.hasOwn(selector, "*") && selector["*"]?.includes("*") === true) return { empty: false, matches: () => true };
  const wanted: { readonly keys: readonly string[]; readonly patterns: readonly Pattern[] }[] = entries.map(([key, values]) => ({
    keys: keysOf(key, traits, side),
    patterns: values.flatMap((value) => patternsOf(value, traits, side)),
  }));
  return {
    empty: false,
    matches: (labels) =>
      wanted.every(({ keys, patterns }) =>
        keys.some((key) => {
          if (!Object.hasOwn(labels, key)) return false;
          const label = labels[key] ?? "";
          return patterns.some((one) => one.matches(label));
        }),
      ),
  };
}
