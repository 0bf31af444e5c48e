import { GatehouseError, didYouMean, escapeLine } from "../base/index.ts";
import type { Template } from "./types.ts";

const namespaces = ["internal", "external"] as const;
const internalNames = ["logins", "kubernetes_groups"];
const maxLength = 1024;
const inside = /^([A-Za-z_][A-Za-z0-9_]*)\s*(?:\.\s*([A-Za-z_][A-Za-z0-9_]*)|\[\s*(?:"([^"\\\u0000-\u001f]+)"|`([^`\u0000-\u001f]+)`)\s*\])$/;

function bad(message: string, hint?: string): GatehouseError {
  return new GatehouseError("bad_parameter", message, { hint });
}

/** Why the inside of a `{{…}}` is no variable. */
function explain(body: string, shown: string): GatehouseError {
  const call = /^([A-Za-z_][A-Za-z0-9_.]*)\s*\(/.exec(body);
  if (call) return bad(`unknown function "${call[1] ?? ""}" in ${shown}; only {{internal.…}} and {{external.…}} are variables`);
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(body)) return bad(`${shown} names no trait; write it as {{external.name}} or {{external["name"]}}`);
  if (/^[A-Za-z_]\w*\s*\.\s*\w+-/.test(body)) return bad(`${shown} cannot be read; write a name with a dash as {{external["some-name"]}}`);
  return bad(`${shown} cannot be read; write it as {{external.name}} or {{external["name"]}}`);
}

/**
 * Parses a value that may be a variable: `{{internal.logins}}`, `{{external.groups}}`, `{{external["a-b"]}}`; other text is a literal (reference §2.5).
 * Only `internal.logins` and `internal.kubernetes_groups` exist there; text around a variable is refused. Throws `bad_parameter`.
 */
export function parseTemplate(text: string): Template {
  if (!text.includes("{{") && !text.includes("}}")) return { literal: text };
  if (text.length > maxLength) throw bad(`a variable has at most ${maxLength} characters`);
  const trimmed = text.trim();
  const shown = escapeLine(trimmed);
  if (!trimmed.startsWith("{{") || !trimmed.endsWith("}}") || trimmed.length < 4) {
    if (trimmed.includes("{{") !== trimmed.includes("}}")) return failUnclosed(shown);
    throw bad(`text around a variable is not supported: ${shown}; the whole value must be one {{…}}`);
  }
  const body = trimmed.slice(2, -2).trim();
  if (body.includes("{{") || body.includes("}}")) throw bad(`more than one variable is not supported: ${shown}; the whole value must be one {{…}}`);
  const match = inside.exec(body);
  if (!match) throw explain(body, shown);
  const [, word = "", ...names] = match;
  const name = names.join("");
  const namespace = namespaces.find((known) => known === word);
  if (namespace === undefined) throw bad(`unknown function "${word}" in ${shown}${didYouMean(word, namespaces) || "; known: internal, external"}`);
  if (namespace === "internal" && !internalNames.includes(name)) {
    throw bad(`unknown variable "internal.${escapeLine(name)}" in ${shown}${didYouMean(name, internalNames) || `; known: ${internalNames.map((known) => `internal.${known}`).join(", ")}`}`);
  }
  return { namespace, name };
}

function failUnclosed(shown: string): never {
  throw bad(`${shown} is no variable: "{{" and "}}" must both be there`);
}
