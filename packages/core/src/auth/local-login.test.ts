import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "./testing/index.ts";

const hour = 3_600_000;
const minute = 60_000;
const password = "correct horse battery";

let world: AuthWorld;
beforeEach(async () => {
  world = await openAuthWorld();
});
afterEach(() => world.close());

async function signUp(name = "bo"): Promise<void> {
  const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles: ["access"], traits: { logins: ["root"] }, ttl: hour });
  await world.auth.links.setPassword(token, password, origin);
}

const logIn = (secret = password, user = "bo", more: { ttl?: number; publicKey?: string } = {}) =>
  world.auth.logins.local({ user, password: secret, otpToken: "", publicKey: newPublicKey(), ttl: hour, compatibility: "", origin, ...more });

describe("a login by password", () => {
  it("gives certificates for what the user has", async () => {
    await signUp();
    const certificate = world.certificate(await logIn());
    expect(certificate).toMatchObject({ username: "bo", roles: ["access"], logins: ["root"] });
    expect(certificate.subjectId).toMatch(/^local:[0-9a-f-]{36}$/);
    expect(world.auth.gatekeeper.identify(certificate).username).toBe("bo");
    expect(world.audit.last("user.login")).toMatchObject({ code: "T1000I", user: "bo", success: true });
  });

  it("answers alike for a wrong password and for a user that does not exist", async () => {
    await signUp();
    for (const user of ["bo", "nobody"]) {
      await expect(logIn("wrong password", user)).rejects.toMatchObject({ code: "access_denied", message: "invalid username or password" });
      expect(world.audit.last("user.login")).toMatchObject({ code: "T1000W", user, success: false });
    }
  });

  it("locks after five failures, for users that exist and for those that do not, and for 20 minutes", async () => {
    await signUp();
    for (const user of ["bo", "nobody"]) {
      for (let attempt = 1; attempt <= 5; attempt++) await expect(logIn("wrong password", user)).rejects.toMatchObject({ message: "invalid username or password" });
      await expect(logIn(password, user)).rejects.toMatchObject({ code: "access_denied", message: `${user} exceeds 5 failed login attempts, locked until Tue 24 09:20 UTC` });
    }
    world.clock.advance(20 * minute - 1);
    await expect(logIn()).rejects.toMatchObject({ code: "access_denied" });
    world.clock.advance(1);
    // One more failure while the others are remembered locks again.
    await expect(logIn("wrong password")).rejects.toMatchObject({ message: "invalid username or password" });
    await expect(logIn()).rejects.toMatchObject({ code: "access_denied" });
    world.clock.advance(20 * minute);
    expect((await logIn()).username).toBe("bo");
    await expect(logIn("wrong password")).rejects.toMatchObject({ message: "invalid username or password" });
    expect((await logIn()).username).toBe("bo");
  });

  it("looks at five of forty passwords tried at once", async () => {
    await signUp();
    const tried = await Promise.allSettled(Array.from({ length: 40 }, (_, index) => logIn(`wrong password ${String(index)}`)));
    const texts = tried.map((outcome) => (outcome.status === "rejected" ? String(outcome.reason) : "let in"));
    expect(texts.filter((text) => text.includes("invalid username or password"))).toHaveLength(5);
    expect(texts).not.toContain("let in");
    await expect(logIn()).rejects.toMatchObject({ code: "access_denied" });
  });

  it("keeps a bounded number of records for names that nobody has", async () => {
    for (let index = 0; index < 20; index++) await expect(logIn("wrong password", `nobody-${String(index)}`)).rejects.toThrow();
    for (const { name } of await world.store.list("login_attempts")) expect(name).toMatch(/^stranger\/\d{1,4}$/);
  });

  it("does not let strangers' locks tell which names somebody has", async () => {
    await signUp();
    // Names of one record each, if names chose their record by themselves.
    const slot = (name: string) => createHash("sha256").update(name).digest().readUInt32BE(0) % 4096;
    const pairOf = (name: string): string => {
      for (let index = 0; ; index++) if (slot(`stranger-${String(index)}`) === slot(name)) return `stranger-${String(index)}`;
    };
    const answers: string[] = [];
    for (const name of ["bo", "nobody", "no-one"]) {
      const pair = pairOf(name);
      for (let attempt = 1; attempt <= 5; attempt++) await expect(logIn("wrong password", pair)).rejects.toThrow();
      const error: unknown = await logIn("wrong password", name).catch((thrown: unknown) => thrown);
      answers.push(error instanceof Error ? error.message : "let in");
    }
    const [known, ...strangers] = answers;
    expect(known).toBe("invalid username or password");
    // One of them may share the other's record by chance.
    expect(strangers).toContain("invalid username or password");
    const other = await world.another();
    await expect(other.logins.local({ user: pairOf("nobody"), password, otpToken: "", publicKey: newPublicKey(), ttl: hour, compatibility: "", origin })).rejects.toMatchObject({
      message: expect.stringContaining("locked until") as string,
    });
  });

  it("counts on all gateways together", async () => {
    await signUp();
    const other = await world.another();
    for (let attempt = 1; attempt <= 5; attempt++) await expect(logIn("wrong password")).rejects.toThrow();
    await expect(other.logins.local({ user: "bo", password, otpToken: "", publicKey: newPublicKey(), ttl: hour, compatibility: "", origin })).rejects.toMatchObject({ code: "access_denied" });
  });

  it("refuses a user that an administrator locked, but only who knows the password learns it", async () => {
    await signUp();
    const [item] = await world.auth.admin.get(localAdmin, { kind: "user", name: "bo" }, { withSecrets: false });
    if (item?.resource.kind !== "user") throw new Error("no user");
    const locked = { ...item.resource, spec: { ...item.resource.spec, status: { is_locked: true, locked_message: "on leave", lock_expires: new Date(world.clock.now() + hour).toISOString() } } };
    await world.auth.admin.put(localAdmin, locked, "upsert");
    await expect(logIn("wrong password")).rejects.toMatchObject({ message: "invalid username or password" });
    await expect(logIn()).rejects.toMatchObject({ code: "access_denied", message: 'user "bo" is locked: on leave' });
    world.clock.advance(hour);
    expect((await logIn()).username).toBe("bo");
  });

  it.each([
    [{ ttl: 59_000 }, "wrong certificate TTL"],
    [{ ttl: 31 * hour }, "wrong certificate TTL"],
    [{ publicKey: "ssh-ed25519 nonsense" }, ""],
  ])("refuses %j before it looks at the password", async (more, text) => {
    await signUp();
    await expect(logIn(password, "bo", more)).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining(text) as string });
    expect(await world.store.list("login_attempts")).toHaveLength(0);
  });

  it("lets nobody in whom an older version let be called as the audit log calls the host's administrator", async () => {
    await signUp();
    // What the older version stored, under the other name.
    for (const kind of ["user", "identity", "password"]) {
      const { value, secret } = (await world.store.get(kind, "bo"))!;
      await world.store.transact([{ op: "put", kind, name: "local-admin", value: value.replace('"name":"bo"', '"name":"local-admin"'), secret }]);
    }
    await expect(logIn(password, "local-admin")).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("the administrator of the gateway's host") as string });
    expect(await world.store.list("session")).toHaveLength(0);
    await world.auth.admin.remove(localAdmin, { kind: "user", name: "local-admin" });
  });

  it("keeps no password: the store shows none and the audit log has none", async () => {
    await signUp();
    await expect(logIn("wrong password")).rejects.toThrow();
    const [item] = await world.store.list("password");
    expect(item!.secret).toMatch(/^\$argon2id\$v=19\$/);
    expect(item!.value).not.toContain("argon2");
    for (const secret of [password, "wrong password", "argon2"]) expect(JSON.stringify(world.audit.events)).not.toContain(secret);
  });
});

