import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, nullLogger, type Logger } from "../base/index.ts";
import type { CertificateIdentity } from "../ca/index.ts";
import type { Lock } from "../resources/index.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "./testing/index.ts";
import type { Caller } from "./types.ts";

const hour = 3_600_000;
const password = "correct horse battery";
const prod = { name: "prod", labels: {} };
const other = { name: "other", labels: {} };
const sid = "6f0e2a1c-8d1b-4c6e-9f60-0c2c1b7e5d11";

let world: AuthWorld;
beforeEach(async () => {
  world = await openAuthWorld({ kubeClusters: () => ["prod", "other"].map((name) => ({ name, labels: {} })) });
  for (const name of ["dev", "ops"]) await world.put(role(name));
});
afterEach(() => world.close());

function role(name: string, rules: readonly Record<string, unknown>[] = []): Record<string, unknown> {
  return { kind: "role", version: "v3", metadata: { name }, spec: { allow: { kubernetes_groups: [name], logins: ["root", "web"], rules } } };
}

function again(user: string) {
  return world.auth.logins.local({ user, password, otpToken: "", publicKey: newPublicKey(), ttl: 3 * hour, compatibility: "", origin });
}

async function logIn(name: string, roles: readonly string[]): Promise<CertificateIdentity> {
  const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles, traits: {}, ttl: hour });
  await world.auth.links.setPassword(token, password, origin);
  return world.certificate(await again(name));
}

const lock = (target: Record<string, string>, more: Record<string, unknown> = {}, name = "l1"): Record<string, unknown> => ({ kind: "lock", version: "v2", metadata: { name }, spec: { target, ...more } });
const inAnHour = (): string => new Date(world.clock.now() + hour).toISOString();
const putLock = (...args: Parameters<typeof lock>): Promise<unknown> => world.put(lock(...args));
const unlock = (name = "l1"): Promise<unknown> => world.auth.admin.remove(localAdmin, { kind: "lock", name });

function refusal(certificate: CertificateIdentity): string {
  try {
    world.auth.gatekeeper.identify(certificate);
    return "";
  } catch (error) {
    if (error instanceof GatehouseError) return `${error.code}: ${error.message}`;
    throw error;
  }
}
const groups = (certificate: CertificateIdentity, target = prod): readonly string[] => world.auth.gatekeeper.kube(world.auth.gatekeeper.identify(certificate), target).groups;

describe("a lock on a user", () => {
  it("refuses them at once, and nobody else, until it is removed", async () => {
    const bo = await logIn("bo", ["dev"]);
    const ana = await logIn("ana", ["dev"]);
    await putLock({ user: "bo" }, { message: "laptop stolen" });
    expect(refusal(bo)).toBe('access_denied: user "bo" is locked: laptop stolen (lock l1)');
    expect(groups(ana)).toEqual(["dev"]);
    await unlock();
    expect(groups(bo)).toEqual(["dev"]);
  });

  it("refuses a new certificate, to whoever knows the password alone, and the log names the lock", async () => {
    await logIn("bo", ["dev"]);
    await putLock({ user: "bo" }, { message: "laptop stolen" });
    await expect(again("bo")).rejects.toMatchObject({ code: "access_denied", message: 'user "bo" is locked: laptop stolen (lock l1)', exitCode: 4, id: expect.stringMatching(/^[0-9a-f]{8}$/) as string });
    expect(world.audit.last("user.login")).toMatchObject({ success: false, lock: "l1", user: "bo" });
    await expect(world.auth.logins.local({ user: "bo", password: "wrong", otpToken: "", publicKey: newPublicKey(), ttl: hour, compatibility: "", origin })).rejects.toMatchObject({ message: "invalid username or password" });
  });

  it("ends by time alone, at the moment it names", async () => {
    const bo = await logIn("bo", ["dev"]);
    await putLock({ user: "bo" }, { expires: inAnHour() });
    world.clock.advance(hour - 1);
    await expect.poll(() => world.store.feedReadAt()).toBe(world.clock.now());
    expect(refusal(bo)).toContain('user "bo" is locked until 2026-11-24T10:00:00Z');
    await expect(again("bo")).rejects.toMatchObject({ code: "access_denied" });
    world.clock.advance(1);
    await expect.poll(() => world.store.feedReadAt()).toBe(world.clock.now());
    expect(groups(bo)).toEqual(["dev"]);
    await again("bo");
    expect(await world.auth.admin.get(localAdmin, { kind: "lock" }, { withSecrets: false })).toEqual([]);
  });

  it("counts at another gateway, and moves the generation that callers remember by", async () => {
    const bo = await logIn("bo", ["dev"]);
    const second = await world.another();
    expect(second.gatekeeper.identify(bo).username).toBe("bo");
    const { generation } = world.auth.gatekeeper;
    await putLock({ user: "bo" });
    expect(world.auth.gatekeeper.generation).toBeGreaterThan(generation);
    await expect.poll(() => { try { second.gatekeeper.identify(bo); return "in"; } catch { return "out"; } }).toBe("out");
  });
});

