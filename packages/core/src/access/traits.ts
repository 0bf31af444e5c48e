import { escapeLine } from "../base/index.ts";
import { fill, parseTemplate, traitValues, variableOf, type Template, type Traits, type Variable } from "../resources/index.ts";

/** A value that a role names, after its variable was filled. */
export interface Expanded {
  readonly value: string;
  /** Which variable it is from, in whole or in part; undefined for a literal. */
  readonly from: Variable | undefined;
}

/** What one value of a role becomes. */
export interface Expansion {
  readonly values: readonly Expanded[];
  /** Why there is none, in words; undefined where there are some. */
  readonly problem: string | undefined;
}

// Templates depend on their text alone, so all role sets share them, and what is compiled for them.
const parsed = new Map<string, Template | undefined>();
const maxParsed = 5000;

function templateOf(text: string): Template | undefined {
  if (!text.includes("{{") && !text.includes("}}")) return { literal: text };
  if (parsed.has(text)) return parsed.get(text);
  let template: Template | undefined;
  try {
    template = parseTemplate(text);
  } catch {
    // Roles are checked when they are written; one that came another way gives nothing.
  }
  if (parsed.size >= maxParsed) parsed.clear();
  parsed.set(text, template);
  return template;
}

/**
 * Fills a value's variable from the traits (reference §2.5): many values, or none with the reason. What a function makes nothing of is left
 * out, and so is what would leave text around a variable, or a function, with nothing in it.
 */
export function expand(text: string, traits: Traits): Expansion {
  const template = templateOf(text);
  if (!template) return { values: [], problem: `${escapeLine(text)} is no variable` };
  if ("literal" in template) return { values: [{ value: template.literal, from: undefined }], problem: undefined };
  const { before, filler, after } = template;
  const from = variableOf(filler);
  const given = traitValues(traits, from.name);
  if (given.length === 0) return { values: [], problem: `the trait "${escapeLine(from.name)}" is not set` };
  const bare = !("call" in filler) && before === "" && after === "";
  const values = new Set<string>();
  for (const value of given) {
    const filled = fill(filler, value);
    if (filled !== undefined && (filled !== "" || bare)) values.add(before + filled + after);
  }
  return { values: Array.from(values, (value) => ({ value, from })), problem: values.size === 0 ? `no value of the trait "${escapeLine(from.name)}" fits` : undefined };
}
