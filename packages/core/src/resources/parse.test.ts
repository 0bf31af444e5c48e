import fc from "fast-check";
import { expect, test } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { fixtures } from "./fixtures.ts";
import { hiddenName, parseResource, parseResources, redact, resourceToJson, type Role } from "./index.ts";

function one(text: string): ReturnType<typeof parseResource> {
  const [parsed, ...rest] = parseResources(text, "file.yaml");
  expect(rest).toEqual([]);
  return parsed!.resource;
}

function role(spec: string): Role {
  return one(`kind: role\nversion: v3\nmetadata: {name: r}\nspec: ${spec}`) as Role;
}

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(GatehouseError);
    expect(error).toMatchObject({ code: "bad_parameter" });
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
}

test("a role as v3's documentation writes it loads unchanged", () => {
  const { spec } = one(fixtures.role) as Role;
  expect(spec.options).toEqual({
    max_session_ttl: 8 * 3_600_000,
    forward_agent: true,
    port_forwarding: true,
    cert_format: "standard",
    client_idle_timeout: 0,
    disconnect_expired_cert: false,
    allow_system_groups_from_traits: false,
    kubernetes_node_proxy: false,
    record_stdin: false,
    headless_login: true,
    certificate_renewal: "local",
    max_sessions: 0,
    record_session: undefined,
    ssh_recording: undefined,
    force_command: undefined,
    source_addresses: [],
    x11_forwarding: false,
  });
  expect(spec.allow.node_labels).toEqual({ environment: ["test", "staging"], team: ["^web|db$"], "*": ["*"] });
  expect(spec.allow.kubernetes_groups).toEqual(["system:masters", "{{external.trait_name}}"]);
  expect(spec.allow.rules).toHaveLength(4);
  expect(spec.deny).toEqual({ logins: [], node_labels: {}, kubernetes_groups: [], kubernetes_users: [], kubernetes_labels: {}, rules: [] });
});

test("labels: absent and null mean everything under allow, {} means nothing; under deny all three mean nothing", () => {
  expect(role("{}").spec.allow).toMatchObject({ node_labels: { "*": ["*"] }, kubernetes_labels: { "*": ["*"] } });
  expect(role("{allow: null}").spec.allow.node_labels).toEqual({ "*": ["*"] });
  expect(role("{allow: {node_labels: null, kubernetes_labels: {}}}").spec.allow).toMatchObject({ node_labels: { "*": ["*"] }, kubernetes_labels: {} });
  expect(role("{deny: {node_labels: null}}").spec.deny).toMatchObject({ node_labels: {}, kubernetes_labels: {} });
});

test.each(["0", "never", "0s", "-5m", '"0"', "null"])("max_session_ttl %s is 30 h", (text) => {
  expect(role(`{options: {max_session_ttl: ${text}}}`).spec.options.max_session_ttl).toBe(108_000_000);
});

test("a duration shorter than a ms does not become no limit", () => {
  expect(role("{options: {client_idle_timeout: 1ns}}").spec.options.client_idle_timeout).toBe(1);
});

test.each(["yes", "on", "true", "True", '"ON"'])("forward_agent %s is true", (text) => {
  expect(role(`{options: {forward_agent: ${text}, port_forwarding: off}}`).spec.options).toMatchObject({ forward_agent: true, port_forwarding: false });
});

test("role v2 is read into v3", () => {
  const { version, spec } = one(fixtures.roleV2) as Role;
  expect(version).toBe("v3");
  expect(spec.options).toMatchObject({ max_session_ttl: 324_000_000, forward_agent: true, port_forwarding: true });
  expect(spec.allow.rules).toEqual([
    { resources: ["role"], verbs: ["list", "create", "read", "update", "delete"] },
    { resources: ["session"], verbs: ["list", "read"] },
    { resources: ["event"], verbs: ["create", "read", "update", "delete"] },
  ]);
});

