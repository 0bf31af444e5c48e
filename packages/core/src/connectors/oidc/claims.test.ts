import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OidcConnector } from "../../resources/index.ts";
import { claimAt, mergeClaims, textsOf } from "./claims.ts";
import { mapClaims } from "./mapping.ts";
import { attempt, refusalOf, withIssuer, logIn } from "./testing/index.ts";
import { attributesOf, traitsOf } from "./traits.ts";

const who = 'the provider of connector "corp"';
const connector = (claims_to_roles: OidcConnector["spec"]["claims_to_roles"]): OidcConnector =>
  ({ kind: "oidc", version: "v3", metadata: { name: "corp" }, spec: { claims_to_roles } }) as unknown as OidcConnector;
const map = (rules: OidcConnector["spec"]["claims_to_roles"], claims: Record<string, unknown>) => {
  const person = mergeClaims({ sub: "x", ...claims }, undefined);
  return mapClaims(connector(rules), who, "ana", person, attributesOf(connector(rules), who, person));
};

describe("claims", () => {
  it("of the ID token win over userinfo's, and tokens are none", () => {
    const { claims, subject } = mergeClaims({ sub: "x", a: "1", access_token: "t" }, { sub: "x", a: "2", b: "3", id_token: "t", "x.token": "t", tokens: ["t"] });
    expect(claims).toEqual({ sub: "x", a: "1", b: "3" });
    expect(subject).toBe("x");
  });

  it.each([
    [{ email: "a@x", email_verified: true }, undefined, true],
    [{ email: "a@x" }, { email_verified: true }, false],
    [{ email: "a@x" }, { email: "a@x", email_verified: true }, true],
    [{ email: "a@x" }, { email: "b@x", email_verified: true }, false],
    [{ email: "a@x", email_verified: false }, { email: "a@x", email_verified: true }, false],
    [{}, { email: "a@x", email_verified: true }, true],
    [{ email_verified: true }, { email: "a@x" }, false],
    [{ email: "a@x", email_verified: "true" }, undefined, false],
    [{ email_verified: true }, undefined, false],
  ])("%j beside userinfo %j: the address is verified: %s", (idToken, userinfo, verified) => {
    expect(mergeClaims({ sub: "x", ...idToken }, userinfo).emailVerified).toBe(verified);
  });

  it.each([
    ["groups", ["a"]],
    ["realm_access.roles", ["r"]],
    ["a.b", "flat"],
    ["a.c", "deep"],
    ["https://example.com/groups", ["g"]],
    ["missing", undefined],
    ["realm_access.missing.roles", undefined],
    ["groups.length", undefined],
    ["groups.0", undefined],
    ["constructor.name", undefined],
    ["__proto__.toString", undefined],
  ])("%s is found by name or path: %j", (path, value) => {
    const claims = { groups: ["a"], realm_access: { roles: ["r"] }, "a.b": "flat", a: { b: "other", c: "deep" }, "https://example.com/groups": ["g"] };
    expect(claimAt(claims, path)).toEqual(value);
  });

  it("never come from anything but the claims themselves", () => {
    fc.assert(fc.property(fc.string(), (path) => claimAt({}, path) === undefined));
  });

  it.each([
    ["a", ["a"]],
    ["", []],
    [["a", ""], ["a"]],
    [["a", 1], undefined],
    [1, undefined],
    [true, undefined],
    [{}, undefined],
    [null, undefined],
  ])("%j as texts: %j", (value, texts) => {
    expect(textsOf(value)).toEqual(texts);
  });
});

describe("traits", () => {
  it("are the claims that are text, and the nested ones that the mapping names", () => {
    const { traits } = map([{ claim: "realm_access.roles", value: "r", roles: ["access"] }], {
      groups: ["b", "a", "a"],
      realm_access: { roles: ["r"], other: ["no"] },
      number: 1,
      nonce: "n",
      sid: "s",
      "not a name": "x",
      long: ["x".repeat(1025), "short"],
    });
    expect(traits).toEqual({ sub: ["x"], groups: ["a", "b"], "realm_access.roles": ["r"], long: ["short"] });
  });

  it("are bounded", () => {
    const many = Object.fromEntries(Array.from({ length: 201 }, (_, index) => [`c${String(index)}`, "x"]));
    expect(() => map([], many)).toThrow("sent 202 claims, and 200 are the most");
    expect(() => map([], { groups: Array.from({ length: 1001 }, (_, index) => String(index)) })).toThrow("sent 1001 values of claim groups, and 1000 are the most");
    expect(traitsOf(who, {})).toEqual({});
  });

  it("cannot be named so that they reach into objects", () => {
    const { traits } = map([], JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, unknown>);
    expect(Object.entries(traits)).toEqual([["sub", ["x"]], ["constructor", ["y"]]]);
    expect(Object.getPrototypeOf(traits)).toBe(Object.prototype);
  });
});

