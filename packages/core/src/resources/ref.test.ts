import { expect, test } from "vitest";
import { formatRef, parseRef } from "./index.ts";

test.each([
  ["role", { kind: "role" }],
  ["ROLES", { kind: "role" }],
  ["roles/admin", { kind: "role", name: "admin" }],
  ["users ana", { kind: "user", name: "ana" }],
  ["user\tana", { kind: "user", name: "ana" }],
  ["github", { kind: "github" }],
  ["connectors", { kind: "connectors" }],
  ["cap", { kind: "cluster_auth_preference" }],
  ["cluster_auth_preference", { kind: "cluster_auth_preference" }],
  ["cluster_authentication_preferences", { kind: "cluster_auth_preference" }],
  ["token/abc", { kind: "token", name: "abc" }],
  ["tokens", { kind: "token" }],
  ["locks", { kind: "lock" }],
  ["LOCK/6f0e", { kind: "lock", name: "6f0e" }],
  ["users/corp/ana", { kind: "user", name: "corp/ana" }],
  ["users corp/ana", { kind: "user", name: "corp/ana" }],
  [" /users/ /ana/ ", { kind: "user", name: "ana" }],
])("%j is read", (text, ref) => {
  expect(parseRef(text)).toEqual(ref);
  expect(parseRef(formatRef(parseRef(text)))).toEqual(ref);
});

test.each([
  ["", "missing resource name"],
  [" / ", "missing resource name"],
  ["rolez", "unsupported resource: rolez"],
  ["role a b", "failed to parse 'role a b'"],
  ["role/a b", "failed to parse 'role/a b'"],
  ["\u001b[2J", "unsupported resource: \\x1b[2J"],
  ["constructor", "unsupported resource: constructor"],
])("%j is refused", (text, message) => {
  expect(() => parseRef(text)).toThrow(message);
});