test("user v2: Go's zero time is no time, null traits are empty", () => {
  expect(one(fixtures.user)).toEqual({
    kind: "user",
    version: "v2",
    metadata: { name: "ana@example.com", expires: "2030-01-02T03:04:05.678Z" },
    spec: {
      roles: ["admin"],
      traits: { logins: ["ana", "root"], kubernetes_groups: ["edit"], groups: [] },
      created_by: { connector: { type: "github", id: "gh", identity: "ana" }, time: "2020-01-01T00:00:00Z", user: { name: "system" } },
      github_identities: [{ connector_id: "gh", username: "ana" }],
    },
  });
});

test("user v1 is read into v2", () => {
  expect(one(fixtures.userV1)).toEqual({ kind: "user", version: "v2", metadata: { name: "bo" }, spec: { roles: ["admin"], traits: { logins: ["bo"], kubernetes_groups: ["view"] } } });
});

test("the other kinds", () => {
  expect(one(fixtures.github.replace("team: sre, ", ""))).toMatchObject({ spec: { teams_to_roles: [{ organization: "octocats", roles: ["access"] }] } });
  expect(one(fixtures.github)).toMatchObject({ spec: { teams_to_logins: [{ logins: ["root"] }, { logins: [], kubernetes_groups: ["edit"] }], teams_to_roles: [{ roles: ["access"] }] } });
  expect(one(fixtures.preference)).toEqual({ kind: "cluster_auth_preference", version: "v2", metadata: { name: "cluster-auth-preference" }, spec: { type: "github", second_factor: "off" } });
  expect(one("kind: cluster_auth_preference\nversion: v2\nspec: {type: local}")).toMatchObject({ metadata: { name: "cluster-auth-preference" }, spec: { second_factor: "otp" } });
  expect(one("kind: cluster_auth_preference\nversion: v2\nspec: {type: local, second_factor: on, webauthn: {rp_id: Example.com}, require_session_mfa: true}")).toMatchObject({ spec: { second_factor: "on", webauthn: { rp_id: "example.com" }, require_session_mfa: true } });
  expect(() => one("kind: cluster_auth_preference\nversion: v2\nspec: {second_factor: u2f}")).toThrow("webauthn");
  expect(() => one("kind: cluster_auth_preference\nversion: v2\nspec: {webauthn: {rp_id: 'https://example.com:3080'}}")).toThrow("without a scheme");
  expect(one(fixtures.token)).toMatchObject({ spec: { roles: ["Node", "Proxy"] } });
});

test("several documents, JSON, and a JSON array; each with its place", () => {
  const several = parseResources(`---\n${fixtures.intern}\n---\n${fixtures.userV1}\n---\n`, "f");
  expect(several.map(({ resource, position }) => [resource.kind, position.line])).toEqual([["role", 3], ["user", 16]]);
  const json = JSON.stringify(several.map(({ resource }) => resourceToJson(resource)), null, "\t");
  expect(parseResources(json, "f").map(({ resource }) => resource)).toEqual(several.map(({ resource }) => resource));
  expect(parseResources("", "f")).toEqual([]);
  expect(parseResources("# nothing\n", "f")).toEqual([]);
});

test("a bad template names file, line, column, field and the nearest word", () => {
  const text = "kind: role\nversion: v3\nmetadata:\n  name: admin\nspec:\n  allow:\n    kubernetes_groups:\n    - viewers\n    - '{{externl.groups}}'\n";
  expect(messageOf(() => parseResources(text, "admin.yaml"))).toBe(
    'role "admin" is not valid: admin.yaml:9:7 spec.allow.kubernetes_groups[1]: unknown function "externl" in {{externl.groups}}; did you mean "external"?',
  );
});