describe("the mapping", () => {
  it("gives what every matching rule gives, and says which did", () => {
    const rules = [
      { claim: "groups", value: "team-*", roles: ["$1", "access"] },
      { claim: "groups", value: "^ops$", roles: ["admin"] },
      { claim: "department", value: "it", roles: ["access"] },
    ];
    expect(map(rules, { groups: ["team-sre", "team-web", "x"], department: "it" })).toMatchObject({
      roles: ["access", "sre", "web"],
      problem: undefined,
      rules: [
        { rule: "groups = team-*", matched: true, gives: expect.arrayContaining(["role access", "role sre", "role web"]) as string[] },
        { rule: "groups = ^ops$", matched: false, gives: ["role admin"] },
        { rule: "department = it", matched: true, gives: ["role access"] },
      ],
    });
  });

  it("says what is mapped and what came where nothing is given", () => {
    const rules = [{ claim: "groups", value: "admins", roles: ["admin"] }, { claim: "team", value: "sre", roles: ["access"] }];
    expect(map(rules, { groups: ["dev\u001b[31m"], department: "it" }).problem).toMatchObject({
      code: "access_denied",
      message: 'ana has no role: no claim is one that connector "corp" maps (groups = admins, team = sre)',
      hint: `${who} sent groups: dev\\x1b[31m; team: nothing; beside that it sent sub, department; ask an administrator to map one of them`,
    });
    expect(map([], {}).problem?.message).toBe('connector "corp" maps no claim');
    expect(map(rules, { groups: { a: 1 } }).problem?.hint).toContain("groups: no text");
    // Entra's word for more groups than fit into a token.
    expect(map(rules, { _claim_names: { groups: "src1" } }).problem?.hint).toContain("groups: too many to be sent");
  });

  it("says why an expansion gives nothing", () => {
    expect(map([{ claim: "groups", value: "*", roles: ["$1"] }], { groups: ["a b"] }).problem?.hint).toContain('"a b" is no name of a role');
  });
});

describe("groups of Google Workspace", () => {
  const scope = ["https://www.googleapis.com/auth/admin.directory.group.readonly"];
  const google = (issuer: { readonly url: string }) => ({ issuer: issuer.url, groupsUrl: `${issuer.url}/groups` });
  const claims_to_roles = [{ claim: "groups", value: "sre@example.com", roles: ["access"] }];

  it("are read page by page and replace the claim", async () => {
    const groups = (page: string | undefined) => (page === undefined ? { groups: [{ email: "web@example.com" }], nextPageToken: "2" } : { groups: [{ email: "sre@example.com" }] });
    await withIssuer({ spec: { scope, claims_to_roles }, google, script: { groups } }, async (issuer, provider) => {
      const { mapping } = await logIn(provider, issuer);
      expect(mapping.roles).toEqual(["access"]);
      expect(mapping.traits["groups"]).toEqual(["sre@example.com", "web@example.com"]);
      expect(issuer.arrived.groups).toBe(2);
    });
  });

  it("are not asked for without the scope, or at anybody else's", async () => {
    await withIssuer({ google }, async (issuer, provider) => {
      await logIn(provider, issuer);
      expect(issuer.arrived.groups).toBe(0);
    });
    await withIssuer({ spec: { scope } }, async (issuer, provider) => {
      await logIn(provider, issuer);
      expect(issuer.arrived.groups).toBe(0);
    });
  });

  it("end after a hundred pages, or with what Google says against it", async () => {
    const endless = withIssuer({ spec: { scope }, google, script: { groups: () => ({ nextPageToken: "again" }) } }, (issuer, provider) => logIn(provider, issuer));
    expect((await refusalOf(endless)).code).toBe("limit_exceeded");
    const away = attempt({ faults: { groups: "404" } }, { spec: { scope }, google });
    expect((await refusalOf(away)).message).toContain("answered 404 to the request for the person's groups");
  });
});