describe("a lock on a role", () => {
  it("refuses whoever has it now: in the certificate and still", async () => {
    const both = await logIn("bo", ["dev", "ops"]);
    const one = await logIn("ana", ["dev"]);
    await putLock({ role: "ops" });
    expect(refusal(both)).toContain('role "ops" is locked');
    expect(refusal(one)).toBe("");
    await expect(again("bo")).rejects.toMatchObject({ message: 'role "ops" is locked (lock l1)' });
    await again("ana");
    const [item] = await world.auth.admin.get(localAdmin, { kind: "user", name: "bo" }, { withSecrets: false });
    await world.put({ ...item!.resource, spec: { ...item!.resource.spec, roles: ["dev"] } });
    expect(groups(both)).toEqual(["dev"]);
  });
});

describe("a lock on part of what somebody does", () => {
  it("a Kubernetes cluster: that one alone, also for one user alone", async () => {
    const bo = await logIn("bo", ["dev"]);
    const ana = await logIn("ana", ["dev"]);
    await putLock({ kube_cluster: "prod", user: "bo" }, { message: "freeze", expires: inAnHour() });
    expect([groups(bo), groups(bo, other), groups(ana)]).toEqual([[], ["dev"], ["dev"]]);
    const decision = world.auth.gatekeeper.kube(world.auth.gatekeeper.identify(bo), prod);
    expect(decision.reasons[0]).toMatchObject({ lock: "l1", text: 'user "bo" in Kubernetes cluster "prod" is locked until 2026-11-24T10:00:00Z: freeze (lock l1)' });
    await again("bo");
    world.clock.advance(hour);
    await expect.poll(() => world.store.feedReadAt()).toBe(world.clock.now());
    expect(groups(bo)).toEqual(["dev"]);
  });

  it("a login or a host", async () => {
    const { gatekeeper } = world.auth;
    const bo = gatekeeper.identify(await logIn("bo", ["dev"]));
    const web = { id: "host-1", name: "web-1", labels: {} };
    const db = { id: "host-2", name: "db-1", labels: {} };
    const may = (): readonly boolean[] => [gatekeeper.node(bo, web, "root").allowed, gatekeeper.node(bo, web, "web").allowed, gatekeeper.node(bo, db, "root").allowed];
    expect(may()).toEqual([true, true, true]);
    await putLock({ login: "root" });
    expect(may()).toEqual([false, true, false]);
    await putLock({ login: "root", node: "web-1" });
    expect(may()).toEqual([false, true, true]);
    await putLock({ node: "host-2" });
    expect(may()).toEqual([true, true, false]);
    expect(gatekeeper.node(bo, db, "root").reasons[0]).toMatchObject({ lock: "l1", text: 'node "host-2" is locked (lock l1)' });
  });

  it("a login session, and no other of the same person", async () => {
    const first = await logIn("bo", ["dev"]);
    const second = world.certificate(await again("bo"));
    await putLock({ session: first.sessionId ?? "" });
    expect(refusal(first)).toContain(`session ${String(first.sessionId)} is locked`);
    expect(groups(second)).toEqual(["dev"]);
  });

  it("a live session by its id", async () => {
    const { gatekeeper } = world.auth;
    const bo = gatekeeper.identify(await logIn("bo", ["dev"]));
    await putLock({ session: sid });
    expect(gatekeeper.sessionLock(bo, { kubeCluster: "prod" }, sid)).toMatchObject({ lock: "l1", text: `session ${sid} is locked (lock l1)` });
    expect(gatekeeper.sessionLock(bo, { kubeCluster: "prod" }, "another")).toBeUndefined();
    await putLock({ session: sid, user: "ana" });
    expect(gatekeeper.sessionLock(bo, { kubeCluster: "prod" }, sid)).toBeUndefined();
    await putLock({ session: sid, kube_cluster: "prod" });
    expect([gatekeeper.sessionLock(bo, { kubeCluster: "prod" }, sid)?.lock, gatekeeper.sessionLock(bo, { kubeCluster: other.name }, sid)]).toEqual(["l1", undefined]);
  });
});

