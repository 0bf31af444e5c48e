import fc from "fast-check";
import { expect, test } from "vitest";
import { formatResources, parseResource, presetRoles, resourceToJson, type Role, type Traits } from "../resources/index.ts";
import { aboutCluster, buildRoleSet, type RuleContext } from "./index.ts";

/** A role from its spec, as a file would give it. */
function role(name: string, spec: unknown): Role {
  return parseResource({ kind: "role", version: "v3", metadata: { name }, spec }) as Role;
}

const prod = { name: "prod", labels: { env: "prod" } };
const stage = { name: "stage", labels: { env: "stage" } };
const bare = { name: "bare", labels: {} };

function context(name = "ana", traits: Traits = {}, resource?: unknown): RuleContext {
  return { user: { metadata: { name }, spec: { roles: ["dev"], traits } }, resource };
}

test("the preset access gives the person's own groups and logins, and no admin rules", () => {
  const access = presetRoles().filter((one) => one.metadata.name === "access");
  const set = buildRoleSet(access, { logins: ["ana"], kubernetes_groups: ["viewers", "system:masters"] });
  expect(set.kube(prod)).toMatchObject({ allowed: true, groups: ["system:masters", "viewers"], nodeProxy: false });
  expect(set.node({}, "ana").allowed).toBe(true);
  expect(set.node({}, "root").allowed).toBe(false);
  expect(set.rule("role", "read", context()).allowed).toBe(false);
  expect(set.rule("node", "list", context()).allowed).toBe(true);
  expect(set.options()).toMatchObject({ forwardAgent: false, portForwarding: true });
});

test("the preset admin may do what tctl does", () => {
  const set = buildRoleSet(presetRoles(), {});
  for (const kind of ["role", "user", "github", "oidc", "token", "cluster_auth_preference"]) {
    for (const verb of ["list", "create", "read", "readnosecrets", "update", "delete"]) expect([kind, verb, set.rule(kind, verb, context()).allowed]).toEqual([kind, verb, true]);
  }
  expect(set.rule("event", "delete", context()).allowed).toBe(false);
  expect(set.rule("cert_authority", "update", context()).allowed).toBe(false);
});

test("nobody has anything without roles", () => {
  const set = buildRoleSet([], { logins: ["root"], kubernetes_groups: ["system:masters"] });
  expect(set.kube(prod)).toMatchObject({ allowed: false, groups: [] });
  expect(set.node({}, "root").allowed).toBe(false);
  expect(set.logins()).toEqual([]);
  expect(set.options()).toEqual({ forwardAgent: false, portForwarding: false, clientIdleTimeout: 0, disconnectExpiredCert: false, certFormat: "standard", recordStdin: false, headlessLogin: true, certificateRenewal: "local", maxSessions: 0, recordSession: undefined, sshRecording: undefined, forceCommands: [], sourceAddresses: undefined, x11Forwarding: false });
});

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

test("a trait of * or of a pattern opens no labels under allow", () => {
  for (const value of ["*", "^.*$", "p*"]) {
    const set = buildRoleSet([role("r", { allow: { logins: ["root"], node_labels: { env: "{{external.env}}" }, kubernetes_groups: ["g"], kubernetes_labels: { env: "{{external.env}}" } } })], { env: [value] });
    expect(set.node({ env: "prod" }, "root").allowed).toBe(false);
    expect(set.kube(prod).allowed).toBe(false);
  }
});

test("a variable without a trait selects nothing, not even an empty label", () => {
  const set = buildRoleSet([role("r", { allow: { logins: ["root"], node_labels: { env: "{{external.env}}" } } }), role("k", { allow: { logins: ["root"], node_labels: { "{{external.key}}": "*", a: "b" } } })], {});
  expect(set.node({ env: "", a: "b", "": "x" }, "root").allowed).toBe(false);
});

test("names that every object has are no traits and no labels", () => {
  const set = buildRoleSet([role("r", { allow: { logins: ["root", "{{external.constructor}}"], kubernetes_groups: ["{{external.toString}}"], node_labels: { constructor: "*" } } })], {});
  expect(set.kube(prod).groups).toEqual([]);
  expect(set.node({}, "root").allowed).toBe(false);
  expect(set.node({ constructor: "x" }, "root").allowed).toBe(true);
});

test("node proxy is for clusters that the role with the option selects", () => {
  const set = buildRoleSet([role("a", { allow: { kubernetes_groups: ["g"] } }), role("b", { options: { kubernetes_node_proxy: true }, allow: { kubernetes_labels: { env: "stage" } } })], {});
  expect(set.kube(stage).nodeProxy).toBe(true);
  expect(set.kube(prod).nodeProxy).toBe(false);
});

