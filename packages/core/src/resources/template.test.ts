import fc from "fast-check";
import { expect, test } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { fill, parseTemplate } from "./index.ts";

const variable = (namespace: string, name: string, before = "", after = "") => ({ before, filler: { namespace, name }, after });

test.each([
  ["root", { literal: "root" }],
  ["{root}", { literal: "{root}" }],
  ["{{internal.logins}}", variable("internal", "logins")],
  [" {{ internal.kubernetes_groups }} ", variable("internal", "kubernetes_groups")],
  ["{{external.groups}}", variable("external", "groups")],
  ['{{external["foo-bar"]}}', variable("external", "foo-bar")],
  ['{{ external [ "a}}b" ] }}', variable("external", "a}}b")],
  ["{{external[`http://schemas.example.com/claims/name`]}}", variable("external", "http://schemas.example.com/claims/name")],
  ["team-{{external.team}}-x", variable("external", "team", "team-", "-x")],
  ["{{external.team}} x", variable("external", "team", "", " x")],
  ["{{email.local(external.email)}}", { before: "", filler: { call: "email.local", of: { namespace: "external", name: "email" } }, after: "" }],
  [
    'x-{{ regexp.replace( email.local(external["e-mail"]), "^([a-z]{2}).*\\\\.(\\"?)$", `$1}}\\2` ) }}',
    {
      before: "x-",
      filler: { call: "regexp.replace", of: { call: "email.local", of: { namespace: "external", name: "e-mail" } }, pattern: '^([a-z]{2}).*\\.("?)$', replacement: "$1}}\\2" },
      after: "",
    },
  ],
])("%s is read", (text, template) => {
  expect(parseTemplate(text)).toEqual(template);
});

test.each([
  ["{{externl.groups}}", 'unknown function "externl" in {{externl.groups}}; did you mean "external"?'],
  ["a-{{externl.groups}}", 'unknown function "externl" in a-{{externl.groups}}; did you mean "external"?'],
  ["{{foo.groups}}", "known: internal, external"],
  ["{{internal.login}}", 'did you mean "logins"?'],
  ["{{internal.anything}}", "known: internal.logins, internal.kubernetes_groups"],
  ["{{external.a}}{{external.b}}", "more than one variable"],
  ["{{external.a", "must both be there"],
  ["external.a}}", "must both be there"],
  ["a}}-{{external.a}}", "must both be there"],
  ["{{external.a}}-}}", "must both be there"],
  ['{{external["a]}}', "must both be there"],
  ["{{external}}", "names no trait"],
  ["{{external.a.b}}", "cannot be read"],
  ["{{external.a b}}", "cannot be read"],
  ["{{external.foo-bar}}", 'external["some-name"]'],
  ['{{external[""]}}', "cannot be read"],
  ["{{email.locl(external.email)}}", 'unknown function "email.locl" in {{email.locl(external.email)}}; did you mean "email.local"?'],
  ["{{strings.upper(external.email)}}", "known: email.local, regexp.replace"],
  ["{{email.local()}}", "cannot be read"],
  ['{{email.local("a@b")}}', "cannot be read"],
  ["{{email.local(external.a, external.b)}}", "takes one variable"],
  ['{{regexp.replace(external.a, "x")}}', "takes a variable, a pattern and a replacement"],
  ['{{regexp.replace(external.a, "x", "y", "z")}}', "takes a variable, a pattern and a replacement"],
  ["{{regexp.replace(external.a, external.b, external.c)}}", "takes a variable, a pattern and a replacement"],
  ['{{regexp.replace(external.a, "(x", "y")}}', '"(" is not closed'],
  ['{{regexp.replace(external.a, "(x)", "$2")}}', "refers to group 2"],
  ['{{regexp.replace(external.a, "^x|y$", "z")}}', "ends belong to some of the alternatives"],
  ['{{regexp.replace(external.a, "\\d", "z")}}', "write a backslash between double quotes as"],
  ["{{email.local(email.local(email.local(email.local(email.local(external.a)))))}}", "nested too deeply"],
  ["{{}}", "cannot be read"],
  ["{{{external.a}}}", "cannot be read"],
  [`{{external.${"a".repeat(1100)}}}`, "at most 1024"],
])("%s is refused", (text, message) => {
  expect(() => parseTemplate(text)).toThrow(message);
});

