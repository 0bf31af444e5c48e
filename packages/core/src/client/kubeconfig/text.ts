import { isDeepStrictEqual } from "node:util";
import { isCollection, isMap, isNode, isScalar, isSeq, parseDocument, stringify, type Document, type Node, type Pair, type YAMLMap } from "yaml";
import { sections } from "./entries.ts";

/** A replacement of part of a text. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Thrown where the source is written in a way that cannot be edited in place. */
class Unusual extends Error {}

const rangeOf = (node: unknown): readonly [start: number, end: number] => {
  if (!isNode(node) || !node.range) throw new Unusual();
  return [node.range[0], node.range[1]];
};

const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1;
const lineEnd = (text: string, at: number): number => {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
};

/** Start of the line that an item's dash is on, and the dash's indentation. */
function dashLine(source: string, item: Node): { readonly start: number; readonly indent: string } {
  const [at] = rangeOf(item);
  const start = lineStart(source, at);
  const indent = /^( *)- +$/.exec(source.slice(start, at))?.[1];
  if (indent === undefined) throw new Unusual();
  return { start, indent };
}

/** Where a collection of the source ends: the line after its last line of content. */
function contentEnd(source: string, item: Node): number {
  const last: unknown = isCollection(item) && item.flow !== true ? item.items.at(-1) : undefined;
  const value: unknown = last !== undefined && !isNode(last) ? ((last as Pair).value ?? (last as Pair).key) : last;
  if (isNode(value)) return contentEnd(source, value);
  return lineEnd(source, Math.max(rangeOf(item)[1] - 1, rangeOf(item)[0]));
}

function renderItem(item: unknown, indent: string): string {
  const text = stringify([isNode(item) ? item.toJSON() : item], { lineWidth: 0, indentSeq: false });
  return text.replace(/^(?=.)/gm, indent);
}

/** The pristine pair of the source for a key. */
function pairOf(root: YAMLMap, key: string): Pair | undefined {
  return root.items.find((pair) => isScalar(pair.key) && pair.key.value === key);
}

/** An edit right behind the colon of a key, in front of a comment. */
function afterColon(source: string, pair: Pair): number {
  const colon = source.indexOf(":", rangeOf(pair.key)[1]);
  if (colon < 0) throw new Unusual();
  return colon + 1;
}

function editList(source: string, pair: Pair, before: readonly Node[], after: readonly unknown[]): readonly Edit[] {
  if (before.length === after.length && before.every((item, index) => item === after[index])) return [];
  const colon = afterColon(source, pair);
  const [first] = before;
  if (!first) {
    const [start, end] = isNode(pair.value) ? rangeOf(pair.value) : [colon, colon];
    if (source.slice(colon, start).trim() !== "" || source.slice(start, end).includes("\n")) throw new Unusual();
    const next = lineEnd(source, end);
    const newline = source[next - 1] === "\n" ? "" : "\n";
    return [
      { start: colon, end, text: "" },
      { start: next, end: next, text: newline + after.map((item) => renderItem(item, "")).join("") },
    ];
  }
  if (!isCollection(pair.value) || pair.value.flow === true) throw new Unusual();
  const places = before.map((item) => dashLine(source, item));
  const end = contentEnd(source, before.at(-1) ?? first);
  const slices = new Map(before.map((item, index) => [item, source.slice(places[index]?.start, places[index + 1]?.start ?? end)]));
  const indent = places[0]?.indent ?? "";
  const closed = (text: string): string => (text.endsWith("\n") ? text : `${text}\n`);
  const text = after.map((item) => closed((isNode(item) ? slices.get(item) : undefined) ?? renderItem(item, indent))).join("");
  return [{ start: places[0]?.start ?? end, end, text }, ...(after.length === 0 ? [{ start: colon, end: colon, text: " []" }] : [])];
}

function editScalar(source: string, pair: Pair, value: unknown): readonly Edit[] {
  if (isScalar(pair.value) && pair.value.value === value) return [];
  if (!isScalar(pair.value)) throw new Unusual();
  const colon = afterColon(source, pair);
  const [start, end] = rangeOf(pair.value);
  const text = stringify(value, { lineWidth: 0 }).trimEnd();
  return [start === end ? { start: colon, end: colon, text: ` ${text}` } : { start, end, text }];
}

function edited(source: string, document: Document): string {
  const pristine = parseDocument(source);
  const root = pristine.contents;
  const now = document.contents;
  if (!isMap(root) || !isMap(now) || root.flow === true) throw new Unusual();
  const edits: Edit[] = [];
  const additions: string[] = [];
  for (const key of [...sections, "current-context"]) {
    const pair = pairOf(root, key);
    const value: unknown = now.get(key, true);
    if (!pair) {
      if (isNode(value)) additions.push(stringify({ [key]: value.toJSON() as unknown }, { lineWidth: 0, indentSeq: false }));
    } else if (key === "current-context") {
      edits.push(...editScalar(source, pair, now.get(key)));
    } else if (isSeq(value)) {
      // Items that were not touched are known by where they stood: a changed one is a new node without a place.
      const before = isSeq(pair.value) ? pair.value.items.filter(isNode) : [];
      const after = value.items.map((item) => before.find((old) => isNode(item) && item.range?.[0] === old.range?.[0] && item.range !== undefined && item.range !== null) ?? item);
      edits.push(...editList(source, pair, before, after));
    }
  }
  let text = source;
  for (const edit of edits.toSorted((a, b) => b.start - a.start)) text = text.slice(0, edit.start) + edit.text + text.slice(edit.end);
  if (additions.length === 0) return text;
  return `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}${additions.join("")}`;
}

/**
 * The text of a changed kubeconfig: the source with the changed entries alone replaced, every other byte as it was. A source that is written in
 * an unusual way (JSON, flow collections, a dash on a line of its own) is written anew, with its comments.
 */
export function kubeconfigText(source: string | undefined, document: Document): string {
  if (source !== undefined) {
    try {
      const text = edited(source, document);
      if (isDeepStrictEqual(parseDocument(text).toJS(), document.toJS())) return text;
    } catch (error) {
      if (!(error instanceof Unusual)) throw error;
    }
  }
  return document.toString({ lineWidth: 0, indentSeq: false, flowCollectionPadding: false });
}
