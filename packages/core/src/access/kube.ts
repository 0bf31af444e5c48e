import { escapeLine } from "../base/index.ts";
import { isKubernetesGroup, type Role, type Traits } from "../resources/index.ts";
import { compileSelector, type Matcher } from "./labels.ts";
import { nothingAllows, reasonIn } from "./reason.ts";
import { expand, type Expanded } from "./traits.ts";
import type { KubeDecision, KubeTarget, Reason } from "./types.ts";

/** A group that a role gives or denies, and which entry of the role says so. */
interface Group {
  readonly name: string;
  readonly index: number;
}

/** One role's part in decisions about Kubernetes, traits applied. */
interface KubeRole {
  readonly role: Role;
  readonly allowOn: Matcher;
  readonly groups: readonly Group[];
  /** Entries that gave no group, and why. */
  readonly dropped: readonly { readonly index: number; readonly text: string }[];
  readonly denyOn: Matcher;
  readonly denied: readonly Group[];
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

function prepare(role: Role, traits: Traits, externalTraitsOnly: boolean): KubeRole {
  const { allow, deny } = role.spec;
  const groups: Group[] = [];
  const dropped: { index: number; text: string }[] = [];
  for (const [index, text] of allow.kubernetes_groups.entries()) {
    const { values, problem } = expand(text, traits);
    if (problem !== undefined) dropped.push({ index, text: `${escapeLine(text)} gives no group: ${problem}` });
    for (const one of values) {
      const why = groupProblem(one, role, externalTraitsOnly);
      if (why === undefined) groups.push({ name: one.value, index });
      else dropped.push({ index, text: why });
    }
  }
  const denied = deny.kubernetes_groups.flatMap((text, index) => expand(text, traits).values.map(({ value }) => ({ name: value, index })));
  return {
    role,
    allowOn: compileSelector(allow.kubernetes_labels, traits, "allow"),
    groups,
    dropped,
    denyOn: compileSelector(deny.kubernetes_labels, traits, "deny"),
    denied,
    namesDenied: deny.kubernetes_groups.length > 0,
  };
}

/**
 * Decides which groups a person has in a cluster: the union over roles whose `allow.kubernetes_labels` select it, minus deny. A role denies
 * the groups it lists in the clusters that its `deny.kubernetes_labels` select, in every cluster where it has no such labels; `*` denies all groups;
 * labels without groups deny the cluster.
 */
export function kubeDecider(roles: readonly Role[], traits: Traits, externalTraitsOnly: boolean): (target: KubeTarget) => KubeDecision {
  const prepared = roles.map((role) => prepare(role, traits, externalTraitsOnly));
  return (target) => {
    const cluster = escapeLine(target.name);
    const denial = denialsOf(prepared, target, cluster);
    const allowed = new Map<string, Reason>();
    const denied = new Set<Reason>();
    const notes: Reason[] = [];
    let selected = false;
    let nodeProxy = false;
    for (const one of prepared) {
      if (!one.allowOn.matches(target.labels)) continue;
      selected = true;
      nodeProxy ||= one.role.spec.options.kubernetes_node_proxy;
      for (const { name, index } of one.groups) {
        const path = ["spec", "allow", "kubernetes_groups", index];
        const refusal = denial(name);
        if (refusal) denied.add(refusal);
        else if (!allowed.has(name)) {
          allowed.set(name, reasonIn(one.role, "allow", path, `role ${one.role.metadata.name} gives group "${escapeLine(name)}" in cluster ${cluster}`));
        }
      }
      for (const { index, text } of one.dropped) notes.push(reasonIn(one.role, "deny", ["spec", "allow", "kubernetes_groups", index], text));
    }
    if (allowed.size > 0) {
      const groups = [...allowed.keys()].sort();
      return { allowed: true, groups, nodeProxy, reasons: [...allowed.values(), ...denied, ...notes] };
    }
    const why = selected ? `no role gives a Kubernetes group in cluster ${cluster}` : `no role selects cluster ${cluster} by its labels`;
    return { allowed: false, groups: [], nodeProxy: false, reasons: [...denied, nothingAllows(why), ...notes] };
  };
}

/** Which denial meets a group in this cluster, if one does. */
function denialsOf(prepared: readonly KubeRole[], target: KubeTarget, cluster: string): (group: string) => Reason | undefined {
  let whole: Reason | undefined;
  const byGroup = new Map<string, Reason>();
  for (const { role, denyOn, denied, namesDenied } of prepared) {
    const { name } = role.metadata;
    if (!namesDenied) {
      if (denyOn.matches(target.labels)) whole ??= reasonIn(role, "deny", ["spec", "deny", "kubernetes_labels"], `role ${name} denies cluster ${cluster}`);
      continue;
    }
    if (!denyOn.empty && !denyOn.matches(target.labels)) continue;
    for (const { name: group, index } of denied) {
      const path = ["spec", "deny", "kubernetes_groups", index];
      if (group === "*") whole ??= reasonIn(role, "deny", path, `role ${name} denies every Kubernetes group in cluster ${cluster}`);
      else if (!byGroup.has(group)) byGroup.set(group, reasonIn(role, "deny", path, `role ${name} denies group "${escapeLine(group)}" in cluster ${cluster}`));
    }
  }
  return (group) => whole ?? byGroup.get(group);
}
