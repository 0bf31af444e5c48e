import { GatehouseError } from "../base/index.ts";

/** A parsed regular expression. */
export type RegexpNode =
  | { readonly type: "char"; readonly test: (char: number) => boolean }
  | { readonly type: "sequence"; readonly parts: readonly RegexpNode[] }
  | { readonly type: "choice"; readonly options: readonly RegexpNode[] }
  | { readonly type: "repeat"; readonly part: RegexpNode; readonly min: number; readonly max: number; readonly lazy: boolean }
  /** `index` is the group's number, from 1; undefined for `(?:…)`. */
  | { readonly type: "group"; readonly part: RegexpNode; readonly index: number | undefined };

/** A regular expression and how many groups of it are numbered. */
export interface ParsedRegexp {
  readonly tree: RegexpNode;
  readonly groups: number;
}

type Range = readonly [number, number];
const digits: readonly Range[] = [[48, 57]];
const word: readonly Range[] = [[48, 57], [65, 90], [95, 95], [97, 122]];
const space: readonly Range[] = [[9, 10], [12, 13], [32, 32]];
const classes: Readonly<Record<string, readonly [readonly Range[], boolean]>> = {
  d: [digits, false],
  D: [digits, true],
  w: [word, false],
  W: [word, true],
  s: [space, false],
  S: [space, true],
};
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9 };
const maxDepth = 32;
const maxRepeat = 1000;

/** Any character at all. */
export const anyChar = (): boolean => true;

function within(ranges: readonly Range[], negated: boolean): (char: number) => boolean {
  return (char) => ranges.some(([low, high]) => char >= low && char <= high) !== negated;
}

/**
 * Parses the part of RE2's syntax that needs no memory of what was matched: literals, `.`, classes, groups, `|`, `* + ? {n,m}`.
 * What else there is (anchors inside, flags, back-references, look-around) is refused by name. Throws `bad_parameter`.
 */
export function parseRegexp(body: string): ParsedRegexp {
  const chars = Array.from(body);
  let at = 0;
  let groups = 0;
  const bad = (what: string): GatehouseError => new GatehouseError("bad_parameter", `the regular expression cannot be used: ${what}`);
  const code = (char: string): number => char.codePointAt(0) ?? 0;

  const choice = (depth: number): RegexpNode => {
    if (depth > maxDepth) throw bad("its groups are nested too deeply");
    const options = [sequence(depth)];
    while (chars[at] === "|") {
      at += 1;
      options.push(sequence(depth));
    }
    const [only] = options;
    return options.length === 1 && only ? only : { type: "choice", options };
  };

  const sequence = (depth: number): RegexpNode => {
    const parts: RegexpNode[] = [];
    while (at < chars.length && chars[at] !== "|" && chars[at] !== ")") parts.push(repeated(atom(depth)));
    const [only] = parts;
    return parts.length === 1 && only ? only : { type: "sequence", parts };
  };

  const repeated = (part: RegexpNode): RegexpNode => {
    const repetition = quantifier();
    if (!repetition) return part;
    if (quantifier()) throw bad("a repetition of a repetition needs parentheses");
    return { type: "repeat", part, ...repetition };
  };

  const quantifier = (): { readonly min: number; readonly max: number; readonly lazy: boolean } | undefined => {
    const char = chars[at];
    let range: readonly [number, number] | undefined;
    if (char === "*") range = [0, Infinity];
    else if (char === "+") range = [1, Infinity];
    else if (char === "?") range = [0, 1];
    else if (char === "{") {
      const match = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(chars.slice(at, at + 12).join(""));
      if (!match) return undefined;
      const min = Number(match[1]);
      const max = match[2] === undefined ? min : match[3] === undefined ? Infinity : Number(match[3]);
      if (min > maxRepeat || (max !== Infinity && (max > maxRepeat || max < min))) throw bad(`${match[0]} is no repetition (at most ${maxRepeat})`);
      at += match[0].length - 1;
      range = [min, max];
    } else return undefined;
    at += 1;
    const lazy = chars[at] === "?";
    if (lazy) at += 1;
    return { min: range[0], max: range[1], lazy };
  };

  const atom = (depth: number): RegexpNode => {
    const char = chars[at] ?? "";
    at += 1;
    switch (char) {
      case "(": {
        let index: number | undefined;
        if (chars[at] === "?") {
          if (chars[at + 1] !== ":") throw bad("groups that begin with (? are not supported, but for (?:");
          at += 2;
        } else {
          groups += 1;
          index = groups;
        }
        const part = choice(depth + 1);
        if (chars[at] !== ")") throw bad('a "(" is not closed');
        at += 1;
        return { type: "group", part, index };
      }
      case "[":
        return { type: "char", test: bracket() };
      case ".":
        return { type: "char", test: (other) => other !== 10 };
      case "\\": {
        const escape = escaped();
        return { type: "char", test: typeof escape === "number" ? (other) => other === escape : escape };
      }
      case "^":
      case "$":
        throw bad(`"${char}" is only allowed at the ends`);
      case "*":
      case "+":
      case "?":
        throw bad(`there is nothing before "${char}" to repeat`);
      default: {
        const wanted = code(char);
        return { type: "char", test: (other) => other === wanted };
      }
    }
  };

  const escaped = (): number | ((char: number) => boolean) => {
    const char = chars[at];
    if (char === undefined) throw bad('it ends in "\\"');
    at += 1;
    if (Object.hasOwn(controls, char)) return controls[char] ?? 0;
    const known = Object.hasOwn(classes, char) ? classes[char] : undefined;
    if (known) return within(known[0], known[1]);
    if (/[A-Za-z0-9]/.test(char)) throw bad(`"\\${char}" is not supported`);
    return code(char);
  };

  const bracket = (): ((char: number) => boolean) => {
    const negated = chars[at] === "^";
    if (negated) at += 1;
    const tests: ((char: number) => boolean)[] = [];
    for (let first = true; chars[at] !== "]" || first; first = false) {
      const low = member();
      if (typeof low !== "number") {
        tests.push(low);
        continue;
      }
      let high = low;
      if (chars[at] === "-" && chars[at + 1] !== "]") {
        at += 1;
        const end = member();
        if (typeof end !== "number" || end < low) throw bad("a range in [ ] is the wrong way round");
        high = end;
      }
      tests.push(within([[low, high]], false));
    }
    at += 1;
    return (char) => tests.some((test) => test(char)) !== negated;
  };

  const member = (): number | ((char: number) => boolean) => {
    const char = chars[at];
    if (char === undefined) throw bad('a "[" is not closed');
    if (char === "[" && chars[at + 1] === ":") throw bad("[:name:] classes are not supported");
    at += 1;
    return char === "\\" ? escaped() : code(char);
  };

  const tree = choice(0);
  if (at < chars.length) throw bad('a ")" has no "(" before it');
  return { tree, groups };
}