test("any text is a literal, a variable or a told error", () => {
  const parts = fc.constantFrom("{{", "}}", "external", "internal", ".", "logins", '["', '"]', " ", "a", "\u001b", "(", ")", '"', "`", "\\", ",", "email.local(", 'regexp.replace(external.a,"', "$1");
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (words) => {
      try {
        const text = words.join("");
        const template = parseTemplate(text);
        expect("literal" in template).toBe(!text.includes("{{") && !text.includes("}}"));
      } catch (error) {
        expect(error).toBeInstanceOf(GatehouseError);
        expect((error as GatehouseError).message).not.toContain("\u001b");
      }
    }),
    { numRuns: 1000 },
  );
});

function made(text: string, value: string): string | undefined {
  const template = parseTemplate(text);
  if ("literal" in template) throw new Error(`${text} is a literal`);
  return fill(template.filler, value);
}

test.each([
  ["ana@example.com", "ana"],
  ["ana.b+c@example.com", "ana.b+c"],
  ["@example.com", undefined],
  ["ana@", undefined],
  ["ana", undefined],
  ["root@x@example.com", undefined],
  ['"root"@example.com', undefined],
  ["Root <ana@example.com>", undefined],
  ["ro ot@example.com", undefined],
  ["root\n@example.com", undefined],
  ["r\u00f6t@example.com", undefined],
  [`${"a".repeat(400)}@example.com`, undefined],
])("email.local of %j is %j", (address, local) => {
  expect(made("{{email.local(external.email)}}", address)).toBe(local);
});

test.each<[string, string, string, string | undefined]>([
  ["^team-(.+)$", "$1", "team-sre", "sre"],
  ["^team-(.+)$", "$1", "x-team-sre", undefined],
  ["^team-(.+)$", "$1", "team-a\nsystem:masters", undefined],
  ["team-", "", "team-sre", "sre"],
  ["-", "_", "a-b-c", "a_b_c"],
  ["-", "_", "abc", undefined],
  ["a*", "X", "baac", "XbXcX"],
  ["^a*", "X", "aab", "Xb"],
  ["a*$", "X", "baa", "bX"],
  ["\\\\$", "X", "a$b", "aXb"],
  ["b", "$0$0", "\u{1f600}b", "\u{1f600}bb"],
  ["(?:)", "-", "\u{1f600}b", "-\u{1f600}-b-"],
])("regexp.replace %s by %s in %j is %j", (pattern, replacement, value, result) => {
  expect(made(`{{regexp.replace(external.x, "${pattern}", "${replacement}")}}`, value)).toBe(result);
});

// With a backtracking matcher these run longer than the universe is old, with a new search from every place for minutes.
test.each(["^(a+)+$", "(a|aa)+b", "(a*)*b", "a.*b|a", "(.*a){20}b"])("regexp.replace of %s ends on hostile text", (pattern) => {
  expect(made(`{{regexp.replace(external.x, "${pattern}", "x")}}`, `${"a".repeat(4000)}!`)).toBeUndefined();
  expect(made(`{{regexp.replace(external.x, "${pattern}", "x")}}`, "a".repeat(5000))).toBeUndefined();
});

test("regexp.replace is what JavaScript's own replace says", () => {
  const pattern = fc.array(fc.constantFrom("a", "b", "[ab]", "(a)", "(b|c)", "a+", "(?:ab)*", "b?", "c*?", "."), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(pattern, fc.constantFrom("", "^"), fc.constantFrom("", "$"), fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 }), (parts, begin, end, subject) => {
      const source = `${begin}${parts.join("")}${end}`;
      // Right behind a match JavaScript takes nothing for another, and Go does not.
      fc.pre(!new RegExp(`^(?:${parts.join("")})$`).test(""));
      const expected = new RegExp(source).test(subject) ? subject.replace(new RegExp(source, "g"), "<$&>") : undefined;
      expect(made(`{{regexp.replace(external.x, "${source}", "<$0>")}}`, subject)).toBe(expected);
    }),
    { numRuns: 500 },
  );
});
