import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import type { CertificateIdentity } from "../ca/index.ts";
import type { Store } from "../store/index.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "./testing/index.ts";
import type { AuthService } from "./types.ts";

const hour = 3_600_000;
const password = "correct horse battery";
const prod = { name: "prod", labels: { env: "prod" } };

let world: AuthWorld;
beforeEach(async () => {
  world = await openAuthWorld();
  await world.put(role("dev", ["developers"]));
  await world.put(role("ops", ["operators"]));
});
afterEach(() => world.close());

function role(name: string, groups: readonly string[], deny: Record<string, unknown> = {}): Record<string, unknown> {
  return { kind: "role", version: "v3", metadata: { name }, spec: { allow: { kubernetes_groups: groups, logins: ["root"] }, deny } };
}

async function logIn(name: string, roles: readonly string[], ttl = hour): Promise<CertificateIdentity> {
  const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles, traits: {}, ttl: hour });
  await world.auth.links.setPassword(token, password, origin);
  return again(name, ttl);
}

async function again(user: string, ttl = hour): Promise<CertificateIdentity> {
  return world.certificate(await world.auth.logins.local({ user, password, otpToken: "", publicKey: newPublicKey(), ttl, compatibility: "", origin }));
}

async function changeUser(name: string, spec: Record<string, unknown>): Promise<void> {
  const [item] = await world.auth.admin.get(localAdmin, { kind: "user", name }, { withSecrets: false });
  await world.put({ ...item!.resource, spec: { ...item!.resource.spec, ...spec } });
}

function groups(certificate: CertificateIdentity, auth: AuthService = world.auth): readonly string[] {
  return auth.gatekeeper.kube(auth.gatekeeper.identify(certificate), prod).groups;
}

