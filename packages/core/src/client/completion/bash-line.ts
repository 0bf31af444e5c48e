/** The beginning of a line, up to the cursor, as bash reads it. */
export interface BashLine {
  /** Words before the one at the cursor, without the program's, unquoted. */
  readonly words: readonly string[];
  /** The word at the cursor, unquoted; and as it was typed. */
  readonly current: string;
  readonly raw: string;
  /** The quote that is open at the cursor, and how much of `current` stands before it. */
  readonly quote: "" | "'" | '"';
  readonly beforeQuote: number;
  /** A quote was closed within the word: readline's idea of it cannot be known. */
  readonly patched: boolean;
  /** It is a file's name, behind `<` or `>`. */
  readonly redirected: boolean;
}

interface Word {
  current: string;
  raw: string;
  quote: "" | "'" | '"';
  beforeQuote: number;
  patched: boolean;
  begun: boolean;
}

const newWord = (): Word => ({ current: "", raw: "", quote: "", beforeQuote: 0, patched: false, begun: false });

/** What a backslash stands before: it loses its meaning in double quotes but there. */
const escapable = new Set(["$", "`", '"', "\\"]);

/** Reads a line up to the cursor. Nothing is expanded. */
export function readBashLine(line: string): BashLine {
  let words: string[] = [];
  let word = newWord();
  let redirected = false;
  const end = (): void => {
    if (word.begun && !redirected) words.push(word.current);
    if (word.begun) redirected = false;
    word = newWord();
  };
  for (let at = 0; at < line.length; at++) {
    const char = line[at] ?? "";
    const { quote } = word;
    const plain = quote === "";
    if (plain && /\s/.test(char)) {
      end();
      continue;
    }
    if (plain && /[<>|;&(]/.test(char)) {
      end();
      redirected = char === "<" || char === ">";
      if (!redirected) words = [];
      continue;
    }
    word.begun = true;
    word.raw += char;
    if (quote !== "" && char === quote) {
      word.quote = "";
      word.patched = true;
    } else if (plain && (char === "'" || char === '"')) {
      word.quote = char;
      word.beforeQuote = word.current.length;
    } else if (char === "\\" && quote !== "'") {
      const next = line[at + 1];
      if (next === undefined) break;
      at++;
      word.raw += next;
      word.current += plain || escapable.has(next) ? next : `\\${next}`;
    } else word.current += char;
  }
  const { current, raw, quote, beforeQuote, patched } = word;
  return { words: words.slice(1), current, raw, quote, beforeQuote, patched, redirected };
}

/** A word for bash, so that it is one word and that word alone, whatever is in it. Control characters may not be. */
export const bashWord = (text: string): string => text.replace(/[^A-Za-z0-9_./:@%+=,\u0080-\uffff-]/g, (char) => `\\${char}`);

/**
 * Where in a typed word what readline replaces begins: behind its last unquoted break (`COMP_WORDBREAKS`). An `@` that is one belongs to what comes after it:
 * readline tells names of hosts by it.
 */
function lastBreak(raw: string, breaks: string): number {
  let found = 0;
  for (let at = 0; at < raw.length; at++) {
    const char = raw[at] ?? "";
    if (char === "\\") at++;
    else if (breaks.includes(char)) found = char === "@" ? at : at + 1;
  }
  return found;
}

/**
 * What to put in the place of the word at the cursor for it to become `value`, as readline wants it: the part behind the last break, quoted like the part
 * that is there. `final`: a space follows. Undefined where that cannot be.
 */
export function bashReply(line: BashLine, breaks: string, value: string, final: boolean): string | undefined {
  const { current, quote, beforeQuote, patched, raw } = line;
  if (patched || !value.startsWith(current)) return undefined;
  if (quote === "'") return value.includes("'") ? undefined : value.slice(beforeQuote);
  // Within double quotes nothing keeps `!` from the history.
  if (quote === '"') return value.includes("!") ? undefined : value.slice(beforeQuote).replace(/[$`"\\]/g, "\\$&");
  const word = bashWord(value);
  const from = lastBreak(raw, breaks);
  return word.startsWith(raw.slice(0, from)) ? `${word.slice(from)}${final ? " " : ""}` : undefined;
}
