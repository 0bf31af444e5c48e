import { escapeLine } from "../base/index.ts";
import { isKubernetesGroup, isKubernetesUser, type Role, type Traits } from "../resources/index.ts";
import { compileSelector, type Matcher } from "./labels.ts";
import { expand, type Expanded } from "./traits.ts";

/** What of a role gives or denies names at Kubernetes. */
export type NameField = "kubernetes_groups" | "kubernetes_users";

/** A group or user name that a role gives or denies, and which entry of the role says so. */
export interface GivenName {
  readonly name: string;
  readonly index: number;
}

/** What a role gives and denies of one kind of names. */
export interface Names {
  readonly given: readonly GivenName[];
  /** Entries that gave nothing, and why. */
  readonly dropped: readonly { readonly index: number; readonly text: string }[];
  readonly denied: readonly GivenName[];
}

/** One role's part in decisions about Kubernetes, traits applied. */
export interface KubeRole extends Readonly<Record<NameField, Names>> {
  readonly role: Role;
  readonly allowOn: Matcher;
  readonly denyOn: Matcher;
  /** Whether deny names groups or users; where it does not, its labels deny whole clusters. */
  readonly namesDenied: boolean;
}

/** Prefix of the groups that Kubernetes keeps for itself. */
const systemPrefix = "system:";

/** Why an expanded value may not be a group of this role, or undefined. */
function groupProblem({ value, from }: Expanded, role: Role, externalTraitsOnly: boolean): string | undefined {
  const shown = escapeLine(value.slice(0, 80));
  if (value === "*" || !isKubernetesGroup(value)) return `"${shown}" is no group that can be sent to Kubernetes`;
  if (from === undefined || !value.startsWith(systemPrefix) || role.spec.options.allow_system_groups_from_traits) return undefined;
  if (from.namespace === "internal" && !externalTraitsOnly) return undefined;
  return `"${shown}" comes from the trait "${escapeLine(from.name)}", and the role does not say allow_system_groups_from_traits`;
}

function userProblem({ value }: Expanded): string | undefined {
  return isKubernetesUser(value) ? undefined : `"${escapeLine(value.slice(0, 80))}" is no user name that people may have at Kubernetes`;
}

function namesOf(role: Role, traits: Traits, field: NameField, problemOf: (value: Expanded) => string | undefined): Names {
  const given: GivenName[] = [];
  const dropped: { index: number; text: string }[] = [];
  for (const [index, text] of role.spec.allow[field].entries()) {
    const { values, problem } = expand(text, traits);
    if (problem !== undefined) dropped.push({ index, text: `${escapeLine(text)} gives no ${field === "kubernetes_groups" ? "group" : "user name"}: ${problem}` });
    for (const one of values) {
      const why = problemOf(one);
      if (why === undefined) given.push({ name: one.value, index });
      else dropped.push({ index, text: why });
    }
  }
  const denied = role.spec.deny[field].flatMap((text, index) => expand(text, traits).values.map(({ value }) => ({ name: value, index })));
  return { given, dropped, denied };
}

/** A role with a person's traits in it; `externalTraitsOnly` as in `RoleSetOptions`. */
export function prepareKubeRole(role: Role, traits: Traits, externalTraitsOnly: boolean): KubeRole {
  const { allow, deny } = role.spec;
  return {
    role,
    allowOn: compileSelector(allow.kubernetes_labels, traits, "allow"),
    denyOn: compileSelector(deny.kubernetes_labels, traits, "deny"),
    kubernetes_groups: namesOf(role, traits, "kubernetes_groups", (value) => groupProblem(value, role, externalTraitsOnly)),
    kubernetes_users: namesOf(role, traits, "kubernetes_users", userProblem),
    namesDenied: deny.kubernetes_groups.length > 0 || deny.kubernetes_users.length > 0,
  };
}
