import { GatehouseError } from "../base/index.ts";
import { anyChar, parseRegexp, type RegexpNode } from "./regexp-parse.ts";
import type { Pattern, Reading } from "./pattern.ts";

/** Longest source of a pattern, in characters. */
export const maxPatternLength = 1024;
const maxStates = 4000;
const maxSteps = 20_000;

/** A state of the machine: consumes one character, forks, or accepts. */
type State = { readonly test: (char: number) => boolean; next: number } | { fork: number[] } | "accept";

/**
 * A set-of-states machine (Thompson's): its time is text × states, and no pattern can make it backtrack, which JavaScript's own
 * RegExp does. Throws `bad_parameter`.
 */
export function compileRegexp(body: string, reading: Reading): Pattern {
  const states: State[] = ["accept"];
  const add = (state: State): number => {
    if (states.length >= maxStates) throw tooLarge();
    return states.push(state) - 1;
  };
  // Counted apart from states: repeating what is empty adds none.
  let steps = 0;
  const emit = (node: RegexpNode, next: number): number => {
    steps += 1;
    if (steps > maxSteps) throw tooLarge();
    switch (node.type) {
      case "char":
        return add({ test: node.test, next });
      case "sequence":
        return node.parts.reduceRight((after, part) => emit(part, after), next);
      case "choice":
        return add({ fork: node.options.map((option) => emit(option, next)) });
      case "repeat": {
        let start = next;
        if (node.max === Infinity) {
          const loop = { fork: [next] };
          start = add(loop);
          loop.fork.push(emit(node.part, start));
        } else {
          for (let count = node.min; count < node.max; count += 1) start = add({ fork: [next, emit(node.part, start)] });
        }
        for (let count = 0; count < node.min; count += 1) start = emit(node.part, start);
        return start;
      }
    }
  };
  const tree = parseRegexp(body);
  const begin = emit(reading === "broad" ? broaden(tree) : tree, 0);
  return { matches: (text) => run(states, begin, text) };
}

function tooLarge(): GatehouseError {
  return new GatehouseError("bad_parameter", "the regular expression cannot be used: it is too large");
}

/** `^a|b|c$` as RE2 reads it: `a.*|.*b.*|.*c`. */
function broaden(tree: RegexpNode): RegexpNode {
  if (tree.type !== "choice") return tree;
  const anything: RegexpNode = { type: "repeat", part: { type: "char", test: anyChar }, min: 0, max: Infinity };
  const lastIndex = tree.options.length - 1;
  const options = tree.options.map((option, index): RegexpNode => ({
    type: "sequence",
    parts: [...(index > 0 ? [anything] : []), option, ...(index < lastIndex ? [anything] : [])],
  }));
  return { type: "choice", options };
}

function run(states: readonly State[], begin: number, text: string): boolean {
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
      if (entry === "accept") accepts = true;
      else if (entry !== undefined && "fork" in entry) pending.push(...entry.fork);
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
