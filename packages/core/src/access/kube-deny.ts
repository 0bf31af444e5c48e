import { escapeLine } from "../base/index.ts";
import type { KubeRole, NameField } from "./kube-role.ts";
import { reasonIn } from "./reason.ts";
import type { KubeTarget, Reason } from "./types.ts";

/** Which denial meets a name in one cluster, if one does. */
export type Denials = (name: string) => Reason | undefined;

const words: Readonly<Record<NameField, readonly [one: string, all: string]>> = {
  kubernetes_groups: ["group", "Kubernetes group"],
  kubernetes_users: ["user name", "Kubernetes user name"],
};

/**
 * What roles deny in a cluster: the names they list where their `deny.kubernetes_labels` select it, and everywhere if they have no such labels; `*` is all names;
 * labels without names deny the cluster.
 */
export function denialsOf(prepared: readonly KubeRole[], field: NameField, target: KubeTarget): Denials {
  const cluster = escapeLine(target.name);
  const [one, all] = words[field];
  let whole: Reason | undefined;
  const byName = new Map<string, Reason>();
  for (const { role, denyOn, namesDenied, [field]: names } of prepared) {
    const { name } = role.metadata;
    if (!namesDenied) {
      if (denyOn.matches(target.labels)) whole ??= reasonIn(role, "deny", ["spec", "deny", "kubernetes_labels"], `role ${name} denies cluster ${cluster}`);
      continue;
    }
    if (!denyOn.empty && !denyOn.matches(target.labels)) continue;
    for (const { name: denied, index } of names.denied) {
      const path = ["spec", "deny", field, index];
      if (denied === "*") whole ??= reasonIn(role, "deny", path, `role ${name} denies every ${all} in cluster ${cluster}`);
      else if (!byName.has(denied)) byName.set(denied, reasonIn(role, "deny", path, `role ${name} denies ${one} "${escapeLine(denied)}" in cluster ${cluster}`));
    }
  }
  return (name) => whole ?? byName.get(name);
}
