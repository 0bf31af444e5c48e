import { anyChar, parseRegexp, type RegexpNode } from "./regexp-parse.ts";
import { compileProgram, type Program } from "./regexp-program.ts";
import type { Pattern, Reading } from "./pattern.ts";

/** Longest source of a pattern, in characters. */
export const maxPatternLength = 1024;

/**
 * A set-of-states machine (Thompson's): its time is text × states, and no pattern can make it backtrack, which JavaScript's own
 * RegExp does. Throws `bad_parameter`.
 */
export function compileRegexp(body: string, reading: Reading): Pattern {
  const { tree } = parseRegexp(body);
  const program = compileProgram(reading === "broad" ? broaden(tree) : tree, false);
  return { matches: (text) => run(program, text) };
}

/** `^a|b|c$` as RE2 reads it: `a.*|.*b.*|.*c`. */
function broaden(tree: RegexpNode): RegexpNode {
  if (tree.type !== "choice") return tree;
  const anything: RegexpNode = { type: "repeat", part: { type: "char", test: anyChar }, min: 0, max: Infinity, lazy: false };
  const lastIndex = tree.options.length - 1;
  const options = tree.options.map((option, index): RegexpNode => ({
    type: "sequence",
    parts: [...(index > 0 ? [anything] : []), option, ...(index < lastIndex ? [anything] : [])],
  }));
  return { type: "choice", options };
}

function run({ states, begin }: Program, text: string): boolean {
  // The mark of a state is the step that added it last: no clearing between characters.
  const marks = new Uint32Array(states.length);
  /** Adds what a state reaches without a character; tells whether that accepts. */
  const enter = (state: number, into: number[], step: number): boolean => {
    let accepts = false;
    const pending = [state];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (marks[at] === step) continue;
      marks[at] = step;
      const entry = states[at];
      if (entry === undefined) continue;
      if (entry === "accept") accepts = true;
      else if ("fork" in entry) pending.push(...entry.fork);
      else if ("slot" in entry) pending.push(entry.next);
      else into.push(at);
    }
    return accepts;
  };
  let step = 1;
  let current: number[] = [];
  let accepted = enter(begin, current, step);
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const following: number[] = [];
    step += 1;
    accepted = false;
    for (const at of current) {
      const entry = states[at];
      if (typeof entry === "object" && "test" in entry && entry.test(code) && enter(entry.next, following, step)) accepted = true;
    }
    if (following.length === 0 && !accepted) return false;
    current = following;
  }
  return accepted;
}
