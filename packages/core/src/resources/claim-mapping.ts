import { GatehouseError, escapeLine } from "../base/index.ts";
import { compileClaimValue, maxClaimLength, type ClaimValue } from "./claim-value.ts";
import { expandGroups, groupsProblem } from "./expand-groups.ts";
import { nameProblem } from "./schema/metadata.ts";
import { roleNameProblem } from "./schema/role.ts";
import type { Traits } from "./types.ts";

/** One rule of a connector: whoever has the claim or attribute `name` with a value like `value` gets `roles`. */
export interface AttributeMapping {
  readonly name: string;
  /** A literal with `*`, or `^…$`. */
  readonly value: string;
  /** Names of roles, in which `$1` and `${1}` stand for what `value` matched. */
  readonly roles: readonly string[];
}

/** What one rule came to. */
export interface MappingOutcome {
  readonly name: string;
  readonly value: string;
  readonly matched: boolean;
  /** Values of the attribute that matched, as they came; text from outside. */
  readonly by: readonly string[];
  /** Roles that the rule gives. */
  readonly roles: readonly string[];
  /** Why it gives less than it might, in sentences that are safe for a terminal. */
  readonly problems: readonly string[];
}

/** Roles of a person and how they came about. */
export interface MappedRoles {
  /** Each once, in the order of the rules. */
  readonly roles: readonly string[];
  /** One outcome for each rule, in their order. */
  readonly rules: readonly MappingOutcome[];
}

/** What `$1`, `${1}` in a role become, where {@link mappingProblems} finds nothing wrong; undefined otherwise. */
export function expandRole(template: string, captures: readonly string[]): string | undefined {
  return expandGroups(template, captures);
}

/** What is wrong with a rule, for the schema of a connector. `field` tells where; roles carry their index. */
export function mappingProblems(value: string, roles: readonly string[]): readonly { readonly field: "value" | "roles"; readonly index?: number; readonly message: string }[] {
  const compiled = compileOrTell(value);
  if (typeof compiled === "string") return [{ field: "value", message: compiled }];
  return roles.flatMap((role, index) => {
    const problem = groupsProblem(role, compiled.groups) ?? problemOfRole(role.replaceAll(/\$(?:\d+|\{\d+\})/g, "x"), role);
    return problem === undefined ? [] : [{ field: "roles", index, message: problem } as const];
  });
}

/**
 * Maps claims or attributes to roles (reference §2.2). Every value of an attribute is compared, and each that matches gives the rule's roles. A role
 * that is no valid name of a role after its expansion is dropped, and `problems` says so. Pure; never throws.
 */
export function mapAttributes(mappings: readonly AttributeMapping[], attributes: Traits): MappedRoles {
  const rules = mappings.map((mapping) => outcomeOf(mapping, attributes));
  return { roles: [...new Set(rules.flatMap((rule) => rule.roles))], rules };
}

function outcomeOf({ name, value, roles: templates }: AttributeMapping, attributes: Traits): MappingOutcome {
  const given = Object.hasOwn(attributes, name) ? (attributes[name] ?? []) : [];
  const compiled = compileOrTell(value);
  if (typeof compiled === "string") return { name, value, matched: false, by: [], roles: [], problems: [compiled] };
  const by: string[] = [];
  const roles = new Set<string>();
  const problems = new Set<string>();
  for (const text of new Set(given)) {
    if (text.length > maxClaimLength) problems.add(`a value has more than ${maxClaimLength} characters and is not compared`);
    const captures = compiled.match(text);
    if (!captures) continue;
    by.push(text);
    for (const template of templates) {
      const role = expandRole(template, captures);
      const problem = role === undefined ? groupsProblem(template, compiled.groups) : problemOfRole(role);
      if (role !== undefined && problem === undefined) roles.add(role);
      else problems.add(problem ?? "");
    }
  }
  return { name, value, matched: by.length > 0, by, roles: [...roles], problems: [...problems] };
}

function problemOfRole(role: string, written = role): string | undefined {
  const shown = escapeLine(written.slice(0, 80));
  const syntax = nameProblem(role);
  if (syntax !== undefined) return `"${shown}" is no name of a role: it ${syntax}`;
  return roleNameProblem(role);
}

function compileOrTell(value: string): ClaimValue | string {
  try {
    return compileClaimValue(value);
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
  }
}