test("an unknown field is told at its key, all problems in the order of the file", () => {
  const text = "kind: role\nversion: v3\nmetadata:\n  name: admin\nspec:\n  allow:\n    kubernetes_group: [x]\n    logins: root\n  deny:\n    node_label: {a: b}\n";
  expect(messageOf(() => parseResources(text, "admin.yaml")).split("\n")).toEqual([
    'role "admin" is not valid: admin.yaml:7:5 spec.allow.kubernetes_group: unknown field; did you mean "kubernetes_groups"?',
    "admin.yaml:8:13 spec.allow.logins: must be a list, not text",
    'admin.yaml:10:5 spec.deny.node_label: unknown field; did you mean "node_labels"?',
  ]);
});

test("at most ten problems are told, and how many more there are", () => {
  const fields = Array.from({ length: 25 }, (_, index) => `  zzzzzz${index}: 1`).join("\n");
  const lines = messageOf(() => parseResources(`kind: role\nversion: v3\nmetadata: {name: a}\nspec:\n${fields}\n`, "f")).split("\n");
  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe("… and 15 more");
});

test("the guide's extra bracket is pointed at", () => {
  const text = 'kind: role\nspec:\n  allow:\n    kubernetes_groups: ["system:masters", "{{external.trait_name}}"]]\n';
  expect(messageOf(() => parseResources(text, "admin.yaml")).split("\n")).toEqual([
    'admin.yaml is not valid YAML: admin.yaml:4:69 unexpected "]"',
    '    kubernetes_groups: ["system:masters", "{{external.trait_name}}"]]',
    `${" ".repeat(68)}^`,
  ]);
});

test.each([
  ["{allow: {logins: ['*']}}", "spec.allow.logins[0]: wildcard matcher is not allowed in logins"],
  ["{allow: {logins: ['{{x}}']}}", "invalid login found: "],
  ["{allow: {logins: [1000]}}", "must be text; put it in quotes"],
  ["{allow: {kubernetes_groups: ['*']}}", "name the groups"],
  ["{allow: {kubernetes_groups: [' system:masters']}}", "printable ASCII"],
  ['{allow: {kubernetes_groups: ["a\\r\\nImpersonate-Group: b"]}}', "printable ASCII"],
  ["{allow: {kubernetes_users: ['system:admin']}}", 'must not begin with "system:"'],
  ["{allow: {kubernetes_users: ['System:{{external.a}}']}}", 'must not begin with "system:"'],
  ["{allow: {kubernetes_users: ['*']}}", "name the users"],
  ["{allow: {kubernetes_users: [' root']}}", "printable ASCII"],
  ["{allow: {kubernetes_user: [root]}}", 'did you mean "kubernetes_users"?'],
  ["{allow: {logins: ['*-{{external.a}}']}}", "wildcard matcher is not allowed"],
  ["{allow: {kubernetes_groups: ['gr\u00fcn-{{external.a}}']}}", "text around a variable must be printable ASCII"],
  ["{allow: {node_labels: {env: '*-{{external.a}}'}}}", "text around a variable is taken as it is"],
  ["{deny: {node_labels: {env: [a, '^{{external.a}}$']}}}", "spec.deny.node_labels.env[1]: text around a variable is taken as it is"],
  ["{allow: {node_labels: {'a b-{{external.a}}': c}}}", "a label may only have"],
  ["{allow: {node_labels: {'': c}}}", "a label may only have"],
  ["{allow: {namespaces: [other]}}", "no other namespaces"],
  ["{allow: {node_labels: {'*': prod}}}", "selector *:prod is not supported"],
  ["{allow: {node_labels: {env: []}}}", "needs at least one value"],
  ["{allow: {node_labels: {env: 1}}}", "put it in quotes"],
  ["{allow: {node_labels: {env: '^(a$'}}}", "regular expression"],
  ["{allow: {node_labels: {'a b': c}}}", "a label may only have"],
  ["{allow: {node_labels: []}}", "must be a mapping"],
  ["{allow: {rules: [{verbs: [list]}]}}", "failed to process 'allow' rule 0: missing resources to match"],
  ["{deny: {rules: [{resources: [role], verbs: [list]}, {resources: [role]}]}}", "failed to process 'deny' rule 1: missing verbs"],
  ["{allow: {rules: [{resources: [rol], verbs: [list]}]}}", 'unknown resource "rol"; did you mean "role"?'],
  ["{allow: {rules: [{resources: [role], verbs: [reed]}]}}", 'unknown verb "reed"; did you mean "read"?'],
  ["{allow: {rules: [{resources: [role], verbs: [list], where: 'equals(a)'}]}}", 'unknown name "a"'],
  ["{options: {max_session_ttl: 12}}", "must be a duration"],
  ["{options: {max_session_ttl: soon}}", '"soon" is not a duration'],
  ["{options: {client_idle_timeout: -5m}}", "must not be negative"],
  ["{options: {max_session_ttl: 99999999999999999999h}}", "must be at most"],
  ["{options: {forward_agent: maybe}}", "must be true or false"],
  ["{options: {cert_format: oldsh}}", 'did you mean "oldssh"?'],
  ["{options: {record_stdin: some}}", "must be true or false"],
  ["{options: {max_sessions: -1}}", "must be a whole number"],
  ["{options: {max_sessions: 1.5}}", "must be a whole number"],
  ["{options: {max_sessions: '3'}}", "must be a whole number"],
  ["{options: {record_session: strikt}}", 'did you mean "strict"?'],
  ["{options: {record_session: off}}", "must be one of: strict, best_effort"],
  ["{options: {ssh_recording: node}}", "must be one of: proxy, off"],
  ["{options: {force_command: ''}}", "must not be empty"],
  [`{options: {force_command: "a\\nb"}}`, "has control characters"],
  ["{options: {source_addresses: [10.0.0.1/8]}}", "has bits set behind its first 8"],
  ["{options: {source_addresses: [home]}}", "is no range of addresses"],
  ["{options: {source_addresses: ['2001:db8::1/64']}}", "has bits set behind its first 64"],
  ["{options: {forward_agnt: true}}", 'did you mean "forward_agent"?'],
  ["[]", "must be a mapping, not a list"],
])("role spec %s is refused", (spec, message) => {
  expect(messageOf(() => role(spec))).toContain(message);
});

