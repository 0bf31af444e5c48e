import fc from "fast-check";
import { expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { fixtures } from "./fixtures.ts";
import { formatPath, formatResources, locate, parseResource, parseResources, presetRoles, redact, resourceToJson, type Resource } from "./index.ts";

const withSecrets = { withSecrets: true };

function read(text: string): Resource[] {
  return parseResources(text, "f").map(({ resource }) => resource);
}

const awkward = fc.constantFrom("yes", "off", "null", "~", "1e3", "0x1f", ".5", "1_000", "12:30:45", "2020-01-01", "=", "<<", "*a", "&b", "!c", "- d", "a: b", "a #b", " x", "# y", "{", "[", "%", "@", "`", "\u202eevil\u200b", "\u009b2J", "\u0085", "tab\there", "line\nbreak", "ünï\u{1f600}", "'\"\\", "---", "...");
const text = fc.oneof(awkward, fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" }), fc.string({ minLength: 1, unit: "grapheme-ascii" }));
const literal = text.filter((value) => value.trim() !== "" && !value.includes("{{") && !value.includes("}}") && !value.includes("*") && !(value.startsWith("^") && value.endsWith("$")));
const name = fc.stringMatching(/^[0-9A-Za-z@_:.-]{1,20}$/).filter((value) => !value.includes("..") && value !== "." && !/^system:/i.test(value) && !/^[A-Z]/.test(value));
const variable = fc.constantFrom("{{internal.logins}}", "{{external.groups}}", '{{external["a-b"]}}', "team-{{external.team}}-x", '{{regexp.replace(email.local(external.email), "^(\\\\w+)$", "$1")}}');
const group = fc.oneof(variable, fc.stringMatching(/^[!-)+-z][ -z]{0,10}[!-)+-z]$/));
const login = fc.oneof(variable, literal);
const key = fc.stringMatching(/^[a-zA-Z/.0-9_:-]{1,8}$/).filter((value) => value !== "__proto__");
const labelValue = fc.oneof(literal, fc.constantFrom("*", "web-*", "^a|b$", "{{external.env}}"));
const selector = fc.oneof(fc.constant({ "*": "*" }), fc.dictionary(key, fc.oneof(labelValue, fc.array(labelValue, { minLength: 1, maxLength: 3 })), { maxKeys: 3 }));
const rule = fc.record({
  resources: fc.subarray(["role", "user", "*"], { minLength: 1 }),
  verbs: fc.subarray(["list", "read", "*"], { minLength: 1 }),
  where: fc.option(fc.constantFrom('equals(user.metadata.name, "a")', 'contains(user.spec.roles, "b") && !equals("c", "d")'), { nil: undefined }),
});
const conditions = fc.record(
  { logins: fc.array(login, { maxLength: 3 }), kubernetes_groups: fc.array(group, { maxLength: 3 }), kubernetes_users: fc.array(group, { maxLength: 3 }), node_labels: selector, kubernetes_labels: selector, rules: fc.array(rule, { maxLength: 2 }) },
  { requiredKeys: [] },
);
const duration = fc.oneof(fc.integer({ min: 1, max: 10 ** 12 }).map((ms) => `${ms}ms`), fc.constantFrom("30h", "1h30m", "0", "never"));
const metadata = fc.record(
  { name, description: text, expires: fc.constantFrom("2030-01-01T00:00:00Z", "2030-01-01T00:00:00.5+02:00"), labels: fc.dictionary(key, text, { maxKeys: 3 }) },
  { requiredKeys: ["name"] },
);
const role = fc.record({
  kind: fc.constant("role"),
  version: fc.constant("v3"),
  metadata,
  spec: fc.record(
    {
      options: fc.record(
        { max_session_ttl: duration, forward_agent: fc.boolean(), port_forwarding: fc.boolean(), client_idle_timeout: duration, allow_system_groups_from_traits: fc.boolean(), kubernetes_node_proxy: fc.boolean(), record_stdin: fc.boolean(), headless_login: fc.boolean(), certificate_renewal: fc.constantFrom("off", "local", "any"), max_sessions: fc.nat(1_000_000), record_session: fc.constantFrom("strict", "best_effort"), ssh_recording: fc.constantFrom("proxy", "off"), force_command: fc.constantFrom("uptime", "exit 3 # x"), source_addresses: fc.subarray(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]), x11_forwarding: fc.boolean(), cert_format: fc.constantFrom("standard", "oldssh") },
        { requiredKeys: [] },
      ),
      allow: conditions,
      deny: conditions,
    },
    { requiredKeys: [] },
  ),
});
const user = fc.record({
  kind: fc.constant("user"),
  version: fc.constant("v2"),
  metadata,
  spec: fc.record(
    {
      roles: fc.array(name, { maxLength: 3 }),
      traits: fc.dictionary(key, fc.array(text, { maxLength: 3 }), { maxKeys: 3 }),
      status: fc.record({ is_locked: fc.boolean(), locked_message: text }, { requiredKeys: [] }),
      github_identities: fc.array(fc.record({ connector_id: name, username: name }), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  ),
});
const mappingOf = (gives: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<object> =>
  fc.oneof(fc.record<Record<string, unknown>>({ organization: name, team: name, ...gives }), fc.record<Record<string, unknown>>({ organization: name, ...gives }));
const github = fc.record({
  kind: fc.constant("github"),
  version: fc.constant("v3"),
  metadata: metadata.filter((value) => value.name !== "local"),
  spec: fc.record(
    {
      client_id: name,
      client_secret: literal.filter((value) => !/[\u0000-\u0008\u000b-\u001f\u007f]/.test(value)),
      redirect_url: fc.constant("https://gate.example.com/v1/webapi/github/callback"),
      display: text.map((value) => value.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "")),
      teams_to_logins: fc.array(mappingOf({ logins: fc.array(name, { minLength: 1, maxLength: 2 }), kubernetes_groups: fc.array(name, { maxLength: 2 }) }), { maxLength: 2 }),
      teams_to_roles: fc.array(mappingOf({ roles: fc.array(name, { minLength: 1, maxLength: 2 }) }), { maxLength: 2 }),
      endpoint_url: fc.constant("http://127.0.0.1:8080"),
    },
    { requiredKeys: ["client_id", "redirect_url"] },
  ),
});
const preference = fc.record({ kind: fc.constant("cluster_auth_preference"), version: fc.constant("v2"), spec: fc.record({ type: fc.constantFrom("local", "github"), second_factor: fc.constantFrom("off", "otp"), connector_name: name }, { requiredKeys: [] }) });
const token = fc.record({ kind: fc.constant("token"), version: fc.constant("v2"), metadata, spec: fc.record({ roles: fc.subarray(["Node", "Proxy"], { minLength: 1 }) }) });
const uuids = fc.uuid().map((id) => id.toLowerCase());
const lock = fc.record(
  {
    kind: fc.constant("lock"),
    version: fc.constant("v2"),
    metadata: fc.record({ name: fc.oneof(name, uuids), description: text, labels: fc.dictionary(key, text, { maxKeys: 3 }) }, { requiredKeys: [] }),
    spec: fc.record(
      {
        target: fc.oneof(
          fc.record({ user: name, role: name, session: uuids, kube_cluster: name }, { requiredKeys: ["user"] }),
          fc.record({ role: name, login: fc.constantFrom("root", "deploy"), node: name }, { requiredKeys: ["login"] }),
        ),
        message: text.filter((value) => !/[\u0000-\u001f\u007f]/.test(value)),
        expires: fc.constantFrom("2030-01-01T00:00:00Z", "2030-01-01T00:00:00.5+02:00"),
        created_at: fc.constant("2029-01-01T00:00:00Z"),
        created_by: name,
      },
      { requiredKeys: ["target"] },
    ),
  },
  { requiredKeys: ["kind", "version", "spec"] },
);
const resource = fc.oneof(role, user, github, preference, token, lock).map((value) => parseResource(value));

test("what is written is read back, for every kind, in YAML and JSON, with what acts on a terminal escaped", () => {
  fc.assert(
    fc.property(fc.array(resource, { maxLength: 3 }), (resources) => {
      for (const format of ["yaml", "json"] as const) {
        const written = formatResources(resources, format, withSecrets);
        expect(written).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b\u202e]/);
        expect(read(written)).toEqual(resources);
        expect(formatResources(read(written), format, withSecrets)).toBe(written);
      }
      for (const one of resources) expect(parseResource(JSON.parse(JSON.stringify(resourceToJson(one))))).toEqual(one);
    }),
    { numRuns: 150 },
  );
});

