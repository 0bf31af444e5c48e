import fc from "fast-check";
import { expect, test } from "vitest";
import type { Traits } from "../resources/index.ts";
import { buildRoleSet } from "./index.ts";
import { bare, prod, role, stage } from "./test-roles.ts";

test("groups are per cluster: the union over roles that select it", () => {
  const set = buildRoleSet(
    [role("a", { allow: { kubernetes_groups: ["view"] } }), role("b", { allow: { kubernetes_groups: ["edit"], kubernetes_labels: { env: ["stage", "test"] } } }), role("c", { allow: { kubernetes_groups: ["none"], kubernetes_labels: {} } })],
    {},
  );
  expect(set.kube(stage).groups).toEqual(["edit", "view"]);
  expect(set.kube(prod).groups).toEqual(["view"]);
  expect(set.kube(bare).groups).toEqual(["view"]);
});

test.each([
  ["groups without labels: everywhere", { kubernetes_groups: ["edit"] }, ["view"], ["view"]],
  ["groups with empty labels: everywhere", { kubernetes_groups: ["edit"], kubernetes_labels: {} }, ["view"], ["view"]],
  ["groups with labels: there", { kubernetes_groups: ["edit"], kubernetes_labels: { env: "prod" } }, ["view"], ["edit", "view"]],
  ["labels alone: the cluster", { kubernetes_labels: { env: "prod" } }, [], ["edit", "view"]],
  ["every group", { kubernetes_groups: ["*"] }, [], []],
  ["every group there", { kubernetes_groups: ["*"], kubernetes_labels: { env: "^prod|dev$" } }, [], ["edit", "view"]],
  ["from a trait", { kubernetes_groups: ["{{external.blocked}}"] }, ["edit"], ["edit"]],
  ["a trait that is not set names no group", { kubernetes_groups: ["{{external.missing}}"] }, ["edit", "view"], ["edit", "view"]],
  ["a list of groups that comes out empty is no denial of the cluster", { kubernetes_groups: ["{{external.missing}}"], kubernetes_labels: { env: "prod" } }, ["edit", "view"], ["edit", "view"]],
  ["labels of a trait", { kubernetes_labels: { env: "{{external.closed}}" } }, [], ["edit", "view"]],
  ["a label whose name is any of a trait's", { kubernetes_labels: { "{{external.names}}": "prod" } }, [], ["edit", "view"]],
  ["labels of a trait with a glob", { kubernetes_labels: { env: "{{external.glob}}" } }, [], ["edit", "view"]],
])("deny: %s", (_, deny, inProd, inStage) => {
  const set = buildRoleSet([role("dev", { allow: { kubernetes_groups: ["view", "edit"] } }), role("no", { deny })], { blocked: ["view"], closed: ["prod"], glob: ["pro*"], names: ["other", "env"] });
  expect(set.kube(prod).groups).toEqual(inProd);
  expect(set.kube(stage).groups).toEqual(inStage);
});

test("system groups of an external trait need the role's word; literals and the cluster's own traits do not", () => {
  const traits = { groups: ["system:masters", "dev"], kubernetes_groups: ["system:nodes"] };
  const groups = (spec: object, options?: { externalTraitsOnly: boolean }): readonly string[] => buildRoleSet([role("r", spec)], traits, options).kube(prod).groups;
  expect(groups({ allow: { kubernetes_groups: ["{{external.groups}}"] } })).toEqual(["dev"]);
  expect(groups({ options: { allow_system_groups_from_traits: true }, allow: { kubernetes_groups: ["{{external.groups}}"] } })).toEqual(["dev", "system:masters"]);
  expect(groups({ allow: { kubernetes_groups: ["system:masters"] } })).toEqual(["system:masters"]);
  expect(groups({ allow: { kubernetes_groups: ["{{internal.kubernetes_groups}}"] } })).toEqual(["system:nodes"]);
  expect(groups({ allow: { kubernetes_groups: ["{{external.kubernetes_groups}}"] } })).toEqual([]);
  expect(groups({ allow: { kubernetes_groups: ["{{internal.kubernetes_groups}}"] } }, { externalTraitsOnly: true })).toEqual([]);
});

