import fc from "fast-check";
import { expect, test } from "vitest";
import { compilePattern } from "./index.ts";

test.each([
  ["prod", ["prod"], ["Prod", "prod1", ""]],
  ["*", ["", "anything"], []],
  ["web-*", ["web-", "web-1"], ["xweb-1", "web"]],
  ["a*b*c", ["abc", "aXbYc", "abbc", "abcbc"], ["ac", "abcx"]],
  ["ab*ba", ["abba", "abxba"], ["aba"]],
  ["a.c", ["a.c"], ["abc"]],
  ["^test|staging$", ["test", "staging"], ["testing", "prestaging"]],
  ["^(?:a|b)+[0-9]{2,3}$", ["a12", "abab123"], ["12", "a1", "a1234"]],
  ["^[^a-c\\d]?$", ["", "d"], ["a", "5", "dd"]],
  ["^a.b$", ["axb"], ["ab", "a\nb"]],
  ["^\\.\\*$", [".*"], ["ab"]],
  ["^[]-]$", ["]", "-"], ["["]],
  ["^(|a)$", ["", "a"], ["b"]],
  ["^\u{1f600}{2}$", ["\u{1f600}\u{1f600}"], ["\u{1f600}"]],
  ["^$", [""], ["a"]],
])("%s", (source, matching, others) => {
  const pattern = compilePattern(source);
  for (const text of matching) expect([text, pattern.matches(text)]).toEqual([text, true]);
  for (const text of others) expect([text, pattern.matches(text)]).toEqual([text, false]);
});

test("the broad reading is RE2's: the ends belong to the outer alternatives alone", () => {
  const pattern = compilePattern("^test|mid|staging$", "broad");
  for (const text of ["testing", "prestaging", "amidst", "test"]) expect(pattern.matches(text)).toBe(true);
  expect(pattern.matches("atest")).toBe(false);
  expect(compilePattern("^(test|staging)$", "broad").matches("testing")).toBe(false);
});

test.each([
  ["^(a$", '"(" is not closed'],
  ["^a)$", 'no "(" before it'],
  ["^[a$", '"[" is not closed'],
  ["^*a$", "nothing before"],
  ["^a**$", "needs parentheses"],
  ["^(a)\\1$", '"\\1" is not supported'],
  ["^(?=a)$", "begin with (?"],
  ["^(?i)a$", "begin with (?"],
  ["^a^b$", "only allowed at the ends"],
  ["^a\\$", "ends in"],
  ["^a{1001}$", "no repetition"],
  ["^a{3,2}$", "no repetition"],
  ["^[b-a]$", "wrong way round"],
  ["^(((a{1000}){1000}){1000})$", "too large"],
  ["^(((((){1000}){1000}){1000}){1000})$", "too large"],
  [`^${"(".repeat(100)}a${")".repeat(100)}$`, "nested too deeply"],
  [`^${"a".repeat(2000)}$`, "at most"],
])("%s is refused", (source, message) => {
  expect(() => compilePattern(source)).toThrow(message);
});

// With a backtracking matcher each of these runs longer than the universe is old: that they end is the test.
test.each(["^(a+)+$", "^(a|aa)+$", "^(a*)*b$", "^(.*a){20}$", "^([a-z]+)*-$", "^(a?){50}a{50}$"])("%s ends on hostile text", (source) => {
  const text = `${"a".repeat(5000)}!`;
  expect(compilePattern(source).matches(text)).toBe(false);
  expect(compilePattern(source, "broad").matches(text)).toBe(false);
});

test("globs of many stars end on hostile text", () => {
  expect(compilePattern("*a".repeat(300) + "*b").matches("a".repeat(50_000))).toBe(false);
});

const regexp = fc.letrec<{ node: string; leaf: string }>((tie) => ({
  leaf: fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\w", "c"),
  node: fc.oneof(
    { maxDepth: 4 },
    tie("leaf"),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `${a}${b}`),
    fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(${a}|${b})`),
    fc.tuple(tie("node"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,}")).map(([a, repeat]) => `(?:${a})${repeat}`),
  ),
})).node;

test("agrees with JavaScript's own matcher, in both readings", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 6 });
  fc.assert(
    fc.property(fc.array(regexp, { minLength: 1, maxLength: 3 }), text, (options, subject) => {
      const body = options.join("|");
      expect(compilePattern(`^${body}$`).matches(subject)).toBe(new RegExp(`^(?:${body})$`).test(subject));
      expect(compilePattern(`^${body}$`, "broad").matches(subject)).toBe(new RegExp(`^${body}$`).test(subject));
    }),
    { numRuns: 500 },
  );
});

test("whatever is strict is broad: allow never reads wider than deny", () => {
  fc.assert(
    fc.property(fc.array(regexp, { minLength: 1, maxLength: 3 }), fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 5 }), (options, subject) => {
      const source = `^${options.join("|")}$`;
      if (compilePattern(source).matches(subject)) expect(compilePattern(source, "broad").matches(subject)).toBe(true);
    }),
  );
});
