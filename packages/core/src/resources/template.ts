import { GatehouseError, escapeLine } from "../base/index.ts";
import { parseFiller } from "./template-parse.ts";
import type { Template } from "./types.ts";

const maxLength = 1024;

function bad(message: string): GatehouseError {
  return new GatehouseError("bad_parameter", message);
}

/**
 * Parses a value that may have a variable: `{{internal.logins}}`, `{{external["a-b"]}}`, `team-{{external.team}}`, `{{email.local(external.email)}}`,
 * `{{regexp.replace(external.x, "^(.+)-ops$", "$1")}}`; other text is a literal. Only `internal.logins` and `internal.kubernetes_groups` exist there.
 * Throws `bad_parameter`.
 */
export function parseTemplate(text: string): Template {
  if (!text.includes("{{") && !text.includes("}}")) return { literal: text };
  if (text.length > maxLength) throw bad(`a value with a variable has at most ${maxLength} characters`);
  const trimmed = text.trim();
  const shown = escapeLine(trimmed);
  const begin = trimmed.indexOf("{{");
  const end = begin < 0 ? -1 : endOf(trimmed, begin + 2);
  if (end < 0 || trimmed.slice(0, begin).includes("}}")) throw bad(`${shown} is no variable: "{{" and "}}" must both be there`);
  const after = trimmed.slice(end + 2);
  if (after.includes("{{")) throw bad(`more than one variable is not supported: ${shown}`);
  const filler = parseFiller(trimmed.slice(begin + 2, end).trim(), shown);
  if (after.includes("}}")) throw bad(`${shown} is no variable: "{{" and "}}" must both be there`);
  return { before: trimmed.slice(0, begin), filler, after };
}

/** Where the `}}` is that ends a variable: not one between quotes. -1 where there is none. */
function endOf(text: string, from: number): number {
  let quote: string | undefined;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    if (quote !== undefined) {
      if (char === "\\" && quote === '"') at += 1;
      else if (char === quote) quote = undefined;
    } else if (char === '"' || char === "`") quote = char;
    else if (char === "}" && text[at + 1] === "}") return at;
  }
  return -1;
}
