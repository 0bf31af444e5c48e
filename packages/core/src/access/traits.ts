import { parseTemplate, type Template, type Traits } from "../resources/index.ts";

/** A value that a role names, after its variable was filled. */
export interface Expanded {
  readonly value: string;
  /** Which variable it is from; undefined for a literal. */
  readonly from: { readonly namespace: "internal" | "external"; readonly name: string } | undefined;
}

/** What one value of a role becomes. */
export interface Expansion {
  readonly values: readonly Expanded[];
  /** Why there is none, in words; undefined where there are some. */
  readonly problem: string | undefined;
}

/** The values of a trait: only its own property counts, whatever it is called. */
export function traitValues(traits: Traits, name: string): readonly string[] {
  return Object.hasOwn(traits, name) ? (traits[name] ?? []) : [];
}

function templateOf(text: string): Template | undefined {
  try {
    return parseTemplate(text);
  } catch {
    // Roles are checked when they are written; one that came another way gives nothing.
    return undefined;
  }
}

/** Fills a value's variable from the traits (reference §2.5): many values, or none with the reason. */
export function expand(text: string, traits: Traits): Expansion {
  const template = templateOf(text);
  if (!template) return { values: [], problem: `${text} is no variable` };
  if ("literal" in template) return { values: [{ value: template.literal, from: undefined }], problem: undefined };
  const values = traitValues(traits, template.name).map((value) => ({ value, from: template }));
  return { values, problem: values.length === 0 ? `the trait "${template.name}" is not set` : undefined };
}
