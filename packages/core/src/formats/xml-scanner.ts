import { GatehouseError } from "../base/index.ts";

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
// Everything that is no Char of XML 1.0 §2.2.
const noChar = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** What was wrong with a text that was to be XML. */
export function xmlProblem(problem: string): GatehouseError {
  return new GatehouseError("bad_parameter", `the XML ${problem}`);
}

/** A place in a text that is read from its beginning to its end, once. */
export class XmlScanner {
  readonly #text: string;
  #at = 0;

  /** Takes text with line ends made one (XML 1.0 §2.11). Throws `bad_parameter` for a character that no XML has. */
  constructor(text: string) {
    if (noChar.test(text)) throw xmlProblem("has a character that XML does not allow");
    this.#text = text.replaceAll(/\r\n?/g, "\n");
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Goes past this text, if it comes next. */
  take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false;
    this.#at += expected.length;
    return true;
  }

  /** Goes past what this sticky expression matches here; its match, or undefined. */
  match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  /** Everything before the next `end`, which is passed too. Throws `bad_parameter` where there is none. */
  until(end: string, what: string): string {
    const found = this.#text.indexOf(end, this.#at);
    if (found < 0) throw xmlProblem(`ends inside ${what}`);
    const inside = this.#text.slice(this.#at, found);
    this.#at = found + end.length;
    return inside;
  }
}

/** Text with its references replaced: the five entities of XML, and characters by number. Throws `bad_parameter` for any other. */
export function expandReferences(text: string): string {
  if (!text.includes("&")) return text;
  return text.replaceAll(/&([^;&]{0,16};)?/g, (_, name: string | undefined) => {
    const entity = name?.slice(0, -1) ?? "";
    const known = Object.hasOwn(entities, entity) ? entities[entity] : undefined;
    if (known !== undefined) return known;
    const number = /^#(?:x([0-9A-Fa-f]{1,6})|([0-9]{1,7}))$/.exec(entity);
    const code = number?.[1] === undefined ? Number(number?.[2] ?? "NaN") : Number.parseInt(number[1], 16);
    if (!(code <= 0x10ffff)) throw xmlProblem("has an entity that is not one of XML's own five");
    const char = String.fromCodePoint(code);
    if (noChar.test(char)) throw xmlProblem("has a character that XML does not allow");
    return char;
  });
}