test("hosts: one role must give both login and host, and either half of deny refuses", () => {
  const web = role("web", { allow: { logins: ["deploy"], node_labels: { app: "web" } } });
  const db = role("db", { allow: { logins: ["root"], node_labels: { app: "db" } } });
  const set = buildRoleSet([web, db], {});
  expect(set.node({ app: "web" }, "deploy").allowed).toBe(true);
  expect(set.node({ app: "web" }, "root").allowed).toBe(false);
  expect(set.node({ app: "db", env: "x" }, "root").allowed).toBe(true);
  const denied = buildRoleSet([web, db, role("no", { deny: { logins: ["root"], node_labels: { app: "web" } } })], {});
  expect(denied.node({ app: "web" }, "deploy").allowed).toBe(false);
  expect(denied.node({ app: "db" }, "root").allowed).toBe(false);
  expect(denied.logins()).toEqual(["deploy"]);
});

test("what is no unix login is dropped", () => {
  const set = buildRoleSet([role("r", { allow: { logins: ["{{internal.logins}}", "ok", "-rf"] } })], { logins: ["ana", "-oProxyCommand=x", "a:b", "a/b", "a b", "a\nb", "", "x".repeat(33)] });
  expect(set.logins()).toEqual(["ana", "ok"]);
  expect(set.node({}, "-rf").allowed).toBe(false);
});

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

test("lifetimes: the wish, but no longer than the shortest role, nor than 30 h", () => {
  const hour = 3_600_000;
  const set = buildRoleSet([role("a", { options: { max_session_ttl: "10h" } }), role("b", { options: { max_session_ttl: "8h" } })], {});
  expect(set.sessionTtl(hour)).toBe(hour);
  for (const wish of [0, 9 * hour, Infinity, Number.NaN, -1]) expect(set.sessionTtl(wish)).toBe(8 * hour);
  expect(buildRoleSet([role("c", { options: { max_session_ttl: "90h" } })], {}).sessionTtl(90 * hour)).toBe(30 * hour);
  expect(buildRoleSet([], {}).sessionTtl(0)).toBe(30 * hour);
});

test("options over roles: any true, the shortest idle time, the most permissive format", () => {
  const set = buildRoleSet(
    [role("a", { options: { client_idle_timeout: "5m", port_forwarding: false } }), role("b", { options: { client_idle_timeout: "never", forward_agent: true, cert_format: "oldssh", disconnect_expired_cert: true } }), role("c", { options: { client_idle_timeout: "9m" } })],
    {},
  );
  expect(set.options()).toEqual({ forwardAgent: true, portForwarding: true, clientIdleTimeout: 300_000, disconnectExpiredCert: true, certFormat: "oldssh", recordStdin: false, headlessLogin: true, certificateRenewal: "local", maxSessions: 0, recordSession: undefined, sshRecording: undefined, forceCommands: [], sourceAddresses: undefined, x11Forwarding: false });
});

test("recording over roles: input where one says so, the fewest sessions, strict where one says so", () => {
  const of = (...options: Record<string, unknown>[]) => buildRoleSet(options.map((one, index) => role(String(index), { options: one })), {}).options();
  expect([of({}, {}), of({ headless_login: true }, { headless_login: false })].map(({ headlessLogin }) => headlessLogin)).toEqual([true, false]);
  expect([of(), of({ certificate_renewal: "local" }), of({}, { certificate_renewal: "any" }), of({ certificate_renewal: "any" }, { certificate_renewal: "off" }, {})].map(({ certificateRenewal }) => certificateRenewal)).toEqual(["local", "local", "any", "off"]);
  expect(of({ record_stdin: true, max_sessions: 5 }, { max_sessions: 0 }, { max_sessions: 3 })).toMatchObject({ recordStdin: true, maxSessions: 3, recordSession: undefined });
  expect(of({ record_session: "best_effort" }, {})).toMatchObject({ recordSession: "best_effort" });
  expect(of({ record_session: "best_effort" }, { record_session: "strict" })).toMatchObject({ recordSession: "strict" });
  expect(of({ record_session: "strict" }, {})).toMatchObject({ recordSession: "strict" });
});

test("SSH over roles: recorded where one says so, every forced command, the addresses that all have in common, X11 where one allows it", () => {
  const of = (...options: Record<string, unknown>[]) => buildRoleSet(options.map((one, index) => role(String(index), { options: one })), {}).options();
  expect(of({ ssh_recording: "off" }, {})).toMatchObject({ sshRecording: "off" });
  expect(of({ ssh_recording: "off" }, { ssh_recording: "proxy" })).toMatchObject({ sshRecording: "proxy" });
  expect(of({ force_command: "uptime" }, {}, { force_command: "uptime" })).toMatchObject({ forceCommands: ["uptime"], x11Forwarding: false });
  expect(of({ force_command: "uptime" }, { force_command: "id", x11_forwarding: true })).toMatchObject({ forceCommands: ["uptime", "id"], x11Forwarding: true });
  expect(of({ source_addresses: ["10.0.0.0/8", "2001:db8::/32"] }, {})).toMatchObject({ sourceAddresses: ["10.0.0.0/8", "2001:db8::/32"] });
  expect(of({ source_addresses: ["10.0.0.0/8", "2001:db8::/32"] }, { source_addresses: ["10.1.0.0/16", "192.0.2.1", "2001::/16"] })).toMatchObject({ sourceAddresses: ["2001:db8::/32", "10.1.0.0/16"] });
  expect(of({ source_addresses: ["10.0.0.0/8"] }, { source_addresses: ["11.0.0.0/8"] })).toMatchObject({ sourceAddresses: [] });
});

