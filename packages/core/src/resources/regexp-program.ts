import { GatehouseError } from "../base/index.ts";
import type { RegexpNode } from "./regexp-parse.ts";

const maxStates = 4000;
const maxSteps = 20_000;

/**
 * A state of the machine: consumes one character, forks (the way that is preferred first), notes where in the text it is, or accepts.
 * Slots 2n and 2n+1 are the begin and the end of group n.
 */
export type State = { readonly test: (char: number) => boolean; next: number } | { readonly fork: readonly number[] } | { readonly slot: number; readonly next: number } | "accept";

/** States of which 0 is the one that accepts. */
export interface Program {
  readonly states: readonly State[];
  readonly begin: number;
}

/** The machine (Thompson's) of a regular expression. `groups` tells whether it notes where groups are. Throws `bad_parameter`. */
export function compileProgram(tree: RegexpNode, groups: boolean): Program {
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
      case "group": {
        if (!groups || node.index === undefined) return emit(node.part, next);
        const end = add({ slot: 2 * node.index + 1, next });
        return add({ slot: 2 * node.index, next: emit(node.part, end) });
      }
      case "repeat": {
        const ways = (more: number): number[] => (node.lazy ? [next, more] : [more, next]);
        let start = next;
        if (node.max === Infinity) {
          const fork: number[] = [];
          start = add({ fork });
          fork.push(...ways(emit(node.part, start)));
        } else {
          for (let count = node.min; count < node.max; count += 1) start = add({ fork: ways(emit(node.part, start)) });
        }
        for (let count = 0; count < node.min; count += 1) start = emit(node.part, start);
        return start;
      }
    }
  };
  return { states, begin: emit(tree, 0) };
}

function tooLarge(): GatehouseError {
  return new GatehouseError("bad_parameter", "the regular expression cannot be used: it is too large");
}
