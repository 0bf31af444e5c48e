import fc from "fast-check";
import { expect, test } from "vitest";
import { parseResource, type LockTarget, type Role } from "../resources/index.ts";
import { buildRoleSet, describeLock, describeTarget, findLock, kubeUnderLocks, lockReason, underLocks, type ActiveLock, type Interaction } from "./index.ts";

const lock = (target: LockTarget, more: Partial<ActiveLock> = {}): ActiveLock => ({ name: "l", target, message: undefined, expires: Infinity, unreadable: false, ...more });
const bo: Interaction = { user: "bo", roles: ["dev", "ops"], sessions: ["s1"] };

test.each<[LockTarget, Interaction, boolean]>([
  [{ user: "bo" }, bo, true],
  [{ user: "Bo" }, bo, false],
  [{ user: "b" }, bo, false],
  [{ role: "ops" }, bo, true],
  [{ role: "dev", user: "ana" }, bo, false],
  [{ role: "dev", user: "bo" }, bo, true],
  [{ session: "s1" }, bo, true],
  [{ session: "s2" }, { ...bo, sessions: ["s1", "s2"] }, true],
  [{ login: "root" }, bo, false],
  [{ login: "root" }, { ...bo, login: "root", node: ["web-1"] }, true],
  [{ node: "id-1" }, { ...bo, login: "root", node: ["web-1", "id-1"] }, true],
  [{ node: "web-1", login: "root" }, { ...bo, login: "ana", node: ["web-1"] }, false],
  [{ kube_cluster: "prod" }, bo, false],
  [{ kube_cluster: "prod" }, { ...bo, kubeCluster: "prod" }, true],
  [{ kube_cluster: "prod", user: "ana" }, { ...bo, kubeCluster: "prod" }, false],
])("%j is about %j: %s", (target, interaction, matches) => {
  expect(findLock([lock(target)], interaction, 0) !== undefined).toBe(matches);
});

test("a lock counts until the moment it names, and not at it", () => {
  const one = lock({ user: "bo" }, { expires: 1000 });
  expect(findLock([one], bo, 999)).toBe(one);
  expect(findLock([one], bo, 1000)).toBeUndefined();
  expect(findLock([lock({ user: "bo" })], bo, Number.MAX_SAFE_INTEGER)).toBeDefined();
});

test("what people are told: what is locked, until when, why, by which lock; nothing in it acts on a terminal", () => {
  expect(describeLock(lock({ user: "bo" }, { message: "laptop stolen", expires: Date.UTC(2026, 10, 26, 10, 15), name: "6f0e" }))).toBe('user "bo" is locked until 2026-11-26T10:15:00Z: laptop stolen (lock 6f0e)');
  expect(describeLock(lock({}, { unreadable: true }))).toBe("everything is locked (lock l, which this gateway cannot read in full)");
  expect(describeTarget({ kube_cluster: "prod" })).toBe('Kubernetes cluster "prod"');
  expect(describeTarget({ session: "s", kube_cluster: "prod", role: "dev", user: "bo" })).toBe('user "bo" with role "dev" in session s in Kubernetes cluster "prod"');
  expect(describeTarget({ node: "web-1", login: "root" })).toBe('login "root" on node "web-1"');
  expect(describeLock(lock({ user: "\u001b[2J" }, { message: "\u202egnp" }))).toBe('user "\\x1b[2J" is locked: \\u202egnp (lock l)');
  expect(lockReason(lock({ user: "bo" }, { name: "n" }))).toMatchObject({ effect: "deny", lock: "n" });
});

const word = fc.constantFrom("a", "b", "c");
const targets = fc.record({ user: word, role: word, session: word, login: word, node: word, kube_cluster: word }, { requiredKeys: [] }) as fc.Arbitrary<LockTarget>;
const locks = fc.uniqueArray(
  fc.record({ name: fc.string({ minLength: 1, maxLength: 3 }), target: targets, message: fc.option(fc.string(), { nil: undefined }), expires: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant(Infinity)), unreadable: fc.boolean() }),
  { selector: (one) => one.name, maxLength: 6 },
);
const interactions = fc.record(
  { user: word, roles: fc.subarray(["a", "b", "c"]), sessions: fc.subarray(["a", "b", "c"]), login: word, node: fc.subarray(["a", "b"]), kubeCluster: word },
  { requiredKeys: ["user", "roles", "sessions"] },
) as fc.Arbitrary<Interaction>;
const now = fc.integer({ min: 0, max: 6 });
const role = (name: string, groups: readonly string[]): Role =>
  parseResource({ kind: "role", version: "v3", metadata: { name }, spec: { allow: { kubernetes_groups: groups, logins: ["root"] } } }) as Role;

test("a lock never grants: what is allowed under locks is allowed without them, and the same", () => {
  fc.assert(
    fc.property(locks, interactions, now, fc.array(word, { maxLength: 2 }), (all, who, at, groups) => {
      const roles = buildRoleSet([role("r", groups)], {});
      const target = { name: who.kubeCluster ?? "a", labels: {} };
      const bare = roles.kube(target);
      const kube = kubeUnderLocks(all, who, at, () => bare);
      if (kube.allowed) expect(kube).toBe(bare);
      else expect(kube.groups).toEqual([]);
      const node = underLocks(all, who, at, () => roles.node({}, "root"));
      if (node.allowed) expect(roles.node({}, "root").allowed).toBe(true);
      // One lock more never opens what was closed.
      for (const one of all) {
        const fewer = all.filter((other) => other !== one);
        if (findLock(fewer, who, at)) expect(findLock(all, who, at)).toBeDefined();
      }
    }),
    { numRuns: 500 },
  );
});

test("in whatever order locks come, the same one is told, and it is one that counts", () => {
  fc.assert(
    fc.property(locks, interactions, now, fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (all, who, at, random) => {
      const found = findLock(all, who, at);
      const shuffled = all.map((one) => [random.next().value as number, one] as const).sort(([a], [b]) => a - b).map(([, one]) => one);
      expect(findLock(shuffled, who, at)).toBe(found);
      if (found) expect(found.expires).toBeGreaterThan(at);
      // Each lock by itself says whether one of them counts.
      expect(found !== undefined).toBe(all.some((one) => findLock([one], who, at) !== undefined));
    }),
    { numRuns: 500 },
  );
});

test("what a lock names and does not happen keeps it from counting; what it does not name is nothing to it", () => {
  fc.assert(
    fc.property(targets, interactions, (target, who) => {
      const found = findLock([lock(target)], who, 0) !== undefined;
      const facts: Record<keyof LockTarget, readonly string[]> = {
        user: [who.user],
        role: who.roles,
        session: who.sessions,
        login: who.login === undefined ? [] : [who.login],
        node: who.node ?? [],
        kube_cluster: who.kubeCluster === undefined ? [] : [who.kubeCluster],
      };
      expect(found).toBe((Object.keys(target) as (keyof LockTarget)[]).every((key) => facts[key].includes(target[key] ?? "")));
    }),
    { numRuns: 500 },
  );
});
