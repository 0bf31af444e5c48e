import type { z } from "zod";
import { escapeLine } from "../../base/index.ts";
import { compilePattern } from "../pattern.ts";
import { parseTemplate } from "../template.ts";
import type { LabelSelector } from "../types.ts";
import { attempt, readBy, type Fail } from "./fields.ts";

const maxLength = 256;
// Printable ASCII without a space at either end: a header strips edges, and a stripped " system:masters" would be another group.
const groupSyntax = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const loginSyntax = /^[^\s:/,\u0000-\u001f\u007f-][^\s:/,\u0000-\u001f\u007f]*$/u;
const maxLogin = 32;

/** Whether this can be sent as a Kubernetes group: printable ASCII without spaces at its ends, at most 256 characters. */
export function isKubernetesGroup(group: string): boolean {
  return group.length <= maxLength && groupSyntax.test(group);
}

/** Whether Kubernetes keeps a user name for itself. */
export function isSystemName(name: string): boolean {
  return name.toLowerCase().startsWith("system:");
}

/** Whether people may be this user at Kubernetes: what a group may be, but no `system:` name (and not `*`, which in deny means all). */
export function isKubernetesUser(name: string): boolean {
  return isKubernetesGroup(name) && name !== "*" && !isSystemName(name);
}

/** Whether this can be a unix login: no `-` first, no `:` `/` `,` or space, at most 32 characters (reference §2.5). */
export function isUnixLogin(login: string): boolean {
  return login.length <= maxLogin && loginSyntax.test(login);
}

function readText(value: unknown, fail: Fail): string | undefined {
  if (typeof value !== "string") fail(value === undefined || value === null ? "must not be empty" : "must be text; put it in quotes");
  else if (value.trim() === "") fail("must not be empty");
  else return value;
  return undefined;
}

/** A value that may have a variable; a literal has to pass `check`, text around a variable `checkAround`. */
function templated(check: (literal: string, fail: Fail) => void, checkAround: (around: string, fail: Fail) => void, wrap: (message: string) => string = (message) => message): z.ZodType<string> {
  return readBy((value, fail) => {
    const text = readText(value, fail);
    if (text === undefined) return "";
    const template = attempt((message) => fail(wrap(message)), () => parseTemplate(text));
    if (template && "literal" in template) check(text, fail);
    else if (template) checkAround(template.before + template.after, fail);
    return text.includes("{{") ? text.trim() : text;
  });
}

function checkLogin(text: string, fail: Fail): void {
  if (text.includes("*")) fail("wildcard matcher is not allowed in logins");
  else if (text.length > maxLength) fail(`has more than ${maxLength} characters`);
}

/** A unix login or a template. Literals that are no unix login are dropped later, as v3 does; `*` is refused (reference §8.3). */
export const login = templated(
  checkLogin,
  checkLogin,
  (message) => `invalid login found: ${message}`,
);

function kubernetesName(check: (literal: string) => string | undefined): z.ZodType<string> {
  return templated(
    (literal, fail) => {
      const problem = isKubernetesGroup(literal) ? check(literal) : "must be printable ASCII without spaces at its ends, at most 256 characters";
      if (problem !== undefined) fail(problem);
    },
    (around, fail) => {
      if (!/^[\x20-\x7e]*$/.test(around)) fail("the text around a variable must be printable ASCII");
      else if (isSystemName(around) && check(around) !== undefined) fail(check(around) ?? "");
    },
  );
}

/** A Kubernetes group or a template. In deny, `*` is every group. */
export function kubernetesGroup(side: "allow" | "deny"): z.ZodType<string> {
  return kubernetesName((literal) => (literal === "*" && side === "allow" ? '"*" is not a group; name the groups' : undefined));
}

/** A user name at Kubernetes or a template. In deny, `*` is every name. */
export function kubernetesUser(side: "allow" | "deny"): z.ZodType<string> {
  return kubernetesName((literal) => {
    if (side === "deny") return undefined;
    if (literal === "*") return '"*" is not a user; name the users';
    return isSystemName(literal) ? 'must not begin with "system:": those names belong to Kubernetes itself; give a group' : undefined;
  });
}

/** A group without variables, as connectors give it. */
export const literalGroup: z.ZodType<string> = readBy((value, fail) => {
  const text = readText(value, fail);
  if (text === undefined) return "";
  if (text.includes("{{") || text.includes("}}")) fail("variables have no meaning here; name the group");
  else if (!isKubernetesGroup(text) || text === "*") fail("must be a group in printable ASCII, at most 256 characters");
  return text;
});

const keySyntax = /^[a-zA-Z/.0-9_*:-]+$/;
const maxKeys = 100;
const maxValues = 200;

/** A label selector; `absent` is what no value (or null) means. Values are text or a list of texts (reference §8.3, §8.4). */
export function selector(absent: LabelSelector): z.ZodType<LabelSelector> {
  return readBy((value, fail) => {
    if (value === undefined || value === null) return absent;
    if (typeof value !== "object" || Array.isArray(value)) {
      fail("must be a mapping of labels to values");
      return absent;
    }
    const entries = Object.entries(value);
    if (entries.length > maxKeys) fail(`has more than ${maxKeys} labels`);
    const read = entries.slice(0, maxKeys).map(([key, given]) => [readKey(key, fail), readValues(key, given, fail)] as const);
    return Object.fromEntries(read);
  });
}

function readKey(key: string, fail: Fail): string {
  const template = attempt(fail, () => parseTemplate(key), [key]);
  const fixed = template && ("literal" in template ? key : template.before + template.after);
  if (template && fixed !== undefined && ("literal" in template || fixed !== "") && !(keySyntax.test(fixed) && fixed.length <= maxLength)) {
    fail("a label may only have letters, digits and / . _ * : -", [key]);
  }
  return key;
}

function readValues(key: string, given: unknown, fail: Fail): string[] {
  const values: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (values.length === 0) fail("needs at least one value", [key]);
  if (values.length > maxValues) fail(`has more than ${maxValues} values`, [key]);
  return values.slice(0, maxValues).map((item, index) => {
    const path = Array.isArray(given) ? [key, index] : [key];
    if (typeof item !== "string") {
      fail(item === null ? "must not be empty" : "must be text; put it in quotes", path);
      return "";
    }
    if (key === "*" && item !== "*") fail(`selector *:${escapeLine(item)} is not supported`, path);
    const template = attempt(fail, () => parseTemplate(item), path);
    if (template && "literal" in template) attempt(fail, () => compilePattern(item, "broad"), path);
    else if (template && /\*|^\^|\$$/.test(`${template.before}\n${template.after}`)) {
      fail('text around a variable is taken as it is: "*", "^" and "$" have no meaning in it', path);
    }
    return item;
  });
}