describe("a lock that cannot be read", () => {
  const raw = (value: unknown, expires?: number) => world.store.transact([{ op: "put", kind: "lock", name: "odd", value: typeof value === "string" ? value : JSON.stringify(value), expires }]);
  const logged: string[] = [];
  const loud: Logger = { ...nullLogger, error: (...args: unknown[]) => void logged.push(JSON.stringify(args)) };

  it("counts for whomever its readable part names, and is logged", async () => {
    const bo = await logIn("bo", ["dev"]);
    const ana = await logIn("ana", ["dev"]);
    const second = await world.another({ logger: loud });
    await raw({ kind: "lock", version: "v3", metadata: { name: "odd" }, spec: { target: { user: "bo", device: "d" }, message: "later" } });
    await expect.poll(() => refusal(bo)).toContain('user "bo" is locked: later (lock odd, which this gateway cannot read in full)');
    expect(refusal(ana)).toBe("");
    await expect(again("bo")).rejects.toMatchObject({ code: "access_denied" });
    await expect.poll(() => logged.some((line) => line.includes("odd") && line.includes("cannot be read"))).toBe(true);
    await second.close();
  });

  it.each(["{}", "no json", '{"spec":{"target":{"user":["bo"]}}}', '{"spec":{"target":"bo"}}'])("counts for everybody where nothing of it can be read (%s), until it ends or the host's administrator removes it", async (value) => {
    const bo = await logIn("bo", ["dev"]);
    await raw(value, world.clock.now() + hour);
    await expect(world.auth.admin.get(localAdmin, { kind: "lock" }, { withSecrets: false })).rejects.toMatchObject({ message: 'the stored lock "odd" cannot be read by this version', hint: expect.stringContaining("tctl rm lock/odd") as string });
    await expect.poll(() => refusal(bo)).toContain("everything is locked");
    await expect(again("bo")).rejects.toMatchObject({ code: "access_denied" });
    await world.auth.admin.remove(localAdmin, { kind: "lock", name: "odd" });
    expect(refusal(bo)).toBe("");
  });

  it("is removed by the host's administrator alone: whose rule it would pass is not known", async () => {
    await world.put(role("locker", [{ resources: ["lock"], verbs: ["delete", "list", "read"] }]));
    const caller: Caller = { type: "person", identity: world.auth.gatekeeper.identify(await logIn("cy", ["locker"])) };
    await raw({ kind: "lock", version: "v2", metadata: { name: "odd" }, spec: { target: { user: "nobody", x: "y" } } });
    await expect(world.auth.admin.remove(caller, { kind: "lock", name: "odd" })).rejects.toMatchObject({ code: "internal" });
    await world.auth.admin.remove(localAdmin, { kind: "lock", name: "odd" });
  });
});

