import { expect, test } from "vitest";
import { presetRoles, type Role } from "../resources/index.ts";
import { buildRoleSet, type RuleContext } from "./index.ts";
import { context, role } from "./test-roles.ts";

test("rules: deny beats allow, where narrows both", () => {
  const auditors = role("auditors", { allow: { rules: [{ resources: ["session"], verbs: ["read"], where: 'contains(user.spec.traits["groups"], "audit")' }] } });
  const own = role("own", { allow: { rules: [{ resources: ["*"], verbs: ["*"] }] }, deny: { rules: [{ resources: ["role"], verbs: ["update"], where: '!equals(resource.metadata.labels["owner"], user.metadata.name)' }] } });
  expect(buildRoleSet([auditors], {}).rule("session", "read", context("ana", { groups: ["audit"] })).allowed).toBe(true);
  expect(buildRoleSet([auditors], {}).rule("session", "read", context()).allowed).toBe(false);
  const set = buildRoleSet([own], {});
  expect(set.rule("role", "update", context("ana", {}, { metadata: { labels: { owner: "ana" } } })).allowed).toBe(true);
  expect(set.rule("role", "update", context("ana", {}, { metadata: { labels: { owner: "bo" } } })).allowed).toBe(false);
  expect(set.rule("role", "update", context()).allowed).toBe(false);
  expect(set.rule("role", "list", context()).allowed).toBe(true);
});

test("reading includes reading without secrets, and denying the latter denies the former", () => {
  const reads = role("reads", { allow: { rules: [{ resources: ["github"], verbs: ["read"] }] } });
  expect(buildRoleSet([reads], {}).rule("github", "readnosecrets", context()).allowed).toBe(true);
  expect(buildRoleSet([role("less", { allow: { rules: [{ resources: ["github"], verbs: ["readnosecrets"] }] } })], {}).rule("github", "read", context()).allowed).toBe(false);
  for (const verb of ["read", "readnosecrets"]) {
    const denied = buildRoleSet([reads, role("no", { deny: { rules: [{ resources: ["auth_connector"], verbs: [verb] }] } })], {});
    for (const asked of ["read", "readnosecrets"]) expect(denied.rule("github", asked, context()).allowed).toBe(false);
  }
});

test("a broken role that passed no check never allows and always denies", () => {
  const [base] = presetRoles();
  const broken = { resources: ["*"], verbs: ["*"], where: "equals(" };
  const { allow, deny } = base!.spec;
  const grants: Role = { ...base!, spec: { ...base!.spec, allow: { ...allow, rules: [broken], node_labels: { env: ["^(a$"] }, logins: ["root"] } } };
  expect(buildRoleSet([grants], {}).rule("user", "list", context()).allowed).toBe(false);
  expect(buildRoleSet([grants], {}).node({ env: "a" }, "root").allowed).toBe(false);
  const denies: Role = { ...base!, spec: { ...base!.spec, deny: { ...deny, rules: [broken], node_labels: { env: ["^(a$"] } } } };
  expect(buildRoleSet([denies], {}).rule("user", "list", context()).allowed).toBe(false);
  expect(buildRoleSet([denies], { logins: ["root"] }).node({ env: "z" }, "root").allowed).toBe(false);
});

test("expressions see own fields alone", () => {
  const see = (where: string, resource: unknown): boolean => buildRoleSet([role("r", { allow: { rules: [{ resources: ["user"], verbs: ["read"], where }] } })], {}).rule("user", "read", context("ana", {}, resource)).allowed;
  expect(see('equals(resource.spec.constructor.name, "Object")', { spec: {} })).toBe(false);
  expect(see('equals(resource.spec.missing, "")', { spec: {} })).toBe(true);
  expect(see('equals(resource.spec.list, "")', { spec: { list: [] } })).toBe(false);
  expect(see('contains(resource.spec.list, "a")', { spec: { list: ["b", "a"] } })).toBe(true);
  expect(see('equals(system.catype(), "host")', { kind: "cert_authority", spec: { type: "host" } })).toBe(true);
  expect(see('equals(resource.spec.on, "true")', { spec: { on: true } })).toBe(true);
});

test("sessions: everyone has their own, a rule gives others, deny takes any", () => {
  const session = (user: string, cluster = "prod"): RuleContext => ({
    ...context(),
    session: { sid: "s", proto: "kube", kind: "exec", user, participants: [user], cluster, namespace: "default", pod: "web", container: "web", login: "", node: "" },
  });
  const may = (roles: readonly Role[], given: RuleContext, verb = "read"): boolean => buildRoleSet(roles, {}).rule("session", verb, given).allowed;
  expect([may([], session("ana")), may([], session("bo")), may([], context())]).toEqual([true, false, false]);
  expect(may([], session("ana"), "delete")).toBe(false);
  const joined = { ...session("bo"), session: { ...session("bo").session!, participants: ["bo", "ana"] } };
  expect(may([], joined)).toBe(false);
  const sharing = role("sharing", { allow: { rules: [{ resources: ["session"], verbs: ["connect"], where: 'equals(session.proto, "ssh") && equals(session.login, "deploy") && equals(session.node, "web-1")' }] } });
  const ssh = (login: string): RuleContext => ({ ...session("bo"), session: { ...session("bo").session!, proto: "ssh", cluster: "", login, node: "web-1" } });
  expect([may([sharing], ssh("deploy"), "connect"), may([sharing], ssh("root"), "connect"), may([sharing], ssh("deploy")), may([], ssh("deploy"), "connect")]).toEqual([true, false, false, false]);
  const took = role("took", { allow: { rules: [{ resources: ["session"], verbs: ["read"], where: "contains(session.participants, user.metadata.name)" }] } });
  expect(may([took], joined)).toBe(true);
  const stageOnly = role("stage", { allow: { rules: [{ resources: ["session"], verbs: ["list", "read"], where: 'equals(session.cluster, "stage")' }] } });
  expect([may([stageOnly], session("bo", "stage")), may([stageOnly], session("bo"))]).toEqual([true, false]);
  const none = role("none", { deny: { rules: [{ resources: ["session"], verbs: ["read"] }] } });
  expect([may([none, stageOnly], session("ana", "stage")), may([none], session("ana"), "list")]).toEqual([false, true]);
});

test("whether there can ever be something: conditions of allow rules count, and only denials without one", () => {
  const rules = (side: "allow" | "deny", ...where: (string | undefined)[]): unknown => ({ [side]: { rules: where.map((one) => ({ resources: ["event"], verbs: ["list", "read"], ...(one === undefined ? {} : { where: one }) })) } });
  const ever = (...specs: unknown[]): boolean => buildRoleSet(specs.map((spec, index) => role(`r${index}`, spec)), {}).ruleEver("event", "list").allowed;
  const dev = 'equals(resource.spec.kubernetes_namespace, "dev")';
  expect(ever()).toBe(false);
  expect(ever(rules("allow", dev))).toBe(true);
  expect(ever(rules("allow", undefined), rules("deny", dev))).toBe(true);
  expect(ever(rules("allow", dev), rules("deny", undefined))).toBe(false);
  const set = buildRoleSet([role("dev", rules("allow", dev))], {});
  expect(set.ruleEver("event", "delete")).toMatchObject({ allowed: false, reasons: [{ text: 'access denied to perform action "delete" on "event": no role allows it' }] });
  expect(set.ruleEver("role", "list").allowed).toBe(false);
  // Of their own sessions everyone may know.
  expect(set.ruleEver("session", "list").allowed).toBe(true);
});
