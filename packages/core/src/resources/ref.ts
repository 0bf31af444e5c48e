import { GatehouseError, escapeLine, nearest } from "../base/index.ts";
import type { ResourceRef } from "./types.ts";

/** Words that name a kind in a reference (reference §8.2), the bare kind names that v3 forgot among them. */
export const resourceKinds: ReadonlyMap<string, ResourceRef["kind"]> = new Map<string, ResourceRef["kind"]>([
  ["role", "role"],
  ["roles", "role"],
  ["user", "user"],
  ["users", "user"],
  ["github", "github"],
  ["oidc", "oidc"],
  ["saml", "saml"],
  ["connector", "connectors"],
  ["connectors", "connectors"],
  ["cluster_auth_preference", "cluster_auth_preference"],
  ["cluster_authentication_preferences", "cluster_auth_preference"],
  ["cap", "cluster_auth_preference"],
  ["token", "token"],
  ["tokens", "token"],
  ["lock", "lock"],
  ["locks", "lock"],
  ["bot", "bot"],
  ["bots", "bot"],
  ["node", "node"],
  ["nodes", "node"],
]);

const maxLength = 512;

/**
 * Parses `kind` or `kind/name`; the separators are `/`, space and tab, the kind may be any shortcut in any case (reference §8.2). A `/` after the first
 * one belongs to the name: new names have none, but what an older version stored has to be found. Throws `bad_parameter`.
 */
export function parseRef(text: string): ResourceRef {
  const fail = (message: string, hint?: string): GatehouseError => new GatehouseError("bad_parameter", message, { hint });
  if (text.length > maxLength) throw fail(`a resource name has at most ${maxLength} characters`);
  const parts = text.split(/[/ \t]/);
  const start = parts.findIndex((part) => part !== "");
  const word = parts[start];
  if (word === undefined) throw fail("missing resource name", "name a kind or kind/name, such as roles or roles/admin");
  const rest = text.slice(parts.slice(0, start + 1).join("/").length).replace(/^[/ \t]+|[/ \t]+$/g, "");
  const name = rest === "" ? undefined : rest;
  if (/[ \t]/.test(rest)) throw fail(`failed to parse '${escapeLine(text)}'`, "write it as kind/name, such as roles/admin");
  const kind = resourceKinds.get(word.toLowerCase());
  if (kind === undefined) {
    const known = [...resourceKinds.keys()];
    const near = nearest(word, known);
    throw fail(`unsupported resource: ${escapeLine(word)}`, near === undefined ? `known: ${known.join(", ")}` : `did you mean "${near}"?`);
  }
  return name === undefined ? { kind } : { kind, name };
}

/** `kind` or `kind/name`, as {@link parseRef} reads it. */
export function formatRef(ref: ResourceRef): string {
  return ref.name === undefined ? ref.kind : `${ref.kind}/${ref.name}`;
}
