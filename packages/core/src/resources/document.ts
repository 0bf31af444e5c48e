import { LineCounter, isAlias, isMap, isScalar, isSeq, parseAllDocuments, type Document, type Node } from "yaml";
import { GatehouseError, escapeLine, escapeText, limits } from "../base/index.ts";
import { formatPath, type Path } from "./path.ts";
import type { Position } from "./types.ts";
import { guardYaml } from "./yaml-guard.ts";

/** One YAML document: its plain value, and where its parts are in the file. */
export interface SourceDocument {
  readonly value: unknown;
  /** Position of a value, or of the key of a field; where there is none, of the nearest thing around it. */
  find(path: Path, at: "value" | "key"): Position;
  /** Position of exactly this value, or undefined. */
  findExactly(path: Path): Position | undefined;
}

const maxNodes = 100_000;
const maxAliases = 100;
const excerptWidth = 160;
const secretLine = /secret|password|token|private|BEGIN/i;

/**
 * The documents of a YAML or JSON text; empty ones are left out. Duplicate keys, merge keys, unknown tags, and aliases that grow beyond measure are
 * refused. Throws `bad_parameter` with `file:line:column`, the line and a caret.
 */
export function readDocuments(text: string, file: string): SourceDocument[] {
  if (Buffer.byteLength(text) > limits.resourceFile) {
    throw new GatehouseError("bad_parameter", `${file} is larger than ${limits.resourceFile / 1024} KiB`, { hint: "split it into several files" });
  }
  guardYaml(text, file);
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false, merge: false });
  if (!Array.isArray(documents)) return [];
  const found: SourceDocument[] = [];
  for (const document of documents) {
    const [fault] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (fault) throw syntaxError(text, file, lines, fault.pos[0], plainWords(fault.message));
    const at = (node: Node): Position => position(lines, node.range?.[0] ?? 0);
    const reader = new Reader(document, (node, message) => syntaxError(text, file, lines, node.range?.[0] ?? 0, message));
    const root = document.contents;
    if (root === null) continue;
    const value = reader.read(root, 0);
    if (value === null) continue;
    found.push({
      value,
      find(path, what) {
        const { node, key } = walk(document, root, path);
        return at(what === "key" ? (key ?? node) : node);
      },
      findExactly(path) {
        const { node, complete } = walk(document, root, path);
        return complete ? at(node) : undefined;
      },
    });
  }
  return found;
}

/** Turns nodes into plain values, with bounds. */
class Reader {
  readonly #document: Document;
  readonly #fail: (node: Node, message: string) => GatehouseError;
  #nodes = 0;
  #aliases = 0;

  constructor(document: Document, fail: (node: Node, message: string) => GatehouseError) {
    this.#document = document;
    this.#fail = fail;
  }

  read(node: unknown, depth: number): unknown {
    if (node === null || node === undefined) return null;
    this.#nodes += 1;
    if (isAlias(node)) {
      this.#aliases += 1;
      if (this.#aliases > maxAliases) throw this.#fail(node, `more than ${maxAliases} aliases`);
      const target = node.resolve(this.#document);
      if (!target || depth > 300) throw this.#fail(node, `the alias *${escapeLine(node.source)} stands for nothing that can be used`);
      return this.read(target, depth + 1);
    }
    if (isScalar(node)) {
      if (this.#nodes > maxNodes) throw this.#fail(node, `more than ${maxNodes} values`);
      return node.value;
    }
    if (isSeq(node)) return node.items.map((item) => this.read(item, depth + 1));
    if (!isMap(node)) return null;
    if (this.#nodes > maxNodes) throw this.#fail(node, `more than ${maxNodes} values`);
    const value: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const { key, value: item } of node.items) {
      const name = keyName(key);
      if (name === undefined) throw this.#fail(isScalar(key) || isMap(key) || isSeq(key) || isAlias(key) ? key : node, "a key must be text");
      if (seen.has(name)) throw this.#fail(isScalar(key) ? key : node, `the key "${escapeLine(name)}" is there twice`);
      if (name === "__proto__") throw this.#fail(isScalar(key) ? key : node, 'the key "__proto__" cannot be used');
      seen.add(name);
      value[name] = this.read(item, depth + 1);
    }
    return value;
  }
}

/** A key as text: numbers and truth values as they are written. */
function keyName(key: unknown): string | undefined {
  if (!isScalar(key) || key.value === null) return undefined;
  return typeof key.value === "string" ? key.value : (key.source ?? JSON.stringify(key.value));
}

interface Found {
  readonly node: Node;
  readonly key: Node | undefined;
  readonly complete: boolean;
}

function walk(document: Document, root: Node, path: Path): Found {
  let node = root;
  let key: Node | undefined;
  for (const part of path) {
    const target: unknown = isAlias(node) ? node.resolve(document) : node;
    let next: unknown;
    let nextKey: unknown;
    if (isMap(target)) {
      const pair = target.items.find((item) => keyName(item.key) === String(part));
      next = pair?.value;
      nextKey = pair?.key;
      // A field without a value is where its key is.
      if (pair && !isNode(next)) next = nextKey;
    } else if (isSeq(target) && typeof part === "number") next = target.items[part];
    // A list of one is written as its only item.
    else if (isScalar(target) && part === 0) next = target;
    if (!isNode(next)) return { node, key, complete: false };
    node = next;
    key = isNode(nextKey) ? nextKey : undefined;
  }
  return { node, key, complete: true };
}

function isNode(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value) || isAlias(value);
}

function position(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

/** The parser's message without its own vocabulary. */
function plainWords(message: string): string {
  const unexpected = /^Unexpected \S+ token in YAML stream: (.*)$/s.exec(message) ?? /^Unexpected \S+(?: in \S+(?: \S+)?)?: (.*)$/s.exec(message);
  const words = unexpected ? `unexpected ${unexpected[1] ?? ""}` : `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  return escapeLine(words.length > 200 ? `${words.slice(0, 200)}…` : words);
}

/** What the YAML parser says about a place of a text, in plain words, with the line and a caret. */
export function yamlError(text: string, file: string, offset: number, message: string, lines: LineCounter): GatehouseError {
  return syntaxError(text, file, lines, offset, plainWords(message));
}

function syntaxError(text: string, file: string, lines: LineCounter, offset: number, message: string): GatehouseError {
  const { line, column } = position(lines, offset);
  const head = `${file} is not valid YAML: ${file}:${line}:${column} ${message}`;
  return new GatehouseError("bad_parameter", `${head}${excerpt(text.split("\n")[line - 1] ?? "", column)}`);
}

/** The line and a caret below the column; nothing for a line that may hold a secret. */
function excerpt(line: string, column: number): string {
  const clean = line.replace(/\r$/, "").replaceAll("\t", " ");
  if (clean.trim() === "" || secretLine.test(clean)) return "";
  const from = Math.max(0, column - excerptWidth / 2);
  const before = escapeText(clean.slice(from, column - 1));
  const rest = escapeText(clean.slice(column - 1, from + excerptWidth));
  return `\n${before}${rest}\n${" ".repeat(before.length)}^`;
}

/** `file:line:column path`, for a problem. */
export function describePlace(file: string, where: Position, path: Path): string {
  return `${file}:${where.line}:${where.column} ${formatPath(path)}`.trimEnd();
}