test("readers of YAML 1.1 and 1.2 see the same", () => {
  fc.assert(
    fc.property(resource, (one) => {
      const written = formatResources([one], "yaml", withSecrets);
      expect(parseYaml(written, { version: "1.1" })).toEqual(parseYaml(written, { version: "1.2" }));
    }),
    { numRuns: 100 },
  );
});

test("get, then create, changes nothing: the documentation's files", () => {
  for (const file of Object.values(fixtures)) {
    const first = read(file);
    expect(read(formatResources(first, "yaml", withSecrets))).toEqual(first);
  }
});

test("without secrets there are none", () => {
  const resources = [...read(fixtures.github), ...read(fixtures.token)];
  for (const format of ["yaml", "json"] as const) expect(formatResources(resources, format, { withSecrets: false })).not.toMatch(/client-secret|0123456789abcdef/);
  expect(resources.map(redact)).toEqual(resources.map(redact).map(redact));
});

test("options that v3 does not know are written only where they are on", () => {
  expect(formatResources(presetRoles(), "yaml", withSecrets)).not.toMatch(/kubernetes_node_proxy|kubernetes_labels|allow_system_groups|record_|headless|max_sessions|ssh_recording|force_command|source_addresses|x11/);
});

test("presets are valid and are what is read back", () => {
  expect(read(formatResources(presetRoles(), "yaml", withSecrets))).toEqual(presetRoles());
  expect(presetRoles().map((one) => one.metadata.name)).toEqual(["admin", "access"]);
});