describe("sign-up and reset links", () => {
  it("work once, for at most 48 hours", async () => {
    const { token, expires } = await world.auth.admin.inviteUser(localAdmin, { name: "bo", roles: ["access"], traits: {}, ttl: hour });
    expect(expires).toBe(world.clock.now() + hour);
    expect(await world.auth.links.read(token)).toMatchObject({ user: "bo", step: "password" });
    expect(JSON.stringify(await world.store.list("invite"))).not.toContain(token);
    const tried = await Promise.allSettled([1, 2].map(() => world.auth.links.setPassword(token, password, origin)));
    expect(tried.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expect(world.auth.links.read(token)).rejects.toMatchObject({ code: "not_found" });
    await expect(world.auth.admin.inviteUser(localAdmin, { name: "cy", roles: ["access"], traits: {}, ttl: 49 * hour })).rejects.toMatchObject({ code: "bad_parameter" });
    const late = await world.auth.admin.inviteUser(localAdmin, { name: "cy", roles: ["access"], traits: {}, ttl: hour });
    world.clock.advance(hour);
    await expect(world.auth.links.setPassword(late.token, password, origin)).rejects.toMatchObject({ code: "not_found" });
  });

  it.each(["", "short", "1234567", "x".repeat(129), "é".repeat(65)])("refuses the password %j and stays valid", async (bad) => {
    const { token } = await world.auth.admin.inviteUser(localAdmin, { name: "bo", roles: ["access"], traits: {}, ttl: hour });
    await expect(world.auth.links.setPassword(token, bad, origin)).rejects.toMatchObject({ code: "bad_parameter" });
    await world.auth.links.setPassword(token, password, origin);
  });

  it.each(["", "nonsense", "0".repeat(32), "../../x", "A".repeat(32)])("%j is no token", async (token) => {
    await expect(world.auth.links.read(token)).rejects.toMatchObject({ code: "not_found" });
  });

  it("a reset ends the password, the sessions and older links", async () => {
    await signUp();
    const certificate = world.certificate(await logIn());
    const first = await world.auth.admin.resetUser(localAdmin, "bo", hour);
    const second = await world.auth.admin.resetUser(localAdmin, "bo", hour);
    await expect(logIn()).rejects.toMatchObject({ message: "invalid username or password" });
    expect(() => world.auth.gatekeeper.identify(certificate)).toThrow("your login session has ended");
    await expect(world.auth.links.setPassword(first.token, password, origin)).rejects.toMatchObject({ code: "not_found" });
    await world.auth.links.setPassword(second.token, "another long password", origin);
    expect((await logIn("another long password")).username).toBe("bo");
  });

  it("a reset ends the session of a login that came between", async () => {
    await signUp();
    let late: Awaited<ReturnType<typeof logIn>> | undefined;
    const { store } = world;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (operations.some(({ op, kind }) => op === "delete" && kind === "password")) late = await logIn();
          return store.transact(operations);
        },
      },
    });
    await slow.admin.resetUser(localAdmin, "bo", hour);
    const certificate = world.certificate(late!);
    await expect.poll(() => {
      try {
        return world.auth.gatekeeper.identify(certificate).username;
      } catch (error) {
        return String(error);
      }
    }).toContain("your login session has ended");
  });

  it("a removed user's link is worth nothing", async () => {
    const { token } = await world.auth.admin.inviteUser(localAdmin, { name: "bo", roles: ["access"], traits: {}, ttl: hour });
    await world.auth.admin.remove(localAdmin, { kind: "user", name: "bo" });
    await expect(world.auth.links.setPassword(token, password, origin)).rejects.toMatchObject({ code: "not_found" });
  });

  it("refuse a name that exists, a role that does not, names that Kubernetes keeps, and names that no reference can have", async () => {
    await signUp();
    const invite = (name: string, roles: string[]) => world.auth.admin.inviteUser(localAdmin, { name, roles, traits: {}, ttl: hour });
    await expect(invite("bo", ["access"])).rejects.toMatchObject({ code: "already_exists" });
    await expect(invite("cy", ["nosuch"])).rejects.toMatchObject({ code: "not_found" });
    await expect(invite("system:admin", ["access"])).rejects.toMatchObject({ code: "bad_parameter" });
    for (const name of ["local-admin", "LOCAL-ADMIN"]) {
      await expect(invite(name, ["access"])).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("the administrator of the gateway's host") as string });
    }
    await expect(invite("corp/cy", ["access"])).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining('must not have "/"') as string });
    await expect(world.auth.admin.resetUser(localAdmin, "nobody", hour)).rejects.toMatchObject({ code: "not_found" });
  });
});
