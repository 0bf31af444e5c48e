import { expect, test } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { formatResources, parseResources, type Lock } from "./index.ts";

const parse = (spec: string, metadata = "{name: a}"): Lock => parseResources(`kind: lock\nversion: v2\nmetadata: ${metadata}\nspec: ${spec}\n`, "lock.yaml")[0]!.resource as Lock;

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_parameter") return error.message;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("a lock is read and written as it is", () => {
  const lock = parse("{target: {user: bo, kube_cluster: prod}, message: laptop stolen, expires: '2030-01-31T12:00:00Z', created_at: '2030-01-01T00:00:00Z', created_by: ana}");
  expect(lock.spec).toEqual({
    target: { user: "bo", kube_cluster: "prod" },
    message: "laptop stolen",
    expires: "2030-01-31T12:00:00Z",
    created_at: "2030-01-01T00:00:00Z",
    created_by: "ana",
  });
  const text = formatResources([lock], "yaml", { withSecrets: false });
  expect(text).toBe(
    'kind: lock\nversion: v2\nmetadata:\n  name: a\nspec:\n  target:\n    user: bo\n    kube_cluster: prod\n  message: laptop stolen\n  expires: "2030-01-31T12:00:00Z"\n  created_at: "2030-01-01T00:00:00Z"\n  created_by: ana\n',
  );
  expect(parseResources(text, "again")[0]!.resource).toEqual(lock);
});

test.each(["{}", "null", "{name: ''}", "{description: x}"])("without a name (metadata %s) it gets one of its own", (metadata) => {
  const names = [parse("{target: {role: dev}}", metadata), parse("{target: {role: dev}}", metadata)].map((lock) => lock.metadata.name);
  expect(names[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(names[0]).not.toBe(names[1]);
});

test.each([
  ["{}", "names nothing to lock"],
  ["{target: {}}", "names nothing to lock"],
  ["{target: {user: null}}", "names nothing to lock"],
  ["{target: {user: ''}}", "spec.target.user: must not be empty"],
  ["{target: {user: 12}}", "spec.target.user: must be text; put it in quotes"],
  ["{target: {user: 'a b'}}", "spec.target.user: may only have letters"],
  ["{target: {user: [bo]}}", "spec.target.user: must be text"],
  ["{target: {role: ../x}}", "spec.target.role:"],
  ["{target: {login: '-x'}}", "spec.target.login: is no login"],
  ["{target: {session: 6f0e}}", "spec.target.session: is no session id"],
  ["{target: {usr: bo}}", 'spec.target.usr: unknown field; did you mean "user"?'],
  ["{target: {mfa_device: x}}", "spec.target.mfa_device: unknown field"],
  ["{target: {kube_cluster: prod, login: root}}", "can match nothing"],
  ["{target: {user: bo}, message: \"two\\nlines\"}", "spec.message: must be one line"],
  ["{target: {user: bo}, message: \"\\e[2J\"}", "spec.message: must be one line"],
  ["{target: {user: bo}, expires: tomorrow}", "spec.expires: must be a time"],
  ["{target: {user: bo}, ttl: 24h}", "spec.ttl: unknown field"],
])("spec %s is refused", (spec, message) => {
  expect(messageOf(() => parse(spec))).toContain(message);
});

test("an end in the metadata is refused: it would be another than the one people are told", () => {
  expect(messageOf(() => parse("{target: {user: bo}}", "{name: a, expires: '2030-01-31T12:00:00Z'}"))).toContain("write spec.expires");
});