test("a decision says which role and which line", () => {
  const dev = role("dev", { allow: { kubernetes_groups: ["view", "{{external.groups}}"] } });
  const no = role("no", { deny: { kubernetes_groups: ["*"] } });
  const given = buildRoleSet([dev], { groups: ["developers"] }).kube(prod);
  const line = formatResources([dev], "yaml", { withSecrets: true }).split("\n").findIndex((text) => text.includes("external.groups")) + 1;
  expect(given.reasons).toContainEqual({ effect: "allow", role: "dev", path: "spec.allow.kubernetes_groups[1]", line, text: 'role dev gives group "developers" in cluster prod' });
  expect(buildRoleSet([dev, no], {}).kube(prod).reasons[0]).toMatchObject({ effect: "deny", role: "no", path: "spec.deny.kubernetes_groups[0]", text: "role no denies every Kubernetes group in cluster prod" });
  expect(buildRoleSet([], {}).kube(prod).reasons[0]).toMatchObject({ effect: "deny", role: "default-implicit-role", line: undefined, text: "no role selects cluster prod by its labels" });
  const missing = buildRoleSet([role("t", { allow: { kubernetes_groups: ["{{external.groups}}"] } })], {}).kube(prod);
  expect(aboutCluster(missing.reasons[0]!.text, "prod")).toBe("no role gives a Kubernetes group there");
  expect(aboutCluster("role no denies cluster prod", "prod")).toBe("role no denies it");
  expect(missing.reasons.map(({ text }) => text)).toEqual(["no role gives a Kubernetes group in cluster prod", '{{external.groups}} gives no group: the trait "groups" is not set']);
  expect(JSON.parse(JSON.stringify(given.reasons[0]))).toHaveProperty("line");
  expect(buildRoleSet([dev], {}).rule("user", "delete", context()).reasons[0]?.text).toContain('access denied to perform action "delete" on "user"');
});

test("literal and variable groups: exactly three with two values, exactly one without the trait", () => {
  const both = role("r", { options: { allow_system_groups_from_traits: false }, allow: { kubernetes_groups: ["system:masters", "{{external.groups}}"] } });
  expect(buildRoleSet([both], { groups: ["developers", "viewers"] }).kube(prod).groups).toEqual(["developers", "system:masters", "viewers"]);
  for (const traits of [{}, { groups: [] }]) expect(buildRoleSet([both], traits).kube(prod).groups).toEqual(["system:masters"]);
});

test("text around a variable and functions, in groups, logins and labels of both halves", () => {
  const templated = role("t", {
    allow: {
      logins: ["{{email.local(external.email)}}", "ops-{{external.team}}"],
      kubernetes_groups: ["team-{{external.team}}-x", '{{regexp.replace(external.groups, "^k8s-(.+)$", "$1")}}'],
      node_labels: { "team/{{external.team}}": "env-{{external.env}}" },
      kubernetes_labels: { env: '{{regexp.replace(external.env, "^(prod|stage)$", "$1")}}' },
    },
    deny: { logins: ["ops-{{external.left}}"], kubernetes_groups: ["team-{{external.left}}-x"] },
  });
  const set = buildRoleSet([templated], { email: ["ana@example.com", "no address"], team: ["sre", "web"], left: ["web"], env: ["prod", "dev"], groups: ["k8s-view", "x-k8s-edit", "edit"] });
  expect(set.logins()).toEqual(["ana", "ops-sre"]);
  expect(set.kube(prod).groups).toEqual(["team-sre-x", "view"]);
  expect(set.kube({ name: "dev", labels: { env: "dev" } }).allowed).toBe(false);
  expect(set.node({ "team/sre": "env-prod" }, "ana").allowed).toBe(true);
  expect(set.node({ "team/sre": "env-" }, "ana").allowed).toBe(false);
  expect(set.node({ "team/": "env-prod" }, "ana").allowed).toBe(false);
});

test("what cannot be filled leaves nothing behind: no empty and no partial text", () => {
  const templated = role("t", {
    allow: { logins: ["ops-{{external.x}}", "{{email.local(external.x)}}"], kubernetes_groups: ["g-{{external.x}}", "{{external.x}}", '{{regexp.replace(external.x, ".*", "")}}'], kubernetes_labels: { "*": "*" }, node_labels: { env: "{{external.x}}" } },
  });
  for (const traits of [{}, { x: [] }, { x: [""] }] as Traits[]) {
    const set = buildRoleSet([templated], traits);
    expect(set.logins()).toEqual([]);
    expect(set.kube(prod)).toMatchObject({ allowed: false, groups: [] });
    expect(buildRoleSet([templated, role("l", { allow: { logins: ["root"], node_labels: { env: "{{external.x}}" } } })], traits).node({ env: "" }, "root").allowed).toBe(false);
  }
  const why = buildRoleSet([templated], { x: [""] }).kube(prod).reasons.map(({ text }) => text);
  expect(why).toContain('g-{{external.x}} gives no group: no value of the trait "x" fits');
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