test("places in the canonical YAML", () => {
  const [admin] = read(fixtures.role);
  const lines = formatResources([admin!], "yaml", withSecrets).split("\n");
  const lineAt = (path: string): string | undefined => lines[(locate(admin!, path)?.line ?? 0) - 1]?.trim();
  expect(lineAt("spec.allow.kubernetes_groups[1]")).toBe('- "{{external.trait_name}}"');
  expect(lineAt("spec.allow.node_labels.environment[1]")).toBe("- staging");
  expect(lineAt(formatPath(["spec", "allow", "node_labels", "*", 0]))).toBe('"*": "*"');
  expect(lineAt("spec.options.max_session_ttl")).toBe("max_session_ttl: 8h0m0s");
  expect(locate(admin!, "spec.deny.kubernetes_groups[0]")).toBeUndefined();
  expect(locate(admin!, "spec.allow.logins[9]")).toBeUndefined();
  expect(locate(admin!, "no path [")).toBeUndefined();
});

test("a connector without a text for its button is written without one", () => {
  const [connector] = read(["kind: saml", "version: v2", "metadata: {name: okta}", "spec:", "  acs: https://gw.example.com/v1/webapi/saml/acs", "  entity_descriptor_url: https://okta.example.com/metadata", "  attributes_to_roles: [{name: groups, value: a, roles: [access]}]"].join("\n"));
  const written = formatResources([connector!], "yaml", withSecrets);
  expect(written).not.toContain("display");
  expect(read(written)).toEqual([connector]);
});