function refusal(certificate: CertificateIdentity, auth: AuthService = world.auth): { code: string; message: string } {
  try {
    auth.gatekeeper.identify(certificate);
  } catch (error) {
    if (error instanceof GatehouseError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("let in");
}

describe("who a certificate is now", () => {
  it("has the roles of the certificate that the user still has: no more, no less", async () => {
    const certificate = await logIn("bo", ["dev"]);
    expect(groups(certificate)).toEqual(["developers"]);
    await changeUser("bo", { roles: ["dev", "ops"] });
    expect(groups(certificate)).toEqual(["developers"]);
    await changeUser("bo", { roles: ["ops"] });
    expect(groups(certificate)).toEqual([]);
  });

  it("follows a role that is edited, without a new login", async () => {
    const certificate = await logIn("bo", ["dev"]);
    await world.put(role("dev", ["developers", "viewers"]));
    expect(groups(certificate)).toEqual(["developers", "viewers"]);
    await world.put(role("dev", ["developers"], { kubernetes_groups: ["developers"] }));
    expect(groups(certificate)).toEqual([]);
  });

  it("refuses a session that was logged out, and no other", async () => {
    const certificate = await logIn("bo", ["dev"]);
    const other = await again("bo");
    await world.auth.logins.logout(world.auth.gatekeeper.identify(certificate));
    expect(refusal(certificate)).toEqual({ code: "unauthenticated", message: "your login session has ended" });
    expect(groups(other)).toEqual(["developers"]);
    expect(world.audit.last("session.logout")).toMatchObject({ user: "bo", session: certificate.sessionId });
  });

  it("refuses what has expired, by the clock alone", async () => {
    const certificate = await logIn("bo", ["dev"]);
    expect(groups(certificate)).toEqual(["developers"]);
    world.clock.set(certificate.notAfter);
    expect(refusal(certificate)).toEqual({ code: "unauthenticated", message: "your certificate has expired" });
    await expect.poll(() => world.store.feedReadAt()).toBe(world.clock.now());
    expect(refusal({ ...certificate, notAfter: certificate.notAfter + hour }).message).toBe("your login session has ended");
  });

  it("refuses a removed user, also when another comes by the same name", async () => {
    const certificate = await logIn("bo", ["dev"]);
    const told: string[] = [];
    world.auth.gatekeeper.onChange(() => told.push(refusal(certificate).message));
    await world.auth.admin.remove(localAdmin, { kind: "user", name: "bo" });
    expect(refusal(certificate)).toEqual({ code: "unauthenticated", message: 'user "bo" was removed, and your login session has ended with it' });
    // Whoever is logged in hears of it once, with the reason.
    expect(told).toEqual(['user "bo" was removed, and your login session has ended with it']);
    const { token } = await world.auth.admin.inviteUser(localAdmin, { name: "bo", roles: ["dev"], traits: {}, ttl: hour });
    await world.auth.links.setPassword(token, password, origin);
    expect(refusal(certificate).code).toBe("unauthenticated");
    expect(groups(await again("bo"))).toEqual(["developers"]);
  });

  it("refuses another subject under the same name even where its session stands", async () => {
    const certificate = await logIn("bo", ["dev"]);
    await world.store.transact([{ op: "put", kind: "identity", name: "bo", value: JSON.stringify({ subject: "github:github:7", created: 0 }) }]);
    await expect.poll(() => refusalOrGroups(certificate)).toContain('the user name "bo" belongs to another identity now');
    expect(refusal(certificate).code).toBe("access_denied");
    expect(refusal({ ...certificate, subjectId: "github:github:7" }).code).toBe("access_denied");
  });

  it("refuses a certificate that points at somebody else's session, at none, or at no session of this cluster", async () => {
    const bo = await logIn("bo", ["dev"]);
    const cy = await logIn("cy", ["ops"]);
    expect(refusal({ ...bo, sessionId: cy.sessionId }).code).toBe("access_denied");
    expect(refusal({ ...bo, sessionId: undefined }).code).toBe("unauthenticated");
    expect(refusal({ ...bo, subjectId: undefined }).code).toBe("unauthenticated");
    expect(refusal({ ...bo, sessionId: "00000000-0000-4000-8000-000000000000" }).code).toBe("unauthenticated");
  });

  it("refuses a locked user until the lock ends", async () => {
    const certificate = await logIn("bo", ["dev"], 3 * hour);
    await changeUser("bo", { status: { is_locked: true, locked_message: "laptop stolen", lock_expires: new Date(world.clock.now() + hour).toISOString() } });
    expect(refusal(certificate)).toEqual({ code: "access_denied", message: 'user "bo" is locked: laptop stolen' });
    world.clock.advance(hour);
    await expect.poll(() => world.store.feedReadAt()).toBe(world.clock.now());
    expect(groups(certificate)).toEqual(["developers"]);
  });

  it("refuses a user whose own end has come, and gives no certificate beyond it", async () => {
    const certificate = await logIn("bo", ["dev"], 3 * hour);
    await changeUser("bo", { expires: new Date(world.clock.now() + hour).toISOString() });
    expect(groups(certificate)).toEqual(["developers"]);
    expect((await again("bo", 3 * hour)).notAfter).toBe(world.clock.now() + hour);
    world.clock.advance(hour);
    await expect.poll(() => world.store.feedReadAt()).toBe(world.clock.now());
    expect(refusal(certificate)).toEqual({ code: "access_denied", message: 'user "bo" does not exist any more' });
  });

  it("refuses whoever has a role that cannot be read: what it denies is not known", async () => {
    const certificate = await logIn("bo", ["dev", "ops"]);
    await world.store.transact([{ op: "put", kind: "role", name: "ops", value: JSON.stringify({ kind: "role", version: "v9", metadata: { name: "ops" } }) }]);
    await expect.poll(() => refusalOrGroups(certificate)).toContain('role "ops" cannot be read');
    await changeUser("bo", { roles: ["dev"] });
    expect(groups(certificate)).toEqual(["developers"]);
  });
});

function refusalOrGroups(certificate: CertificateIdentity, auth: AuthService = world.auth): string {
  try {
    return groups(certificate, auth).join();
  } catch (error) {
    return String(error);
  }
}

describe("what callers may remember", () => {
  it("the same certificate is the same identity and the same decision until something changes", async () => {
    const certificate = await logIn("bo", ["dev"]);
    const { gatekeeper } = world.auth;
    const identity = gatekeeper.identify(certificate);
    expect(gatekeeper.identify({ ...certificate })).toBe(identity);
    expect(gatekeeper.kube(identity, prod)).toBe(gatekeeper.kube(identity, prod));
    const { generation } = gatekeeper;
    await world.put(role("dev", ["developers", "viewers"]));
    expect(gatekeeper.generation).toBeGreaterThan(generation);
    expect(gatekeeper.identify(certificate)).not.toBe(identity);
  });

  it("logins, invites and connectors move no generation; roles, removals and locks do", async () => {
    await logIn("bo", ["dev"]);
    let told = 0;
    const stop = world.auth.gatekeeper.onChange(() => (told += 1));
    const { generation } = world.auth.gatekeeper;
    const second = await again("bo");
    await world.auth.admin.inviteUser(localAdmin, { name: "cy", roles: ["ops"], traits: {}, ttl: hour });
    expect([world.auth.gatekeeper.generation, told]).toEqual([generation, 0]);
    await world.auth.logins.logout(world.auth.gatekeeper.identify(second));
    expect([world.auth.gatekeeper.generation, told]).toEqual([generation + 1, 1]);
    stop();
    await changeUser("bo", { status: { is_locked: true } });
    expect([world.auth.gatekeeper.generation, told]).toEqual([generation + 2, 1]);
  });

  it("a change made at another gateway arrives", async () => {
    const certificate = await logIn("bo", ["dev"]);
    const other = await world.another();
    expect(groups(certificate, other)).toEqual(["developers"]);
    await world.put(role("dev", ["viewers"]));
    await expect.poll(() => groups(certificate, other)).toEqual(["viewers"]);
  });

  it("a listener that fails keeps no other from hearing", async () => {
    let told = 0;
    world.auth.gatekeeper.onChange(() => {
      throw new Error("broken");
    });
    world.auth.gatekeeper.onChange(() => (told += 1));
    await world.put(role("new", ["x"]));
    expect(told).toBe(1);
  });
});

describe("a store that cannot be read", () => {
  /** The world's store, whose reads and feed can be cut. */
  function fragile(): { readonly store: Store; cut: boolean; readAt: () => number } {
    const state = { cut: false, readAt: () => world.store.feedReadAt(), store: world.store };
    const refuse = (): void => {
      if (state.cut) throw new GatehouseError("unavailable", "the disk is gone");
    };
    state.store = {
      ...world.store,
      get: async (kind, name) => {
        refuse();
        return world.store.get(kind, name);
      },
      list: async (kind) => {
        refuse();
        return world.store.list(kind);
      },
      feedReadAt: () => state.readAt(),
    };
    return state;
  }

  it("lets nobody in when the feed has not been read for too long, and everybody when it is read again", async () => {
    const certificate = await logIn("bo", ["dev"]);
    const state = fragile();
    const auth = await world.another({ store: state.store });
    const stopped = world.clock.now();
    state.readAt = () => stopped;
    world.clock.advance(5000);
    expect(groups(certificate, auth)).toEqual(["developers"]);
    world.clock.advance(1);
    expect(refusal(certificate, auth)).toMatchObject({ code: "access_denied", message: expect.stringContaining("cannot read its store") as string });
    state.readAt = () => world.clock.now();
    expect(groups(certificate, auth)).toEqual(["developers"]);
  });

  it("lets nobody in when a change is known but cannot be read, however fresh the feed", async () => {
    const certificate = await logIn("bo", ["dev"]);
    const state = fragile();
    state.readAt = () => world.clock.now();
    const auth = await world.another({ store: state.store });
    state.cut = true;
    await world.put(role("dev", ["viewers"]));
    world.clock.advance(5001);
    expect(refusal(certificate, auth)).toMatchObject({ code: "access_denied", message: expect.stringContaining("cannot read its store") as string });
    state.cut = false;
    await expect.poll(() => refusalOrGroups(certificate, auth)).toBe("viewers");
  });

  it("reads everything anew when the feed says that it has lost its place", async () => {
    const certificate = await logIn("bo", ["dev"]);
    let tell: Parameters<Store["subscribe"]>[0] = () => undefined;
    const auth = await world.another({
      store: {
        ...world.store,
        subscribe(listener) {
          tell = listener;
          return () => undefined;
        },
      },
    });
    await world.put(role("dev", ["viewers"]));
    await world.auth.admin.remove(localAdmin, { kind: "role", name: "ops" });
    expect(groups(certificate, auth)).toEqual(["developers"]);
    tell([{ sequence: 1, kind: "*", name: "*", deleted: false }]);
    await expect.poll(() => groups(certificate, auth)).toEqual(["viewers"]);
  });
});
