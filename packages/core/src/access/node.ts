import { escapeLine } from "../base/index.ts";
import { isUnixLogin, type Role, type Traits } from "../resources/index.ts";
import { compileSelector, type Labels, type Matcher } from "./labels.ts";
import { nothingAllows, reasonIn } from "./reason.ts";
import { expand } from "./traits.ts";
import type { Decision } from "./types.ts";

interface NodeRole {
  readonly role: Role;
  readonly allowOn: Matcher;
  /** Login to the entry of the role that gives it. */
  readonly logins: ReadonlyMap<string, number>;
  readonly denyOn: Matcher;
  readonly denied: ReadonlyMap<string, number>;
}

/** Decisions about hosts. */
export interface NodeDecider {
  /** May log in to a host with these labels as `login`. */
  node(labels: Labels, login: string): Decision;
  /** Logins of all roles after deny, sorted. */
  logins(): readonly string[];
}

function loginsOf(given: readonly string[], traits: Traits): ReadonlyMap<string, number> {
  const logins = new Map<string, number>();
  for (const [index, text] of given.entries()) {
    for (const { value } of expand(text, traits).values) if (isUnixLogin(value) && !logins.has(value)) logins.set(value, index);
  }
  return logins;
}

/** A role denies the hosts that its `deny.node_labels` select and, everywhere, its `deny.logins` (reference §8.4). */
export function nodeDecider(roles: readonly Role[], traits: Traits): NodeDecider {
  const prepared = roles.map(
    (role): NodeRole => ({
      role,
      allowOn: compileSelector(role.spec.allow.node_labels, traits, "allow"),
      logins: loginsOf(role.spec.allow.logins, traits),
      denyOn: compileSelector(role.spec.deny.node_labels, traits, "deny"),
      denied: loginsOf(role.spec.deny.logins, traits),
    }),
  );
  const denied = new Set(prepared.flatMap((one) => [...one.denied.keys()]));
  const logins = [...new Set(prepared.flatMap((one) => [...one.logins.keys()]))].filter((login) => !denied.has(login)).sort();
  return {
    logins: () => logins,
    node(labels, login) {
      const shown = escapeLine(login.slice(0, 80));
      for (const { role, denyOn, denied: refused } of prepared) {
        const { name } = role.metadata;
        if (denyOn.matches(labels)) return no(reasonIn(role, "deny", ["spec", "deny", "node_labels"], `role ${name} denies this host by its labels`));
        const index = refused.get(login);
        if (index !== undefined) return no(reasonIn(role, "deny", ["spec", "deny", "logins", index], `role ${name} denies login ${shown}`));
      }
      for (const { role, allowOn, logins: given } of prepared) {
        const index = given.get(login);
        if (index === undefined || !allowOn.matches(labels)) continue;
        const text = `role ${role.metadata.name} allows login ${shown} on this host`;
        return { allowed: true, reasons: [reasonIn(role, "allow", ["spec", "allow", "logins", index], text)] };
      }
      const selects = prepared.some((one) => one.allowOn.matches(labels));
      return no(nothingAllows(selects ? `no role that selects this host allows login ${shown}` : "no role selects this host by its labels"));
    },
  };
}

function no(reason: Decision["reasons"][number]): Decision {
  return { allowed: false, reasons: [reason] };
}