test("the option of one role opens nothing for another", () => {
  const set = buildRoleSet([role("a", { options: { allow_system_groups_from_traits: true } }), role("b", { allow: { kubernetes_groups: ["{{external.groups}}"] } })], { groups: ["system:masters"] });
  expect(set.kube(prod).groups).toEqual([]);
});

test.each([" system:masters", "system:masters ", "\tsystem:masters", "a\r\nImpersonate-Group: system:masters", "\u0173ystem:masters", "\u00a0system:masters", "", "*", "x".repeat(300)])(
  "a trait of %j becomes no group",
  (value) => {
    const set = buildRoleSet([role("r", { options: { allow_system_groups_from_traits: true }, allow: { kubernetes_groups: ["{{external.groups}}"] } })], { groups: [value] });
    expect(set.kube(prod).groups).toEqual([]);
  },
);

test("node proxy is for clusters that the role with the option selects", () => {
  const set = buildRoleSet([role("a", { allow: { kubernetes_groups: ["g"] } }), role("b", { options: { kubernetes_node_proxy: true }, allow: { kubernetes_labels: { env: "stage" } } })], {});
  expect(set.kube(stage).nodeProxy).toBe(true);
  expect(set.kube(prod).nodeProxy).toBe(false);
});

test("literal and variable groups: exactly three with two values, exactly one without the trait", () => {
  const both = role("r", { options: { allow_system_groups_from_traits: false }, allow: { kubernetes_groups: ["system:masters", "{{external.groups}}"] } });
  expect(buildRoleSet([both], { groups: ["developers", "viewers"] }).kube(prod).groups).toEqual(["developers", "system:masters", "viewers"]);
  for (const traits of [{}, { groups: [] }]) expect(buildRoleSet([both], traits).kube(prod).groups).toEqual(["system:masters"]);
});

test.each([
  ["system:{{external.g}}", "masters"],
  ["system:m{{external.g}}", "asters"],
  ["sys{{external.g}}", "tem:masters"],
  ["s{{external.g}}s", "ystem:master"],
  ['{{regexp.replace(external.g, "^.*$", "system:masters")}}', "anything"],
  ['{{regexp.replace(external.g, "x", "")}}', "sxystem:masters"],
  ["{{email.local(external.g)}}", "system:masters@example.com"],
  ["system:{{email.local(external.g)}}", "masters@example.com"],
])("%s with %j is no system group without the option", (text, value) => {
  const groups = (options: object, externalTraitsOnly = false): readonly string[] =>
    buildRoleSet([role("r", { options, allow: { kubernetes_groups: [text] } })], { g: [value] }, { externalTraitsOnly }).kube(prod).groups;
  expect(groups({})).toEqual([]);
  expect(groups({}, true)).toEqual([]);
  expect(groups({ allow_system_groups_from_traits: true })).toEqual(text.startsWith("{{email") ? [] : ["system:masters"]);
});

test("text around the cluster's own trait makes a system group, unless all traits are claims", () => {
  const own = role("r", { allow: { kubernetes_groups: ["system:{{internal.kubernetes_groups}}"] } });
  expect(buildRoleSet([own], { kubernetes_groups: ["nodes"] }).kube(prod).groups).toEqual(["system:nodes"]);
  expect(buildRoleSet([own], { kubernetes_groups: ["nodes"] }, { externalTraitsOnly: true }).kube(prod).groups).toEqual([]);
});

