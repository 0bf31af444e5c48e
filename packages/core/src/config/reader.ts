import { LineCounter, isAlias, isMap, isNode, isScalar, isSeq, parseDocument, type Document, type Node } from "yaml";
import { GatehouseError, didYouMean, errorMessage, limits } from "../base/index.ts";
import { yamlError } from "../resources/index.ts";

/** A value of the file, and where it stands. */
export interface Place {
  readonly node: Node;
  /** Such as `proxy_service.kubernetes.public_addr[0]`. */
  readonly path: string;
}

/** A file being read: gathers what is wrong with it. */
export interface Reading {
  readonly file: string;
  /** The node that an alias stands for, or the node itself. */
  resolve(node: Node): Node;
  problem(place: Place, problem: string): void;
  warn(place: Place, warning: string): void;
}

/** Reads one value; undefined where it is wrong, which has then been told to the reading. */
export type Reader<T> = (reading: Reading, place: Place) => T | undefined;

const maxProblems = 20;
const maxAliases = 100;

/** Whether a value is left empty (`key:`, `key: ~`, `key: null`): as good as absent. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && node.type === "PLAIN" && ["", "~", "null", "Null", "NULL"].includes(String(node.value));
}

/** Text of a scalar. */
export const text: Reader<string> = (reading, place) => {
  const { node } = place;
  const value = isScalar(node) ? String(node.value) : undefined;
  if (value !== undefined && value !== "" && !value.includes("\0")) return value;
  reading.problem(place, value === undefined ? "is not a single value" : value === "" ? "is empty" : "has a NUL character");
  return undefined;
};

/** What is wrong with a text, as the end of a sentence that begins with it. */
export interface TextProblem {
  readonly problem: string;
}

function isProblem(result: unknown): result is TextProblem {
  return typeof result === "object" && result !== null && "problem" in result;
}

/** A text that `parse` takes. */
export function parsed<R>(parse: (text: string) => R): Reader<Exclude<R, TextProblem>> {
  return (reading, place) => {
    const value = text(reading, place);
    if (value === undefined) return undefined;
    const result = parse(value);
    if (!isProblem(result)) return result as Exclude<R, TextProblem>;
    reading.problem(place, `"${value}" ${result.problem}`);
    return undefined;
  };
}

/** Go's and v3's words for yes and no. */
export const boolean: Reader<boolean> = parsed((value) => {
  const word = value.toLowerCase();
  if (["yes", "yeah", "y", "true", "1", "on"].includes(word)) return true;
  if (["no", "nope", "n", "false", "0", "off"].includes(word)) return false;
  return { problem: "is neither yes nor no" };
});

/** One of these words, whatever its case. `also` maps other spellings to them. */
export function oneOf<const T extends string>(words: readonly T[], also: Readonly<Record<string, T>> = {}): Reader<T> {
  return parsed((value) => {
    const word = value.toLowerCase();
    return words.find((known) => known === word) ?? also[word] ?? { problem: `is not one of ${words.join(", ")}${didYouMean(word, words)}` };
  });
}

/** A whole number within bounds. */
export function integer(min: number, max: number): Reader<number> {
  return parsed((value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    return number >= min && number <= max ? number : { problem: `is not a whole number from ${min} to ${max}` };
  });
}

/** A list, or one value in its stead. */
export function listOf<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (reading, place) => {
    if (!isSeq(place.node)) {
      const only = reader(reading, place);
      return only === undefined ? undefined : [only];
    }
    const values = place.node.items.map((item, index) => {
      const path = `${place.path}[${index}]`;
      const node = isNode(item) ? reading.resolve(item) : undefined;
      if (node && !isEmpty(node)) return reader(reading, { node, path });
      reading.problem({ node: node ?? place.node, path }, "is empty");
      return undefined;
    });
    return values.filter((value) => value !== undefined);
  };
}

/** Entries of a map, its keys checked to be single values. */
function entries(reading: Reading, place: Place): readonly (readonly [string, Place, Place | undefined])[] | undefined {
  const { node, path } = place;
  if (!isMap(node)) {
    reading.problem(place, "is not a section of keys and values");
    return undefined;
  }
  return node.items.flatMap(({ key, value }) => {
    if (!isScalar(key)) {
      reading.problem(place, "has a key that is not a single word");
      return [];
    }
    const name = String(key.value);
    const at = path === "" ? name : `${path}.${name}`;
    const resolved = isNode(value) ? reading.resolve(value) : undefined;
    return [[name, { node: key, path: at }, resolved && !isEmpty(resolved) ? { node: resolved, path: at } : undefined] as const];
  });
}

