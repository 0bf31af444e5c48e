import { escapeLine } from "../base/index.ts";
import type { Role, Traits } from "../resources/index.ts";
import { denialsOf } from "./kube-deny.ts";
import { prepareKubeRole, type KubeRole, type NameField } from "./kube-role.ts";
import { nothingAllows, reasonIn } from "./reason.ts";
import type { KubeDecision, KubeTarget, Reason } from "./types.ts";

/** What the roles that select a cluster come to for one kind of names. */
interface Collected {
  /** Names that are left, and why. */
  readonly allowed: ReadonlyMap<string, Reason>;
  /** What took the others. */
  readonly denied: ReadonlySet<Reason>;
  readonly notes: readonly Reason[];
}

/** Whose traits are decided about. */
export interface KubeSubject {
  readonly traits: Traits;
  /** As in `RoleSetOptions`. */
  readonly externalTraitsOnly: boolean;
  /** The person's own name; undefined where nobody in particular is meant. */
  readonly userName: string | undefined;
}

/**
 * Decides which groups and user names a person has in a cluster: the union over roles whose `allow.kubernetes_labels` select it, minus deny
 * ({@link denialsOf}). Where no role names users it is the person's own name, which deny may take too.
 */
export function kubeDecider(roles: readonly Role[], { traits, externalTraitsOnly, userName }: KubeSubject): (target: KubeTarget) => KubeDecision {
  const prepared = roles.map((role) => prepareKubeRole(role, traits, externalTraitsOnly));
  return (target) => {
    const cluster = escapeLine(target.name);
    const selecting = prepared.filter((one) => one.allowOn.matches(target.labels));
    const groups = collect(prepared, selecting, "kubernetes_groups", target, (role, name) => `role ${role} gives group "${name}" in cluster ${cluster}`);
    const users = collect(prepared, selecting, "kubernetes_users", target, (role, name) => `role ${role} gives user name "${name}" in cluster ${cluster}`);
    const refuse = (...reasons: Reason[]): KubeDecision => ({ allowed: false, groups: [], users: [], nodeProxy: false, reasons });
    if (groups.allowed.size === 0) {
      const why = selecting.length > 0 ? `no role gives a Kubernetes group in cluster ${cluster}` : `no role selects cluster ${cluster} by its labels`;
      return refuse(...groups.denied, nothingAllows(why), ...groups.notes);
    }
    if (users.allowed.size === 0) {
      const own = users.denied.size === 0 && userName !== undefined ? denialsOf(prepared, "kubernetes_users", target)(userName) : undefined;
      const taken = own ? [own] : [...users.denied];
      if (taken.length > 0) return refuse(...taken, ...users.notes);
    }
    return {
      allowed: true,
      groups: [...groups.allowed.keys()].sort(),
      users: [...users.allowed.keys()].sort(),
      nodeProxy: selecting.some((one) => one.role.spec.options.kubernetes_node_proxy),
      reasons: [...groups.allowed.values(), ...users.allowed.values(), ...groups.denied, ...users.denied, ...groups.notes, ...users.notes],
    };
  };
}

function collect(prepared: readonly KubeRole[], selecting: readonly KubeRole[], field: NameField, target: KubeTarget, say: (role: string, name: string) => string): Collected {
  const denial = denialsOf(prepared, field, target);
  const allowed = new Map<string, Reason>();
  const denied = new Set<Reason>();
  const notes: Reason[] = [];
  for (const { role, [field]: names } of selecting) {
    for (const { name, index } of names.given) {
      const refusal = denial(name);
      if (refusal) denied.add(refusal);
      else if (!allowed.has(name)) allowed.set(name, reasonIn(role, "allow", ["spec", "allow", field, index], say(role.metadata.name, escapeLine(name))));
    }
    for (const { index, text } of names.dropped) notes.push(reasonIn(role, "deny", ["spec", "allow", field, index], text));
  }
  return { allowed, denied, notes };
}
