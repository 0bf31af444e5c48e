import { GatehouseError } from "../base/index.ts";
import type { Operation } from "../store/index.ts";
import type { Context } from "./context.ts";
import { kinds } from "./records.ts";

/**
 * What goes in one transaction with somebody who is given roles: the roles are there, and whoever looks at the same moment who has them, to remove them, has to look again.
 * `before`: roles that the store says they have already.
 */
export function roleUses(roles: readonly string[], before: readonly string[]): readonly Operation[] {
  return [...new Set(roles)].flatMap((name): readonly Operation[] => [
    { op: "check", kind: "role", name, expect: "present" },
    ...(before.includes(name) ? [] : [{ op: "put" as const, kind: kinds.roleUse, name, value: "{}" }]),
  ]);
}

/** {@link roleUses}. Throws `not_found` for a role that does not exist. */
export async function giveRoles(context: Context, roles: readonly string[], before: readonly string[]): Promise<readonly Operation[]> {
  for (const name of roles) {
    if (!(await context.store.get("role", name))) throw new GatehouseError("not_found", `role "${name}" does not exist`, { hint: "create it first, or see: tctl get roles" });
  }
  return roleUses(roles, before);
}

/** What goes in one transaction with the removal of a role. Asked for before it is looked who has the role, it holds only where nobody was given it since. */
export async function roleUnused({ store }: Context, name: string): Promise<Operation> {
  const item = await store.get(kinds.roleUse, name);
  return item ? { op: "delete", kind: kinds.roleUse, name, expect: item.revision } : { op: "check", kind: kinds.roleUse, name, expect: "absent" };
}