test.each(["Admin", "Node", "Proxy", "Nop", "default-implicit-role", "a..b", "a/./b", "/a", "a//b", "a b", "\u202ea", "", "x".repeat(257)])("role name %j is refused", (name) => {
  expect(messageOf(() => parseResource({ kind: "role", version: "v3", metadata: { name }, spec: {} }))).toContain("metadata.name");
});

test.each(["system:admin", "System:admin", "a?b"])("user name %j is refused", (name) => {
  expect(messageOf(() => parseResource({ kind: "user", version: "v2", metadata: { name }, spec: {} }))).toContain("metadata.name");
  expect(messageOf(() => parseResource({ kind: "user", name }))).toContain("name");
});

test.each([
  ["kind: rol", 'unknown kind "rol"; did you mean "role"?'],
  ["kind: role", "version: is missing; one of: v3, v2"],
  ["{kind: role, version: v9}", "version v9 of role is not supported"],
  ["version: v3", "kind: is missing"],
  ["just text", "must be a mapping"],
  ["{kind: role, version: v3}", "metadata: is missing"],
  ["kind: role\nkind: user\n", 'the key "kind" is there twice'],
  ["a: &a 1\nb:\n  <<: {c: 1}\nkind: role\n", "is missing"],
  ["kind: !!js/function x", "f:1:7"],
  ["? [a]\n: b\n", "a key must be text"],
  ["__proto__: {kind: role}", "cannot be used"],
  ["kind: 'role\n", "f:2:1"],
])("%j is refused", (text, message) => {
  expect(messageOf(() => parseResources(text, "f"))).toContain(message);
});