describe("what administrators do with locks", () => {
  it("who made it and when is the gateway's to say, and stays", async () => {
    await putLock({ user: "bo" }, { created_at: "2001-01-01T00:00:00Z", created_by: "forged" });
    const read = async (): Promise<Lock["spec"]> => (await world.auth.admin.get(localAdmin, { kind: "lock", name: "l1" }, { withSecrets: false }))[0]!.resource.spec as Lock["spec"];
    expect(await read()).toEqual({ target: { user: "bo" }, created_at: "2026-11-24T09:00:00.000Z", created_by: "local-admin" });
    world.clock.advance(hour);
    await putLock({ user: "bo" }, { message: "longer", created_by: "forged" });
    expect(await read()).toEqual({ target: { user: "bo" }, message: "longer", created_at: "2026-11-24T09:00:00.000Z", created_by: "local-admin" });
    const [item] = await world.auth.admin.get(localAdmin, { kind: "lock", name: "l1" }, { withSecrets: false });
    expect(await world.auth.admin.put(localAdmin, item!.resource, "upsert")).toMatchObject({ outcome: "unchanged" });
  });

  it("one that has ended already is refused", async () => {
    await expect(putLock({ user: "bo" }, { expires: "2026-11-24T09:00:00Z" })).rejects.toMatchObject({ code: "bad_parameter", message: "this lock has ended already: spec.expires is 2026-11-24T09:00:00Z" });
  });

  it("is audited with target, message and who did it", async () => {
    await putLock({ user: "bo", kube_cluster: "prod" }, { message: "why", expires: inAnHour() });
    expect(world.audit.last("lock.create")).toMatchObject({ code: "G3060I", name: "l1", user: "local-admin", target: { user: "bo", kube_cluster: "prod" }, message: "why", expires: "2026-11-24T10:00:00.000Z" });
    await unlock();
    expect(world.audit.last("lock.delete")).toMatchObject({ code: "G3062I", name: "l1", target: { user: "bo" }, message: "why" });
  });

  it("what is named and not there is noted, and locked all the same", async () => {
    await logIn("bo", ["dev"]);
    const notes = async (target: Record<string, string>): Promise<string> => {
      const { parseResource } = await import("../resources/index.ts");
      return ((await world.auth.admin.put(localAdmin, parseResource(lock(target, { message: JSON.stringify(target) })), "upsert")).notes ?? []).join("\n");
    };
    expect(await notes({ user: "bo" })).toBe("");
    expect(await notes({ user: "boo" })).toBe('there is no user "boo" now; did you mean "bo"?; the lock counts for whoever comes by that name');
    expect(await notes({ role: "deve" })).toBe('there is no role "deve" now; did you mean "dev"?');
    expect(await notes({ kube_cluster: "prd" })).toBe('this gateway has no Kubernetes cluster "prd"; did you mean "prod"?');
    expect(await notes({ kube_cluster: "prod" })).toBe("");
  });

  it("takes a rule, which the preset role admin has; nobody who is locked can lift the lock, and the host's administrator always can", async () => {
    const dev: Caller = { type: "person", identity: world.auth.gatekeeper.identify(await logIn("bo", ["dev"])) };
    const certificate = await logIn("cy", ["admin"]);
    const cy: Caller = { type: "person", identity: world.auth.gatekeeper.identify(certificate) };
    const { parseResource } = await import("../resources/index.ts");
    await expect(world.auth.admin.put(dev, parseResource(lock({ user: "ana" })), "create")).rejects.toMatchObject({ code: "access_denied" });
    await world.auth.admin.put(cy, parseResource(lock({ user: "cy" })), "create");
    expect(refusal(certificate)).toContain('user "cy" is locked');
    await unlock();
    expect(refusal(certificate)).toBe("");
  });
});
