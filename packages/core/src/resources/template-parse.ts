import { GatehouseError, didYouMean, escapeLine } from "../base/index.ts";
import { compileReplace } from "./regexp-replace.ts";
import type { Filler, Variable } from "./types.ts";

const namespaces = ["internal", "external"] as const;
const internalNames = ["logins", "kubernetes_groups"];
const functions = ["email.local", "regexp.replace"];
const maxDepth = 4;

function bad(message: string): GatehouseError {
  return new GatehouseError("bad_parameter", message);
}

/** Why the inside of a `{{…}}` cannot be read. */
function unreadable(body: string, shown: string): GatehouseError {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(body)) return bad(`${shown} names no trait; write it as {{external.name}} or {{external["name"]}}`);
  if (/^[A-Za-z_]\w*\s*\.\s*\w+-/.test(body)) return bad(`${shown} cannot be read; write a name with a dash as {{external["some-name"]}}`);
  return bad(`${shown} cannot be read; write it as {{external.name}} or {{external["name"]}}`);
}

function variable(word: string, name: string, shown: string): Variable {
  const namespace = namespaces.find((known) => known === word);
  if (namespace === undefined) throw bad(`unknown function "${word}" in ${shown}${didYouMean(word, namespaces) || "; known: internal, external"}`);
  if (namespace === "internal" && !internalNames.includes(name)) {
    throw bad(`unknown variable "internal.${escapeLine(name)}" in ${shown}${didYouMean(name, internalNames) || `; known: ${internalNames.map((known) => `internal.${known}`).join(", ")}`}`);
  }
  return { namespace, name };
}

/**
 * Reads what is between `{{` and `}}`: `external.name`, `external["a-b"]`, `email.local(…)`, `regexp.replace(…, "pattern", "replacement")`. `shown` is the whole value, safe
 * for a terminal. Throws `bad_parameter`.
 */
export function parseFiller(body: string, shown: string): Filler {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    const sticky = new RegExp(`\\s*(?:${pattern.source})\\s*`, "y");
    sticky.lastIndex = at;
    const match = sticky.exec(body);
    if (!match) return undefined;
    at = sticky.lastIndex;
    return match[0].trim();
  };
  const word = (): string => {
    const found = take(/[A-Za-z_][A-Za-z0-9_]*/);
    if (found === undefined) throw unreadable(body, shown);
    return found;
  };
  const text = (what: string): string => {
    const found = take(/"(?:[^"\\\u0000-\u001f]|\\["\\])*"|`[^`\u0000-\u001f]*`/);
    if (found !== undefined) return found.startsWith("`") ? found.slice(1, -1) : found.slice(1, -1).replace(/\\(["\\])/g, "$1");
    if (take(/"(?:[^"\\]|\\.)*"/) !== undefined) throw bad(`${shown} cannot be read: write a backslash between double quotes as \\\\, or put the text between \` and \``);
    throw what === "" ? unreadable(body, shown) : bad(what);
  };

  const filler = (depth: number): Filler => {
    if (depth > maxDepth) throw bad(`${shown} cannot be read: its functions are nested too deeply`);
    const words = [word()];
    while (take(/\./) !== undefined) words.push(word());
    if (take(/\(/) !== undefined) return call(words.join("."), depth);
    const [first = "", second, ...more] = words;
    if (second === undefined && take(/\[/) !== undefined) {
      const name = text("");
      if (name === "" || take(/\]/) === undefined) throw unreadable(body, shown);
      return variable(first, name, shown);
    }
    if (second === undefined || more.length > 0) throw unreadable(body, shown);
    return variable(first, second, shown);
  };

  const call = (name: string, depth: number): Filler => {
    if (name === "email.local") {
      const usage = `email.local in ${shown} takes one variable: {{email.local(external.email)}}`;
      const of = filler(depth + 1);
      if (take(/\)/) === undefined) throw bad(usage);
      return { call: "email.local", of };
    }
    if (name === "regexp.replace") {
      const usage = `regexp.replace in ${shown} takes a variable, a pattern and a replacement: {{regexp.replace(external.name, "^team-(.+)$", "$1")}}`;
      const of = filler(depth + 1);
      const argument = (): string => {
        if (take(/,/) === undefined) throw bad(usage);
        return text(usage);
      };
      const pattern = argument();
      const replacement = argument();
      if (take(/\)/) === undefined) throw bad(usage);
      checkReplace(pattern, replacement, shown);
      return { call: "regexp.replace", of, pattern, replacement };
    }
    throw bad(`unknown function "${name}" in ${shown}${didYouMean(name, functions) || `; known: ${functions.join(", ")}`}`);
  };

  const found = filler(0);
  if (at < body.length) throw unreadable(body, shown);
  return found;
}

function checkReplace(pattern: string, replacement: string, shown: string): void {
  try {
    compileReplace(pattern, replacement);
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    throw new GatehouseError("bad_parameter", `${shown}: ${error.message}`, { hint: error.hint });
  }
}