test.each([
  ["redirect_url: http://teleport.example.com/x", "must begin with https://"],
  ["redirect_url: 'javascript:x'", "must begin with https://"],
  ["redirect_url: 'https://a:b@c/'", "must not have a user name"],
  ["redirect_url: no", "is no web address"],
  ["redirect_url: https://x, teams_to_logins: [{organization: a, team: b}]", "needs logins or kubernetes_groups"],
  ["redirect_url: https://x, teams_to_logins: [{team: b, logins: [a]}]", "teams_to_logins[0].organization: is missing"],
  ["redirect_url: https://x, teams_to_logins: [{organization: a, team: '', logins: [a]}]", "leave the whole line out"],
  ["redirect_url: https://x, teams_to_logins: [{organization: a, team: , logins: [a]}]", "teams_to_logins[0].team: must name a team"],
  ["redirect_url: https://x, teams_to_roles: [{organization: a, team: '*', roles: [a]}]", "leave the whole line out"],
  ["redirect_url: https://x, teams_to_roles: [{organization: a, team: 7, roles: [a]}]", "teams_to_roles[0].team: must be text"],
  ["redirect_url: https://x, teams_to_logins: [{organization: a, team: b, kubernetes_groups: ['{{external.a}}']}]", "variables have no meaning here"],
  ["redirect_url: https://x, team_to_logins: []", 'did you mean "teams_to_logins"?'],
])("github %s is refused", (spec, message) => {
  expect(messageOf(() => one(`{kind: github, version: v3, metadata: {name: g}, spec: {client_id: i, ${spec}}}`))).toContain(message);
});

test("a secret is in no message", () => {
  for (const secret of ['"s3cr3t', "[s3cr3t]]", "{a: s3cr3t", "[s3cr3t]", "s3cr3t: x"]) {
    const text = `kind: github\nversion: v3\nmetadata: {name: g}\nspec:\n  client_id: x\n  client_secret: ${secret}\n  redirect_url: x\n`;
    expect(messageOf(() => parseResources(text, "f"))).not.toContain("s3cr3t");
  }
  expect(messageOf(() => parseResources("{kind: token, version: v2, metadata: {name: s3cr3t}, spec: {}}", "f"))).not.toContain("s3cr3t");
});

test("outside text in a message cannot act on a terminal", () => {
  expect(messageOf(() => parseResources('kind: "\\e[2Jrole"\n"\\e]52;c;x\\a": 1\n', "\u001b[31mf"))).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(messageOf(() => role('{allow: {"\\e[2J": 1}}'))).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(messageOf(() => parseResources("a: [\u001b[2J]]\n", "f"))).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
});