/** A map of names to texts. */
export const textMap: Reader<Readonly<Record<string, string>>> = (reading, place) => {
  const pairs = (entries(reading, place) ?? []).map(([name, , value]) => [name, value ? (text(reading, value) ?? "") : ""] as const);
  return Object.fromEntries(pairs);
};

type Values<S extends Readonly<Record<string, Reader<unknown>>>> = { readonly [K in keyof S]?: S[K] extends Reader<infer T> ? T | undefined : never };

/** A section whose keys are known; any other key is a problem that names the nearest known one. */
export function section<S extends Readonly<Record<string, Reader<unknown>>>>(keys: S): Reader<Values<S> & { readonly at: Place }> {
  const known = Object.keys(keys);
  return (reading, place) => {
    const found = entries(reading, place);
    if (!found) return undefined;
    const values: Record<string, unknown> = {};
    for (const [name, key, value] of found) {
      const reader = Object.hasOwn(keys, name) ? keys[name] : undefined;
      if (!reader) reading.problem(key, `unknown key${didYouMean(name, known)}`);
      else if (value) values[name] = reader(reading, value);
    }
    return { ...values, at: place } as Values<S> & { readonly at: Place };
  };
}

/** A key of v3 that has no effect here: any value, and a warning with the reason. */
export function ignored(reason: string): Reader<never> {
  return (reading, place) => {
    reading.warn(place, reason);
    return undefined;
  };
}

/** A key that must not be there. */
export function refused(reason: string): Reader<never> {
  return (reading, place) => {
    reading.problem(place, reason);
    return undefined;
  };
}

function openDocument(yaml: string, file: string, lines: LineCounter): Document.Parsed {
  if (Buffer.byteLength(yaml) > limits.resourceFile) {
    throw new GatehouseError("limit_exceeded", `${file} is larger than ${limits.resourceFile} bytes`);
  }
  // Every scalar stays text: what is a boolean or a number is said by the key, in v3's words.
  const document = parseDocument(yaml, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const [first] = document.errors;
  if (first) {
    throw yamlError(yaml, file, first.pos[0], first.code === "MULTIPLE_DOCS" ? "there is a second document" : first.message, lines);
  }
  return document;
}

/**
 * Reads a YAML file by its reader. Throws `bad_parameter` with everything that is wrong, one `file:line:column path: problem` a line;
 * `limit_exceeded` for a file over 1 MiB. Returns undefined for an empty file.
 */
export function readYaml<T>(yaml: string, file: string, reader: Reader<T>): { readonly value: T | undefined; readonly warnings: readonly string[] } {
  const lines = new LineCounter();
  let document;
  try {
    document = openDocument(yaml, file, lines);
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    throw new GatehouseError("bad_parameter", `${file} is not valid YAML: ${errorMessage(error)}`, { cause: error });
  }
  const problems: string[] = [];
  const warnings: string[] = [];
  let aliases = 0;
  const line = ({ node, path }: Place, message: string): string => {
    const { line, col } = lines.linePos(node.range?.[0] ?? 0);
    return `${file}:${line}:${col} ${path === "" ? message : `${path}: ${message}`}`;
  };
  const reading: Reading = {
    file,
    resolve(node) {
      if (!isAlias(node)) return node;
      aliases += 1;
      if (aliases > maxAliases) throw new GatehouseError("limit_exceeded", `${file} has more than ${maxAliases} aliases`);
      const target = node.resolve(document);
      if (target) return target;
      throw new GatehouseError("bad_parameter", line({ node, path: "" }, `the alias *${node.source} stands for nothing`));
    },
    problem(place, problem) {
      if (problems.length < maxProblems) problems.push(line(place, problem));
    },
    warn(place, warning) {
      warnings.push(line(place, warning));
    },
  };
  const root = document.contents;
  const value = root === null || isEmpty(root) ? undefined : reader(reading, { node: root, path: "" });
  if (problems.length > 0) throw new GatehouseError("bad_parameter", problems.join("\n"));
  return { value, warnings };
}
