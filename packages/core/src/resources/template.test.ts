import fc from "fast-check";
import { expect, test } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { parseTemplate } from "./index.ts";

test.each([
  ["root", { literal: "root" }],
  ["{root}", { literal: "{root}" }],
  ["{{internal.logins}}", { namespace: "internal", name: "logins" }],
  [" {{ internal.kubernetes_groups }} ", { namespace: "internal", name: "kubernetes_groups" }],
  ["{{external.groups}}", { namespace: "external", name: "groups" }],
  ['{{external["foo-bar"]}}', { namespace: "external", name: "foo-bar" }],
  ["{{external[`http://schemas.example.com/claims/name`]}}", { namespace: "external", name: "http://schemas.example.com/claims/name" }],
])("%s is read", (text, template) => {
  expect(parseTemplate(text)).toEqual(template);
});

test.each([
  ["{{externl.groups}}", 'unknown function "externl" in {{externl.groups}}; did you mean "external"?'],
  ["{{foo.groups}}", "known: internal, external"],
  ["{{internal.login}}", 'did you mean "logins"?'],
  ["{{internal.anything}}", "known: internal.logins, internal.kubernetes_groups"],
  ["x-{{external.a}}", "text around a variable is not supported"],
  ["{{external.a}}{{external.b}}", "more than one variable"],
  ["{{external.a", 'must both be there'],
  ["external.a}}", 'must both be there'],
  ["{{external}}", "names no trait"],
  ["{{external.a.b}}", "cannot be read"],
  ["{{external.foo-bar}}", 'external["some-name"]'],
  ["{{email.local(external.email)}}", 'unknown function "email.local"'],
  ["{{}}", "cannot be read"],
  ["{{{external.a}}}", "cannot be read"],
])("%s is refused", (text, message) => {
  expect(() => parseTemplate(text)).toThrow(message);
});

test("any text is a literal, a variable or a told error", () => {
  const parts = fc.constantFrom("{{", "}}", "external", "internal", ".", "logins", '["', '"]', " ", "a", "\u001b", "(");
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 12 }), (words) => {
      try {
        const text = words.join("");
        const template = parseTemplate(text);
        expect("literal" in template).toBe(!text.includes("{{") && !text.includes("}}"));
      } catch (error) {
        expect(error).toBeInstanceOf(GatehouseError);
      }
    }),
  );
});