test("texts that grow without measure end in an error", () => {
  const laughs = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", ...Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 10 }, () => `*a${i}`).join(", ")}]`)].join("\n");
  expect(messageOf(() => parseResources(laughs, "f"))).toContain("more than");
  expect(messageOf(() => parseResources("a: &a [*a]\n", "f"))).toMatch(/alias|more than/);
  for (const text of ["[".repeat(200_000), "- ".repeat(200_000), "? ".repeat(200_000), "a: ".repeat(100_000), `${" ".repeat(5000)}a: 1`, "{a: ".repeat(10_000)]) {
    expect(messageOf(() => parseResources(text, "f"))).toMatch(/too deeply/);
  }
  const stairs = Array.from({ length: 600 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n");
  expect(messageOf(() => parseResources(stairs, "f"))).toContain("too deeply");
  expect(messageOf(() => parseResources("---\na: 1\n".repeat(3000), "f"))).toContain("1000");
  expect(messageOf(() => parseResources("x".repeat(1024 * 1024 + 1), "f"))).toContain("larger than 1024 KiB");
  let deep: unknown = 1;
  for (let depth = 0; depth < 50_000; depth += 1) deep = [deep];
  expect(messageOf(() => parseResource({ kind: "role", spec: deep }))).toContain("too deeply");
});

test("a value over the wire: paths without lines, and no key with a meaning of its own", () => {
  expect(messageOf(() => parseResource({ kind: "role", version: "v3", metadata: { name: "r" }, spec: { allow: { login: [] } } }))).toBe(
    'role "r" is not valid: spec.allow.login: unknown field; did you mean "logins"?',
  );
  expect(messageOf(() => parseResource(JSON.parse('{"kind":"role","__proto__":{"a":1}}')))).toContain("__proto__");
  for (const value of [null, undefined, 1, "x", [], Number.NaN]) expect(messageOf(() => parseResource(value))).toContain("must be a mapping");
});

test("what was read without secrets can be shown, and a hidden token cannot be made", () => {
  const token = redact(one(fixtures.token));
  const github = redact(one(fixtures.github));
  expect(JSON.stringify([token, github])).not.toMatch(/0123456789abcdef|client-secret/);
  expect(token.metadata.name).toBe(hiddenName);
  expect(parseResource(resourceToJson(token), { redacted: true })).toEqual(token);
  expect(messageOf(() => parseResource(resourceToJson(token)))).toContain("is hidden");
  expect(parseResource(resourceToJson(github))).toEqual(github);
});

test('a new name has no "/", of whatever kind; what is stored may have one', () => {
  const values: Record<string, unknown>[] = [
    { kind: "user", version: "v2", metadata: { name: "corp/ana" }, spec: {} },
    { kind: "role", version: "v3", metadata: { name: "corp/dev" }, spec: {} },
    { kind: "token", version: "v2", metadata: { name: "corp/secret" }, spec: { roles: ["Node"] } },
    { kind: "github", version: "v3", metadata: { name: "corp/github" }, spec: { client_id: "a", redirect_url: "https://gateway.example/callback" } },
  ];
  for (const value of values) {
    const message = messageOf(() => parseResource(value));
    expect(message).toContain('metadata.name: must not have "/", which stands between kind and name');
    expect(message).not.toContain("secret");
    expect(parseResource(value, { redacted: true }).kind).toBe(value["kind"]);
  }
  expect(messageOf(() => parseResource({ kind: "user", name: "corp/ana" }))).toContain('name: must not have "/"');
  expect(messageOf(() => parseResources("kind: role\nversion: v3\nmetadata:\n  name: a/b\nspec: {}\n", "role.yaml"))).toBe(
    'role "a/b" is not valid: role.yaml:4:9 metadata.name: must not have "/", which stands between kind and name',
  );
});

test("any value is a resource or a told error", () => {
  const key = fc.constantFrom("kind", "version", "metadata", "spec", "name", "addr", "host_key", "rp_id", "webauthn", "allow", "deny", "options", "rules", "logins", "node_labels", "*", "traits", "toString");
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 5 }, fc.constantFrom("role", "v3", "user", "v2", "*", "", "{{", null, 0, true), fc.array(tie("any"), { maxLength: 3 }), fc.dictionary(key, tie("any"), { maxKeys: 4 })),
  })).any;
  fc.assert(
    fc.property(fc.constantFrom("role", "user", "github", "token", "cluster_auth_preference", "node", "oidc"), fc.constantFrom("v2", "v3"), value, value, (kind, version, metadata, spec) => {
      try {
        parseResource({ kind, version, metadata, spec });
      } catch (error) {
        expect(error).toBeInstanceOf(GatehouseError);
      }
    }),
    { numRuns: 500 },
  );
});

test("any text of YAML's own signs is read or a told error", () => {
  const sign = fc.constantFrom("- ", "? ", ": ", "a", "\n", "  ", "[", "]", "{", "}", ",", '"', "'", "&a ", "*a", "|", ">", "#", "!!str ", "---\n", "\t", "%YAML 1.1\n", "\r", "\u0000", "<<: ");
  fc.assert(
    fc.property(fc.array(sign, { maxLength: 40 }), (signs) => {
      try {
        parseResources(signs.join(""), "f");
      } catch (error) {
        expect(error).toBeInstanceOf(GatehouseError);
      }
    }),
    { numRuns: 1000 },
  );
});
