import { GatehouseError } from "../base/index.ts";
import { parseRegexp } from "./regexp-parse.ts";
import { compileProgram, type Program } from "./regexp-program.ts";

/** Most numbered groups in one expression. */
export const maxGroups = 16;

/** Where the whole (entry 0) and each group is in the text, as UTF-16 offsets; undefined for a group that took no part. */
export type Span = readonly [begin: number, end: number];

/** Which ends of the text the match has to reach. */
export interface Anchors {
  readonly begin: boolean;
  readonly end: boolean;
}

/** An expression that tells what its groups matched. */
export interface Capturing {
  /** Numbered groups in it. */
  readonly groups: number;
  /** Whether there are alternatives at the top, outside parentheses. */
  readonly alternatives: boolean;
  /** The leftmost match at or after `from`, preferring what RE2 prefers; undefined where there is none. Its time is text × states. */
  find(text: string, from: number, anchors: Anchors): readonly (Span | undefined)[] | undefined;
}

/** Compiles the body of an expression (without `^` and `$`). Throws `bad_parameter`. */
export function compileCapturing(body: string): Capturing {
  const { tree, groups } = parseRegexp(body);
  if (groups > maxGroups) throw new GatehouseError("bad_parameter", `the regular expression cannot be used: it has more than ${maxGroups} groups`, { hint: "write (?:…) for groups that are not used" });
  const program = compileProgram(tree, true);
  return { groups, alternatives: tree.type === "choice", find: (text, from, anchors) => search(program, 2 * (groups + 1), text, from, anchors) };
}

type Slots = readonly number[];

/** What the machine is in at one place of the text: states in the order of preference, each with its slots. */
interface Threads {
  readonly states: number[];
  readonly slots: Slots[];
}

/** Pike's machine: all ways at once, one character after the other; a state that a preferred way has reached already is not entered again. */
function search({ states, begin }: Program, width: number, text: string, from: number, anchors: Anchors): readonly (Span | undefined)[] | undefined {
  const marks = new Uint32Array(states.length);
  const none: Slots = new Array<number>(width).fill(-1);
  let step = 0;

  /** Follows what needs no character, the preferred way first. */
  const enter = (state: number, slots: Slots, offset: number, into: Threads): void => {
    const pending: { readonly state: number; readonly slots: Slots }[] = [{ state, slots }];
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (marks[next.state] === step) continue;
      marks[next.state] = step;
      const entry = states[next.state];
      if (entry === undefined) continue;
      if (entry !== "accept" && "fork" in entry) {
        for (let index = entry.fork.length - 1; index >= 0; index -= 1) pending.push({ state: entry.fork[index] ?? 0, slots: next.slots });
      } else if (entry !== "accept" && "slot" in entry) {
        const noted = next.slots.slice();
        noted[entry.slot] = offset;
        pending.push({ state: entry.next, slots: noted });
      } else {
        into.states.push(next.state);
        into.slots.push(next.slots);
      }
    }
  };

  let found: Slots | undefined;
  let current: Threads = { states: [], slots: [] };
  for (let offset = from; ; ) {
    step += 1;
    const code = text.codePointAt(offset);
    const following: Threads = { states: [], slots: [] };
    // A match further left is preferred, so a new one is begun last, and none once there is one.
    const entered: Threads = { states: [], slots: [] };
    for (const state of current.states) marks[state] = step;
    if (found === undefined && (offset === 0 || !anchors.begin)) {
      const slots = none.slice();
      slots[0] = offset;
      enter(begin, slots, offset, entered);
    }
    const now: Threads = { states: [...current.states, ...entered.states], slots: [...current.slots, ...entered.slots] };
    const after = offset + (code !== undefined && code > 0xffff ? 2 : 1);
    step += 1;
    for (const [index, state] of now.states.entries()) {
      const entry = states[state];
      const slots = now.slots[index];
      if (entry === undefined || slots === undefined) continue;
      if (entry === "accept") {
        if (anchors.end && code !== undefined) continue;
        const match = slots.slice();
        match[1] = offset;
        found = match;
        // What is less preferred than a match is given up.
        break;
      }
      if (code !== undefined && "test" in entry && entry.test(code)) enter(entry.next, slots, after, following);
    }
    if (code === undefined || (following.states.length === 0 && (found !== undefined || anchors.begin))) break;
    current = following;
    offset = after;
  }
  return found && spansOf(found);
}

function spansOf(slots: Slots): (Span | undefined)[] {
  const spans: (Span | undefined)[] = [];
  for (let slot = 0; slot < slots.length; slot += 2) {
    const [begin = -1, end = -1] = slots.slice(slot, slot + 2);
    spans.push(begin >= 0 && end >= 0 ? [begin, end] : undefined);
  }
  return spans;
}
