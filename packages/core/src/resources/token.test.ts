import { describe, expect, it } from "vitest";
import { formatResources, parseResource, redact, resourceToJson } from "./index.ts";

const token = (spec: Record<string, unknown>, name = "deploy"): unknown => ({ kind: "token", version: "v2", metadata: { name }, spec });
const github = { join_method: "github-actions", bot_name: "ci" };

describe("tokens of bots", () => {
  it("are written as they are read, with their name, which is no secret", () => {
    const parsed = parseResource(token({ ...github, allow: [{ repository: "acme/app", branch: ["main", "release-*"] }] }));
    expect(redact(parsed)).toEqual(parsed);
    expect(resourceToJson(parsed)).toEqual(token({ ...github, allow: [{ repository: "acme/app", branch: ["main", "release-*"] }] }));
    expect(parseResource(resourceToJson(parsed))).toEqual(parsed);
    expect(formatResources([parsed], "yaml", { withSecrets: false })).toContain("repository: acme/app");
  });

  it("for once are hidden, and must be hard to guess", () => {
    const once = parseResource(token({ join_method: "token", bot_name: "ci" }, "0123456789abcdef"));
    expect(redact(once).metadata.name).toBe("********");
    expect(parseResource(resourceToJson(redact(once)), { redacted: true })).toEqual(redact(once));
    expect(() => parseResource(token({ join_method: "token", bot_name: "ci" }, "secret"))).toThrow(/at least 16 characters/);
  });

  it("may leave a part of a name open", () => {
    for (const repository of ["acme/*", "e*/*", "q*", "^acme/(app|tools)$"]) expect(parseResource(token({ ...github, allow: [{ repository }] })).kind).toBe("token");
    expect(parseResource(token({ ...github, join_method: "kubernetes", issuer: "https://a", allow: [{ service_account: "ci:*" }] })).kind).toBe("token");
  });

  it("of hosts say what these may be called, and are secrets", () => {
    const spec = { roles: ["Node"], join_method: "token", node_names: ["web-*"], node_labels: { env: "staging", rack: "*" }, node_addrs: ["10.0.0.*"], uses: 3 };
    const parsed = parseResource(token(spec, "0123456789abcdef"));
    expect(resourceToJson(parsed)).toEqual(token(spec, "0123456789abcdef"));
    expect(redact(parsed).metadata.name).toBe("********");
    expect(() => parseResource(token(spec, "secret"))).toThrow(/at least 16 characters/);
    expect(parseResource(token({ roles: ["node"], join_method: "token", node_names: "Web-1" }, "0123456789abcdef"))).toMatchObject({ spec: { roles: ["Node"], node_names: ["web-1"] } });
  });

  it("of the cluster's own machines are as before", () => {
    expect(resourceToJson(parseResource(token({ roles: ["node"] })))).toEqual(token({ roles: ["Node"] }));
    expect(() => parseResource(token({}))).toThrow(/needs roles, such as \[Node\], or join_method and bot_name/);
  });

  it.each([
    [{ ...github, roles: ["Node"], allow: [{ repository: "a/b" }] }, /spec\.roles.*bot has its roles itself/],
    [{ join_method: "github-actions", allow: [{ repository: "a/b" }] }, /spec\.bot_name: is missing/],
    [github, /spec\.allow: is missing: what a job's JWT must say, such as \{repository/],
    [{ ...github, allow: [{ branch: "main" }] }, /spec\.allow\[0\]: would let in anybody's job there: it needs repository, /],
    [{ ...github, allow: [{ repository: "*" }] }, /spec\.allow\[0\]\.repository: would let in anybody's job there: it matches everything/],
    [{ ...github, allow: [{ repository: "^.*$", actor: "ana" }] }, /matches everything/],
    [{ ...github, allow: [{ repository: ["acme/app", "*/*"] }] }, /matches everything/],
    [{ ...github, allow: [{ sub: "repo:*:ref:refs/heads/main" }] }, /spec\.allow\[0\]\.sub: .*matches everything/],
    [{ ...github, allow: [{ repository_id: "^[0-9]+$" }] }, /matches everything/],
    [{ ...github, allow: [{ repository_owner: "^[^/]+$" }] }, /matches everything/],
    [{ ...github, join_method: "gitlab", allow: [{ sub: "project_path:*:ref_type:branch:ref:main" }] }, /matches everything/],
    [{ ...github, join_method: "kubernetes", issuer: "https://a", allow: [{ service_account: "*:*" }] }, /matches everything/],
    [{ ...github, allow: [{ repo: "acme/app" }] }, /spec\.allow\[0\]\.repo: is nothing that a rule of github-actions asks for/],
    [{ ...github, allow: [{ repository: "^($" }] }, /spec\.allow\[0\]\.repository/],
    [{ ...github, issuer: "http://example.com", allow: [{ repository: "a/b" }] }, /spec\.issuer: must begin with https/],
    [{ ...github, join_method: "oidc", allow: [{ sub: "x" }] }, /spec\.issuer: is missing/],
    [{ ...github, join_method: "oidc", issuer: "https://a", allow: [{ sub: "*" }] }, /matches everything/],
    [{ ...github, join_method: "oidc", issuer: "https://a", allow: [{ "a..b[": "x" }] }, /is no path of a claim/],
    [{ ...github, join_method: "token", allow: [{ sub: "x" }] }, /spec\.allow: is for methods with a JWT/],
    [{ ...github, join_method: "github" }, /spec\.join_method: must be one of: token, github-actions/],
    [{ ...github, jwks: { keys: [{ kty: "RSA", d: "x" }] }, allow: [{ repository: "a/b" }] }, /spec\.jwks: has a private key in it/],
    [{ roles: ["Node"], join_method: "token" }, /spec\.node_names: is missing/],
    [{ roles: ["Node"], join_method: "token", node_names: [] }, /spec\.node_names/],
    [{ roles: ["Node"], join_method: "token", node_names: ["a b"] }, /spec\.node_names\[0\]: must be a host name/],
    [{ roles: ["Node"], join_method: "token", node_names: ["a"], bot_name: "ci" }, /spec\.bot_name: is for bots/],
    [{ roles: ["Node"], join_method: "token", node_names: ["a"], uses: 0 }, /spec\.uses/],
    [{ roles: ["Node"], join_method: "token", node_names: ["a"], node_labels: { "a=b": "c" } }, /node_labels/],
    [{ roles: ["Node"], node_names: ["a"] }, /spec\.node_names: goes together with/],
    [{ roles: ["Node", "Proxy"], join_method: "token" }, /spec\.roles/],
    [{ ...github, allow: [{ repository: "a/b" }], uses: 2 }, /spec\.uses: goes together with/],
    [{ roles: ["Node"], bot_name: "ci" }, /spec\.bot_name: goes together with join_method/],
  ])("are refused: %j", (spec, message) => expect(() => parseResource(token(spec))).toThrow(message));
});

describe("bots", () => {
  const bot = (spec: Record<string, unknown>, name = "ci"): unknown => ({ kind: "bot", version: "v1", metadata: { name }, spec });

  it("are written as they are read", () => {
    expect(resourceToJson(parseResource(bot({ roles: ["deployer"], traits: { logins: ["deploy"] }, max_ttl: "20m" })))).toEqual(bot({ roles: ["deployer"], traits: { logins: ["deploy"] }, max_ttl: "20m0s" }));
    expect(resourceToJson(parseResource(bot({ roles: ["deployer"] })))).toEqual(bot({ roles: ["deployer"] }));
  });

  it.each([
    [bot({}), /needs roles/],
    [bot({ roles: ["a"], max_ttl: "2h" }), /1 minute to 1 hour/],
    [bot({ roles: ["a"] }, "a:b"), /may only have letters/],
  ])("are refused: %j", (value, message) => expect(() => parseResource(value)).toThrow(message));
});
