import { expect, test } from "vitest";
import { formatResources, presetRoles, type Traits } from "../resources/index.ts";
import { aboutCluster, buildRoleSet } from "./index.ts";
import { context, prod, role } from "./test-roles.ts";

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
