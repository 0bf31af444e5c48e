import fc from "fast-check";
import { expect, test } from "vitest";
import { parseResource, resourceToJson, type Role } from "../resources/index.ts";
import { buildRoleSet } from "./index.ts";
import { context, prod, role } from "./test-roles.ts";

// Properties over small worlds, where everything meets everything.
const groupName = fc.constantFrom("a", "b", "system:masters");
const entry = fc.oneof(groupName, fc.constantFrom("{{internal.kubernetes_groups}}", "{{external.t}}", "{{external.missing}}", "system:{{external.t}}", '{{regexp.replace(external.t, "^(.)$", "$1")}}'));
const value = fc.constantFrom("prod", "stage", "*", "p*", "^prod|stage$", "{{external.env}}", "pro{{external.d}}");
const selector = fc.oneof(fc.constant(undefined), fc.constant({}), fc.constant({ "*": "*" }), fc.dictionary(fc.constantFrom("env", "team"), fc.array(value, { minLength: 1, maxLength: 2 }), { minKeys: 1, maxKeys: 2 }));
const rules = fc.array(fc.record({ resources: fc.subarray(["role", "github", "auth_connector", "*"], { minLength: 1 }), verbs: fc.subarray(["list", "read", "readnosecrets", "*"], { minLength: 1 }) }), { maxLength: 2 });
const login = fc.constantFrom("root", "ana", "{{internal.logins}}");
const half = fc.record({ kubernetes_groups: fc.array(entry, { maxLength: 3 }), kubernetes_labels: selector, node_labels: selector, logins: fc.array(login, { maxLength: 2 }), rules });
const roles = fc.array(fc.record({ allow: half, deny: fc.oneof(fc.constant(undefined), half), system: fc.boolean() }), { maxLength: 4 }).map((specs) =>
  specs.map((one, index) => role(`r${index}`, { allow: one.allow, deny: one.deny, options: { allow_system_groups_from_traits: one.system } })),
);
const traits = fc.record({ kubernetes_groups: fc.array(groupName, { maxLength: 2 }), t: fc.array(fc.oneof(groupName, fc.constantFrom("*", " system:masters", "prod")), { maxLength: 2 }), env: fc.array(fc.constantFrom("prod", "*", "^.*$"), { maxLength: 2 }), logins: fc.array(fc.constantFrom("root", "eve"), { maxLength: 2 }), d: fc.array(fc.constantFrom("d", "", "*"), { maxLength: 2 }) });

/** Everything that a set grants in the small world. */
function grants(set: ReturnType<typeof buildRoleSet>): Set<string> {
  const found = new Set<string>();
  const worlds = [{}, { env: "prod" }, { env: "stage", team: "prod" }];
  for (const labels of worlds) {
    const at = JSON.stringify(labels);
    for (const group of set.kube({ name: "c", labels }).groups) found.add(`kube ${at} ${group}`);
    for (const who of ["root", "ana", "eve"]) if (set.node(labels, who).allowed) found.add(`node ${at} ${who}`);
  }
  for (const kind of ["role", "github", "user"]) for (const verb of ["list", "read", "readnosecrets", "delete"]) if (set.rule(kind, verb, context()).allowed) found.add(`rule ${kind} ${verb}`);
  for (const who of set.logins()) found.add(`login ${who}`);
  return found;
}

function isWithin(small: Set<string>, large: Set<string>): void {
  expect([...small].filter((one) => !large.has(one))).toEqual([]);
}

test("taking away deny never takes away a grant; taking away allow never adds one", () => {
  fc.assert(
    fc.property(roles, traits, fc.nat(3), (given, with_, at) => {
      const all = grants(buildRoleSet(given, with_));
      const change = (edit: (one: Role) => Role): Role[] => given.map((one, index) => (index === at ? edit(one) : one));
      const { deny: noDeny, allow: noAllow } = role("none", { allow: { node_labels: {}, kubernetes_labels: {} } }).spec;
      isWithin(all, grants(buildRoleSet(change((one) => ({ ...one, spec: { ...one.spec, deny: noDeny } })), with_)));
      isWithin(grants(buildRoleSet(change((one) => ({ ...one, spec: { ...one.spec, allow: noAllow } })), with_)), all);
    }),
    { numRuns: 300 },
  );
});

test("a role with deny alone never grants, a role with allow alone never refuses, and the order of roles is nothing", () => {
  fc.assert(
    fc.property(roles, half, traits, (given, more, with_) => {
      const all = grants(buildRoleSet(given, with_));
      isWithin(grants(buildRoleSet([...given, role("deny-only", { allow: { node_labels: {}, kubernetes_labels: {} }, deny: more })], with_)), all);
      isWithin(all, grants(buildRoleSet([...given, role("allow-only", { allow: more })], with_)));
      const reversed = buildRoleSet([...given].reverse(), with_);
      expect(grants(reversed)).toEqual(all);
      expect(reversed.kube(prod)).toEqual(buildRoleSet(given, with_).kube(prod));
    }),
    { numRuns: 300 },
  );
});

test("groups come from allow alone, and no trait makes a system group of itself", () => {
  fc.assert(
    fc.property(roles, fc.dictionary(fc.constantFrom("t", "missing", "env"), fc.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("system:masters", " system:masters", "system:masters\n", "\rsystem:masters")), { maxLength: 3 })), (given, with_) => {
      const strict = given.map((one): Role => ({ ...one, spec: { ...one.spec, options: { ...one.spec.options, allow_system_groups_from_traits: false } } }));
      const literals = strict.flatMap((one) => one.spec.allow.kubernetes_groups);
      for (const group of buildRoleSet(strict, with_).kube(prod).groups) {
        expect(literals.includes(group) || Object.values(with_).some((values) => values.includes(group))).toBe(true);
        if (group.trim().startsWith("system:")) expect(literals).toContain(group);
      }
    }),
    { numRuns: 300 },
  );
});

test("a decision is the same before and after a role went through its file", () => {
  fc.assert(
    fc.property(roles, traits, (given, with_) => {
      const again = given.map((one) => parseResource(JSON.parse(JSON.stringify(resourceToJson(one)))) as Role);
      expect(grants(buildRoleSet(again, with_))).toEqual(grants(buildRoleSet(given, with_)));
    }),
    { numRuns: 100 },
  );
});

test("every decision has a reason, and the first has the effect", () => {
  fc.assert(
    fc.property(roles, traits, (given, with_) => {
      const set = buildRoleSet(given, with_);
      for (const decision of [set.kube(prod), set.node({ env: "prod" }, "root"), set.rule("role", "read", context())]) {
        expect(decision.reasons[0]?.effect).toBe(decision.allowed ? "allow" : "deny");
      }
    }),
    { numRuns: 100 },
  );
});