test("user names at Kubernetes: those that roles give in a cluster, less what is denied; without any one's own", () => {
  const users = (specs: readonly unknown[], target = prod, traits: Traits = {}): readonly string[] | string => {
    const roles = [role("groups", { allow: { kubernetes_groups: ["g"] } }), ...specs.map((spec, index) => role(`r${index}`, spec))];
    const decision = buildRoleSet(roles, traits, { userName: "ana" }).kube(target);
    expect(decision.groups).toEqual(decision.allowed ? ["g"] : []);
    return decision.allowed ? decision.users : decision.reasons[0]!.text;
  };
  const allow = (...names: string[]): unknown => ({ allow: { kubernetes_users: names } });
  const deny = (...names: string[]): unknown => ({ deny: { kubernetes_users: names } });
  expect(users([])).toEqual([]);
  expect(users([allow("ci")])).toEqual(["ci"]);
  expect(users([allow("ci", "ana"), allow("bot", "ci")])).toEqual(["ana", "bot", "ci"]);
  expect(users([allow("ci", "bot"), deny("bot")])).toEqual(["ci"]);
  expect(users([allow("ci"), deny("ci")])).toBe('role r1 denies user name "ci" in cluster prod');
  expect(users([allow("ci"), deny("*")])).toBe("role r1 denies every Kubernetes user name in cluster prod");
  expect(users([deny("ana")])).toBe('role r0 denies user name "ana" in cluster prod');
  expect(users([deny("ci")])).toEqual([]);
  expect(users([{ allow: { kubernetes_users: ["ci"], kubernetes_labels: { env: "stage" } } }])).toEqual([]);
  expect(users([{ allow: { kubernetes_users: ["ci"], kubernetes_labels: { env: "stage" } } }], stage)).toEqual(["ci"]);
  // Labels beside users deny those users there, and not the cluster.
  const denyThere = { deny: { kubernetes_users: ["ci"], kubernetes_labels: { env: "prod" } } };
  expect([users([allow("ci", "bot"), denyThere]), users([allow("ci", "bot"), denyThere], stage)]).toEqual([["bot"], ["bot", "ci"]]);
  const templated = { allow: { kubernetes_users: ["{{email.local(external.email)}}", "team-{{external.team}}"] }, deny: { kubernetes_users: ["team-{{external.left}}"] } };
  expect(users([templated], prod, { email: ["a.b@example.com"], team: ["x", "y"], left: ["y"] })).toEqual(["a.b", "team-x"]);
  expect(users([templated])).toEqual([]);
});

test.each(["system:admin", "System:masters", "SYSTEM:x", "system:serviceaccount:kube-system:default", "*", " ci", "ci ", "a\r\nImpersonate-Group: system:masters", "\u017fystem:x", "", "x".repeat(300)])("a trait of %j becomes no user name", (value) => {
  const one = role("r", { options: { allow_system_groups_from_traits: true }, allow: { kubernetes_groups: ["g"], kubernetes_users: ["{{external.u}}", "{{internal.logins}}", "ok"] } });
  const decision = buildRoleSet([one], { u: [value], logins: [value] }, { userName: "ana" }).kube(prod);
  expect(decision.users).toEqual(["ok"]);
  expect(decision.reasons.some(({ text, path }) => path === "spec.allow.kubernetes_users[0]" && /no user name|is no user name/.test(text))).toBe(true);
  const around = role("r", { allow: { kubernetes_groups: ["g"], kubernetes_users: ["sys{{external.u}}", '{{regexp.replace(external.u, "^.*$", "system:admin")}}', "ok"] } });
  expect(buildRoleSet([around], { u: ["tem:admin"] }).kube(prod).users).toEqual(["ok"]);
});

test("whatever is given and denied: no user name is of Kubernetes itself, denied, or from nowhere", () => {
  const name = fc.constantFrom("ci", "bot", "ana", "{{external.u}}", "x-{{external.u}}");
  const part = fc.record({ allow: fc.array(name, { maxLength: 3 }), deny: fc.array(fc.oneof(name, fc.constantFrom("*", "system:admin")), { maxLength: 2 }) });
  const trait = fc.array(fc.constantFrom("ci", "ana", "system:admin", "*", ""), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(part, { maxLength: 3 }), trait, (parts, u) => {
      const roles = parts.map(({ allow, deny }, index) => role(`r${index}`, { allow: { kubernetes_groups: ["g"], kubernetes_users: allow }, deny: { kubernetes_users: deny } }));
      const decision = buildRoleSet(roles, { u }, { userName: "ana" }).kube(prod);
      const fill = (text: string): string[] => (text.includes("{{") ? u.filter((value) => value !== "" || !text.startsWith("x")).map((value) => text.replace("{{external.u}}", value)) : [text]);
      const given = parts.flatMap(({ allow }) => allow.flatMap(fill));
      const denied = new Set(parts.flatMap(({ deny }) => deny.flatMap(fill)));
      const left = given.filter((one) => !denied.has(one) && !denied.has("*") && one !== "" && one !== "*" && !one.startsWith("system:"));
      expect(decision.users).toEqual([...new Set(left)].sort());
      if (decision.allowed && decision.users.length === 0) expect(denied.has("ana") || denied.has("*")).toBe(false);
    }),
    { numRuns: 500 },
  );
});
