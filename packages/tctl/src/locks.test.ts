import { describe, expect, it } from "vitest";
import { GatehouseError } from "@gatehouse/core/base";
import { parseResource, type Lock, type User } from "@gatehouse/core/resources";
import { describeLocking, describeMoment, lockFromFlags, lockTable } from "./locks.ts";
import { lockOfUser, userTable } from "./resources.ts";

const now = Date.UTC(2026, 10, 25, 9, 0, 0, 250);
const local = (...parts: [number, number, number, number, number]): number => new Date(...parts).getTime();

function refused(work: () => unknown): { readonly code: string; readonly message: string } {
  try {
    work();
  } catch (error) {
    if (error instanceof GatehouseError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("the flags of tctl lock", () => {
  it("are a lock of their own name", () => {
    const lock = lockFromFlags({ user: "bo", "kube-cluster": "prod", ttl: "24h", message: "laptop stolen" }, now);
    expect(lock.spec).toEqual({ target: { user: "bo", kube_cluster: "prod" }, message: "laptop stolen", expires: "2026-11-26T09:00:00Z" });
    expect(lock.metadata.name).toMatch(/^[0-9a-f-]{36}$/);
    expect(lockFromFlags({ role: "dev" }, now).spec).toEqual({ target: { role: "dev" } });
    expect(lockFromFlags({ login: "root", node: "web-1", expires: "2030-01-31T12:00:00Z" }, now).spec.expires).toBe("2030-01-31T12:00:00Z");
  });

  it.each([
    [{}, "usage", "who or what is to be locked?"],
    [{ message: "x" }, "usage", "who or what is to be locked?"],
    [{ user: "bo", ttl: "soon" }, "usage", '--ttl: "soon" is not a duration'],
    [{ user: "bo", ttl: "-1h" }, "usage", "is not a duration"],
    [{ user: "bo", ttl: "0" }, "usage", "a lock cannot last 0"],
    [{ user: "bo", ttl: "never" }, "usage", "a lock cannot last never"],
    [{ user: "bo", ttl: "99999999999h" }, "usage", "a lock cannot last"],
    [{ user: "bo", ttl: "\u001b[2J" }, "usage", "\\x1b[2J"],
    [{ user: "bo", ttl: "1h", expires: "2030-01-31T12:00:00Z" }, "usage", "--ttl and --expires"],
    [{ user: "bo", expires: "tomorrow" }, "bad_parameter", "spec.expires: must be a time"],
    [{ user: "" }, "bad_parameter", "spec.target.user: must not be empty"],
    [{ session: "6f0e" }, "bad_parameter", "is no session id"],
    [{ "kube-cluster": "prod", login: "root" }, "bad_parameter", "can match nothing"],
    [{ user: "bo", message: "two\nlines" }, "bad_parameter", "one line"],
  ])("%j is refused: %s", (flags, code, message) => {
    const error = refused(() => lockFromFlags(flags, now));
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
  });
});

describe("what is said of a lock", () => {
  it.each([
    [local(2026, 10, 25, 18, 20), "18:20"],
    [local(2026, 10, 26, 10, 15), "tomorrow 10:15"],
    [local(2026, 10, 27, 0, 5), "2026-11-27 00:05"],
    [local(2027, 10, 25, 18, 20), "2027-11-25 18:20"],
  ])("its end: %s is %s", (moment, text) => {
    expect(describeMoment(moment, local(2026, 10, 25, 9, 0))).toBe(text);
  });

  it("tomorrow is tomorrow over the end of a month and of a year", () => {
    expect(describeMoment(local(2027, 0, 1, 0, 0), local(2026, 11, 31, 23, 59))).toBe("tomorrow 00:00");
  });

  it("who, until when, how many sessions in how long", () => {
    const change = { kind: "lock", name: "l", outcome: "created" as const, revision: 1, streams: { checked: 3, ended: 2 } };
    const lock = (flags: Parameters<typeof lockFromFlags>[0]): Lock => lockFromFlags(flags, now);
    const at = new Date(local(2026, 10, 26, 10, 15)).toISOString();
    expect(describeLocking(lock({ user: "bo", expires: at }), change, local(2026, 10, 25, 10, 15), 213)).toBe("bo is locked until tomorrow 10:15; 2 sessions ended on 1 gateway in 0.2 s");
    expect(describeLocking(lock({ role: "dev" }), { ...change, streams: { checked: 1, ended: 1 } }, now, 40)).toBe('role "dev" is locked until the lock is removed; 1 session ended on 1 gateway in 0.0 s');
    expect(describeLocking(lock({ user: "bo", "kube-cluster": "prod" }), { ...change, streams: { checked: 1, ended: 0 } }, now, 40)).toBe('user "bo" in Kubernetes cluster "prod" is locked until the lock is removed; no live session was concerned');
  });

  it("a table", () => {
    const lock = parseResource({ kind: "lock", version: "v2", metadata: { name: "l1" }, spec: { target: { user: "bo" }, message: "\u202egnp", expires: "2030-01-31T12:00:00Z", created_by: "ana" } }) as Lock;
    expect(lockTable([lock])).toBe('ID  TARGET     MESSAGE    UNTIL                 BY\nl1  user "bo"  \\u202egnp  2030-01-31T12:00:00Z  ana\n');
    expect(lockTable([])).toBe("ID  TARGET  MESSAGE  UNTIL  BY\n");
  });
});

describe("the list of users", () => {
  const user = (status?: Record<string, unknown>): User => parseResource({ kind: "user", version: "v2", metadata: { name: "bo" }, spec: { roles: ["dev"], traits: {}, ...(status ? { status } : {}) } }) as User;
  const lock = (flags: Parameters<typeof lockFromFlags>[0]): Lock => lockFromFlags(flags, now);

  it("says who is locked: by a lock on them, on a role of theirs, or by their record, and not by one on a part", () => {
    expect(lockOfUser(user(), [lock({ user: "bo", ttl: "1h" })], now)).toMatchObject({ until: "2026-11-25T10:00:00.000Z" });
    expect(lockOfUser(user(), [lock({ role: "dev" })], now)).toMatchObject({ until: undefined });
    expect(lockOfUser(user(), [lock({ user: "ana" }), lock({ user: "bo", "kube-cluster": "prod" }), lock({ login: "root" })], now)).toBeUndefined();
    expect(lockOfUser(user(), [lock({ user: "bo", ttl: "1h" })], now + 3_600_000)).toBeUndefined();
    expect(lockOfUser(user({ is_locked: true }), [], now)).toEqual({ until: undefined });
    expect(lockOfUser(user({ is_locked: true, lock_expires: "2026-11-25T09:00:00Z" }), [], now)).toBeUndefined();
    expect(userTable([user()], [lock({ user: "bo", ttl: "1h" })], now)).toMatch(/LOCKED\nbo .* until 2026-11-25T10:00:00\.000Z\n$/);
    expect(userTable([user()], [], now)).toMatch(/ -\n$/);
  });
});
