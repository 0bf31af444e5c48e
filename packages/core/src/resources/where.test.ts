import fc from "fast-check";
import { expect, test } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { parseAction, parseCondition } from "./index.ts";

test("precedence is Go's: ! before && before ||", () => {
  const one = { op: "equals", left: { path: ["user", "metadata", "name"] }, right: { literal: "a" } };
  const text = 'equals(user.metadata.name, "a")';
  expect(parseCondition(`!${text} && ${text} || ${text}`)).toEqual({ op: "or", left: { op: "and", left: { op: "not", operand: one }, right: one }, right: one });
  expect(parseCondition(`!(${text} || ${text})`)).toEqual({ op: "not", operand: { op: "or", left: one, right: one } });
});

test.each([
  'contains(user.spec.traits["groups"], "admins")',
  "contains(user.spec.roles, `admin`)",
  'equals(resource.metadata.labels["owner"], user.metadata.name)',
  'equals(system.catype(), "host")',
  'contains(resource.spec.allow.logins, "root")',
  "contains(session.participants, user.metadata.name)",
  'equals(session.proto, "ssh") && equals(session.login, "root") && !equals(session.node, "web-1")',
  'equals(session.user, user.metadata.name) && !equals(session.cluster, "prod")',
])("%s is read", (text) => {
  expect(() => parseCondition(text)).not.toThrow();
});

test.each([
  ["", "ends too early"],
  ['equal(user.metadata.name, "a")', 'did you mean "equals"?'],
  ['equals(usr.metadata.name, "a")', 'did you mean "user"?'],
  ['equals(user.metadata.nam, "a")', 'did you mean "name"?'],
  ['contains(user.spec.trait["a"], "b")', 'did you mean "traits"?'],
  ['equals(user.spec.traits["a"], "b")', "use contains"],
  ['contains(user.metadata.name, "b")', "use equals"],
  ["equals(user.metadata.name)", "takes two values"],
  ['equals(user.metadata.name, "a"', 'expected ")"'],
  ['equals(user.metadata.name, "a") extra', "unexpected"],
  ['equals(user.metadata.name, "\\q")', "cannot read the text"],
  ['equals(system.exit(), "a")', 'unknown function "system.exit"'],
  ["user.metadata.name", "is not a condition"],
  ['"a" == "a"', "cannot read the expression"],
  ['contains(user.spec.traits, "a")', "name a trait"],
  ['equals(session.usr, "a")', 'did you mean "user"?'],
  ['equals(session.participants, "a")', "use contains"],
  ['contains(session.user, "a")', "use equals"],
  ['equals(session, "a")', "is not a value"],
  ['equals(session.user.name, "a")', "goes too deep"],
  ["(".repeat(100), "nested too deeply"],
  ["!".repeat(100), "nested too deeply"],
  ['equals("a","a")&&'.repeat(200) + 'equals("a","a")', "too many parts"],
  [" ".repeat(5000), "at most"],
])("%s is refused", (text, message) => {
  expect(() => parseCondition(text)).toThrow(message);
});

test("actions are log alone", () => {
  expect(parseAction('log("info", "checked %v", user.metadata.name)').args).toHaveLength(3);
  expect(() => parseAction('lgo("info", "x")')).toThrow('did you mean "log"?');
  expect(() => parseAction('log("info")')).toThrow("level and a text");
});

test("any text is a condition or a told error", () => {
  const parts = fc.constantFrom("equals", "contains", "(", ")", "!", "&&", "||", "user", ".", "spec", "roles", "[", "]", '"a"', ",", " ", "resource", "metadata", "name", "\\", "__proto__");
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 20 }), (words) => {
      try {
        parseCondition(words.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(GatehouseError);
      }
    }),
  );
});
