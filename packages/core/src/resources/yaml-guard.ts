import { Lexer } from "yaml";
import { GatehouseError } from "../base/index.ts";

const maxFlowDepth = 64;
const maxLineDepth = 32;
const maxIndent = 200;
const maxDocuments = 1000;

/**
 * Looks at the tokens of a text before it is parsed, because the parser is recursive: deep nesting can end the process, not only throw.
 * Throws `bad_parameter` for nesting or numbers of documents that no person writes.
 */
export function guardYaml(text: string, file: string): void {
  let flow = 0;
  let inLine = 0;
  let documents = 0;
  let lineStart = true;
  let scalarNext = false;
  const fail = (what: string): never => {
    throw new GatehouseError("bad_parameter", `${file} cannot be read: it is ${what}`);
  };
  for (const token of new Lexer().lex(text)) {
    // The lexer marks documents, scalars and errors by control characters that are not part of the text.
    const mark = token.length === 1 && (token === "\u0002" || token === "\u001f" || token === "\u0018" || token === "\ufeff");
    if (scalarNext) scalarNext = false;
    else if (token === "\u0002" || token === "---") {
      documents += 1;
      if (documents > 2 * maxDocuments) fail(`of more than ${maxDocuments} documents`);
    } else if (token === "\u001f") scalarNext = true;
    else if (token === "\n" || token === "\r\n") {
      inLine = 0;
      lineStart = true;
      continue;
    } else if (token === "[" || token === "{") {
      flow += 1;
      if (flow > maxFlowDepth) fail("nested too deeply");
    } else if (token === "]" || token === "}") flow = Math.max(0, flow - 1);
    else if (token === "-" || token === "?" || token === ":") {
      inLine += 1;
      if (flow === 0 && inLine > maxLineDepth) fail("nested too deeply");
    } else if (lineStart && flow === 0 && token.length > maxIndent && /^[ \t]+$/.test(token)) fail("indented too deeply");
    if (!mark) lineStart = false;
  }
}
