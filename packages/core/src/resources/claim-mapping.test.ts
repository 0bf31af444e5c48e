import fc from "fast-check";
import { expect, test } from "vitest";
import { compileClaimValue, expandRole, mapAttributes, mappingProblems, matchClaim, maxClaimLength, parseResources } from "./index.ts";

test.each<[string, string, readonly string[] | undefined]>([
  ["admins", "admins", ["admins"]],
  ["admins", "Admins", undefined],
  ["a.c", "abc", undefined],
  ["team-*", "team-sre", ["team-sre", "sre"]],
  ["team-*", "team-", ["team-", ""]],
  ["team-*", "steam-sre", undefined],
  ["*-*", "a-b-c", ["a-b-c", "a-b", "c"]],
  ["a*b*c", "abbc", ["abbc", "b", ""]],
  ["*", "x\ny", undefined],
  ["*.(x)+*", "a.(x)+b", ["a.(x)+b", "a", "b"]],
  ["^team-(\\w+)$", "team-sre", ["team-sre", "sre"]],
  ["^(a)|(b)$", "b", ["b", "", "b"]],
  ["^(?:x)(y)?z$", "xz", ["xz", ""]],
  ["^(.*?)-(.*)$", "a-b-c", ["a-b-c", "a", "b-c"]],
  ["^(a|ab)(c|bcd)?(d*)$", "abcd", ["abcd", "a", "bcd", ""]],
  ["^(?:(a)|b)*$", "ab", ["ab", "a"]],
  ["^(\u{1f600})(.)$", "\u{1f600}\u{1f601}", ["\u{1f600}\u{1f601}", "\u{1f600}", "\u{1f601}"]],
  // RE2 reads these as "begins with staff" or "ends in admins"; a connector that gives roles does not.
  ["^staff|admins$", "staff-of-nothing", undefined],
  ["^staff|admins$", "no-admins", undefined],
  ["^staff|admins$", "admins", ["admins"]],
])("%s against %j", (value, text, captures) => {
  expect(matchClaim(value, text)).toEqual(captures);
});

test.each([
  ["", "must not be empty"],
  ["^(a$", "is not closed"],
  ["^(?P<n>a)$", "begin with (?"],
  ["*".repeat(17), "at most 16"],
  [`^${"(a)".repeat(17)}$`, "more than 16 groups"],
  ["x".repeat(2000), "at most 1024 characters"],
])("%s is no value", (value, message) => {
  expect(() => compileClaimValue(value)).toThrow(message);
});

test.each<[string, readonly string[], string | undefined]>([
  ["dev", ["x"], "dev"],
  ["$1", ["team-sre", "sre"], "sre"],
  ["${1}x-$0", ["a", "b"], "bx-a"],
  ["$1-$2", ["x", "a", "b"], "a-b"],
  ["$$1", ["x", "a"], "$1"],
  ["$1x", ["x", "a"], undefined],
  ["$2", ["x", "a"], undefined],
  ["$name", ["x", "a"], undefined],
  ["$", ["x", "a"], undefined],
])("role %s of %j", (template, captures, role) => {
  expect(expandRole(template, captures)).toBe(role);
});

test("what groups matched is not expanded again", () => {
  expect(expandRole("$1", ["x", "$2", "admin"])).toBe("$2");
});

test("roles come in the order of the rules, each once, from every value that matches", () => {
  const mapped = mapAttributes(
    [
      { name: "groups", value: "team-*", roles: ["$1", "dev"] },
      { name: "groups", value: "^(?:ops|sre)$", roles: ["dev", "ops"] },
      { name: "mail", value: "*@example.com", roles: ["staff"] },
    ],
    { groups: ["x", "team-web", "ops", "team-db"] },
  );
  expect(mapped.roles).toEqual(["web", "dev", "db", "ops"]);
  expect(mapped.rules).toEqual([
    { name: "groups", value: "team-*", matched: true, by: ["team-web", "team-db"], roles: ["web", "dev", "db"], problems: [] },
    { name: "groups", value: "^(?:ops|sre)$", matched: true, by: ["ops"], roles: ["dev", "ops"], problems: [] },
    { name: "mail", value: "*@example.com", matched: false, by: [], roles: [], problems: [] },
  ]);
});

test("an expansion that is no name of a role is dropped and said, whatever a provider sends", () => {
  const rule = { name: "groups", value: "team-*", roles: ["$1"] };
  const { roles, rules } = mapAttributes([rule], { groups: ["team-", "team-../x", "team-a b", "team-\u001b[31m", "team-default-implicit-role", "team-ok"] });
  expect(roles).toEqual(["ok"]);
  expect(rules[0]?.problems).toHaveLength(5);
  expect(rules[0]?.problems.join("\n")).toContain('"" is no name of a role: it must not be empty');
  expect(rules[0]?.problems.join("\n")).not.toContain("\u001b");
});

test("a rule that cannot be read gives nothing and says why; others count", () => {
  const { roles, rules } = mapAttributes(
    [
      { name: "a", value: "^(x$", roles: ["admin"] },
      { name: "a", value: "x", roles: ["$1", "dev"] },
    ],
    { a: ["x"] },
  );
  expect(roles).toEqual(["dev"]);
  expect(rules[0]).toMatchObject({ matched: false, problems: [expect.stringContaining("is not closed")] });
  expect(rules[1]).toMatchObject({ matched: true, problems: [expect.stringContaining("refers to group 1")] });
});

