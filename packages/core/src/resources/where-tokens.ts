import { GatehouseError, escapeLine } from "../base/index.ts";

/** A token of a rule's expression; `shown` is it for an error message. */
export interface Token {
  readonly type: "name" | "text" | "sign";
  readonly text: string;
  readonly shown: string;
}

const maxLength = 4096;
const token = /\s+|([A-Za-z_][A-Za-z0-9_]*)|("(?:[^"\\\n]|\\.)*")|`([^`]*)`|(&&|\|\||[!()[\],.])/y;

/** Splits Go expression syntax into tokens. Throws `bad_parameter`. */
export function tokenize(source: string): Token[] {
  const bad = (message: string): GatehouseError => new GatehouseError("bad_parameter", message);
  if (source.length > maxLength) throw bad(`an expression has at most ${maxLength} characters`);
  const tokens: Token[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < source.length) {
    const from = token.lastIndex;
    const match = token.exec(source);
    if (!match) throw bad(`cannot read the expression at "${escapeLine(source.slice(from, from + 20))}"`);
    const [, name, quoted, raw, sign] = match;
    if (name !== undefined) tokens.push({ type: "name", text: name, shown: `"${name}"` });
    else if (quoted !== undefined) tokens.push({ type: "text", text: unquote(quoted), shown: escapeLine(quoted) });
    else if (raw !== undefined) tokens.push({ type: "text", text: raw, shown: escapeLine(`\`${raw}\``) });
    else if (sign !== undefined) tokens.push({ type: "sign", text: sign, shown: `"${sign}"` });
  }
  return tokens;
}

/** Go's interpreted string literal, of which JSON's is a part; other escapes are refused. */
function unquote(quoted: string): string {
  try {
    return String(JSON.parse(quoted));
  } catch (error) {
    throw new GatehouseError("bad_parameter", `cannot read the text ${escapeLine(quoted)}`, { cause: error });
  }
}