test("only an attribute's own name counts", () => {
  const mapped = mapAttributes([{ name: "constructor", value: "*", roles: ["admin"] }, { name: "__proto__", value: "*", roles: ["admin"] }], {});
  expect(mapped.roles).toEqual([]);
});

test("a connector's rule is told what is wrong with it", () => {
  expect(mappingProblems("team-*", ["$1", "${1}-x", "dev"])).toEqual([]);
  expect(mappingProblems("^(a$", ["dev"])).toMatchObject([{ field: "value" }]);
  expect(mappingProblems("team-*", ["dev", "$2", "$1x", "a b", "Proxy", "a b-$1", "team/${1}"]).map(({ index, message }) => [index, message])).toEqual([
    [1, expect.stringContaining("refers to group 2, and the last one is 1")],
    [2, expect.stringContaining("write $1, ${1}")],
    [3, expect.stringContaining("is no name of a role")],
    [4, expect.stringContaining("built-in role")],
    [5, expect.stringContaining('"a b-$1" is no name of a role')],
  ]);
  expect(mappingProblems("dev", ["$1"])[0]?.message).toContain("there is none");
});

test("a connector whose rules can give nothing is refused with line and field", () => {
  const rules = "- {claim: groups, value: '^(a$', roles: [dev]}\n  - {claim: groups, value: 'team-*', roles: [dev, '$2']}\n  - {claim: groups, value: '*', roles: []}\n  - {claim: groups, value: 'team-*', roles: ['${1}-x', '$1']}\n";
  const text = `kind: oidc\nversion: v2\nmetadata: {name: corp}\nspec:\n  issuer_url: https://idp.example.com\n  client_id: a\n  redirect_url: https://t.example.com/v1/webapi/oidc/callback\n  claims_to_roles:\n  ${rules}`;
  const read = (): unknown => parseResources(text, "corp.yaml");
  expect(read).toThrow(/corp\.yaml:9:\d+ spec\.claims_to_roles\[0\]\.value: the regular expression cannot be used: a "\(" is not closed/);
  expect(read).toThrow(/corp\.yaml:10:\d+ spec\.claims_to_roles\[1\]\.roles\[1\]: "\$2" refers to group 2, and the last one is 1/);
  expect(read).toThrow(/corp\.yaml:11:\d+ spec\.claims_to_roles\[2\]: gives nothing: it needs roles/);
  expect(read).not.toThrow(/claims_to_roles\[3\]/);
});

// With a backtracking matcher each of these runs longer than the universe is old: that they end is the test.
test.each(["^(a+)+$", "^(a|aa)+$", "^(a*)*b$", "^(.*a){20}$", "^([a-z]+)*-$", "^((a?){50})a{50}$", "^(((a*)*)*)*$", "*a".repeat(16)])("%s ends on hostile text", (value) => {
  expect(matchClaim(value, `${"a".repeat(4000)}!`)).toBeUndefined();
  expect(matchClaim(value, "a".repeat(maxClaimLength + 1))).toBeUndefined();
});

test("a very long value is not compared, and said", () => {
  const { roles, rules } = mapAttributes([{ name: "a", value: "*", roles: ["dev"] }], { a: ["a".repeat(maxClaimLength + 1)] });
  expect(roles).toEqual([]);
  expect(rules[0]?.problems).toEqual([expect.stringContaining("is not compared")]);
});

// What JavaScript and RE2 agree on: nothing that can be empty is repeated, and a group inside a repetition is all of it.
const expression = fc.letrec<{ leaf: string; solid: string; node: string }>((tie) => ({
  leaf: fc.constantFrom("a", "b", "ab", ".", "[ab]", "\\w", "c"),
  solid: fc.oneof(
    { maxDepth: 3 },
    tie("leaf"),
    fc.tuple(tie("solid"), tie("solid")).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie("solid"), tie("solid")).map(([a, b]) => `(?:${a}|${b})`),
  ),
  node: fc.oneof(
    { maxDepth: 4 },
    tie("solid"),
    tie("node").map((a) => `(${a})`),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(?:${a}|${b})`),
    fc.tuple(tie("solid"), fc.constantFrom("(", "(?:"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "+?", "??", "{1,3}?")).map(([a, open, repeat]) => `${open}${a})${repeat}`),
  ),
})).node;

test("groups are what JavaScript's own matcher says", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(fc.array(expression, { minLength: 1, maxLength: 3 }), text, (options, subject) => {
      const body = options.join("|");
      fc.pre((body.match(/\((?!\?)/g) ?? []).length <= 16);
      const expected = new RegExp(`^(?:${body})$`).exec(subject);
      expect(matchClaim(`^${body}$`, subject)).toEqual(expected ? Array.from(expected, (one: string | undefined) => one ?? "") : undefined);
    }),
    { numRuns: 1000 },
  );
});

test("a glob is what JavaScript's own (.*) says", () => {
  const alphabet = fc.constantFrom("a", "b", "*", ".", "$", "(", "\\", "\u{1f600}", "-");
  const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "$", "(", "\\", "\u{1f600}", "-"), maxLength: 10 });
  fc.assert(
    fc.property(fc.string({ unit: alphabet, minLength: 1, maxLength: 6 }), text, (value, subject) => {
      fc.pre(!value.startsWith("^"));
      const source = value.split("*").map((piece) => piece.replace(/[.$(\\]/g, "\\$&")).join("(.*)");
      const expected = new RegExp(`^${source}$`, "v").exec(subject);
      expect(matchClaim(value, subject)).toEqual(expected ? [...expected] : undefined);
    }),
  );
});
