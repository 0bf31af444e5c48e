import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SshLoginResponse } from "../../api/index.ts";
import type { CertificateIdentity } from "../../ca/index.ts";
import { parseSshCertificate } from "../../formats/index.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "../testing/index.ts";
import type { AuthService } from "../types.ts";
import { repeatTime, turnOf } from "./turn.ts";

const minute = 60_000;
const hour = 60 * minute;
const password = "correct horse battery";

let world: AuthWorld;
beforeEach(async () => {
  // The clock is moved by hours: how fresh the snapshot is is not asked here.
  world = await openAuthWorld({ maxStaleness: Number.POSITIVE_INFINITY });
  await putRole("dev");
});
afterEach(() => world.close());

async function putRole(name: string, options: Record<string, unknown> = {}): Promise<void> {
  await world.put({ kind: "role", version: "v3", metadata: { name }, spec: { options: { max_session_ttl: "9h", ...options }, allow: { logins: ["root"], kubernetes_groups: [name] } } });
}

/** A login, and what its holder has to renew it. */
interface Held {
  readonly answer: SshLoginResponse;
  readonly certificate: CertificateIdentity;
  readonly publicKey: string;
}

const held = (answer: SshLoginResponse, publicKey: string): Held => ({ answer, publicKey, certificate: world.certificate(answer) });

async function logIn(ttl = hour, roles: readonly string[] = ["dev"], name = "bo"): Promise<Held> {
  const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles, traits: { logins: ["bo"] }, ttl: hour });
  await world.auth.links.setPassword(token, password, origin);
  const publicKey = newPublicKey();
  return held(await world.auth.logins.local({ user: name, password, otpToken: "", publicKey, ttl, compatibility: "", origin }), publicKey);
}

async function renew({ certificate, publicKey }: Held, auth: AuthService = world.auth): Promise<Held> {
  return held(await auth.logins.renew({ certificate, publicKey, origin }), publicKey);
}

const isLetIn = ({ certificate }: Held): boolean => {
  try {
    world.auth.gatekeeper.identify(certificate);
    return true;
  } catch {
    return false;
  }
};

async function changeUser(name: string, spec: Record<string, unknown>): Promise<void> {
  const [item] = await world.auth.admin.get(localAdmin, { kind: "user", name }, { withSecrets: false });
  await world.put({ ...item!.resource, spec: { ...item!.resource.spec, ...spec } });
}

/** Makes the session one that came by another way. */
async function cameBy(login: Held, change: Record<string, unknown>): Promise<void> {
  const item = await world.store.get("session", login.certificate.sessionId ?? "");
  const record = { ...(JSON.parse(item!.value) as Record<string, unknown>), ...change };
  await world.store.transact([{ op: "put", kind: "session", name: item!.name, value: JSON.stringify(record), expires: item!.expires }]);
  await expect.poll(() => isLetIn(login)).toBe(true);
}

describe("a renewed login", () => {
  it("goes on for as long as it asked for, over the same key, in the same session, one generation later", async () => {
    const first = await logIn(hour);
    expect(first.answer.renewable_until).toBe(world.clock.now() + 9 * hour);
    world.clock.advance(30 * minute);
    const next = await renew(first);
    expect(next.certificate).toMatchObject({ username: "bo", roles: ["dev"], logins: ["root"], sessionId: first.certificate.sessionId, subjectId: first.certificate.subjectId, generation: 2, notAfter: world.clock.now() + hour });
    const [before, after] = [first, next].map(({ answer }) => parseSshCertificate(Buffer.from(answer.cert, "base64").toString().trim()));
    expect(after?.publicKey).toEqual(before?.publicKey);
    expect(world.audit.last("cert.create")).toMatchObject({ code: "G1001I", user: "bo", renewed: true, generation: 2, session: first.certificate.sessionId, expires: new Date(world.clock.now() + hour).toISOString() });
    expect(isLetIn(next)).toBe(true);
    world.clock.advance(40 * minute);
    expect([isLetIn(first), isLetIn(next)]).toEqual([false, true]);
  });

  it("leaves the certificate before good until that ends by itself, and what goes on under it", async () => {
    const first = await logIn(hour);
    let changes = 0;
    world.auth.gatekeeper.onChange(() => (changes += 1));
    world.clock.advance(10 * minute);
    await renew(first);
    world.clock.advance(49 * minute);
    expect(isLetIn(first)).toBe(true);
    expect(world.auth.gatekeeper.identify(first.certificate).expires).toBe(first.certificate.notAfter);
    // Nothing is decided anew because of it.
    expect(changes).toBe(0);
  });

  it("ends at the latest when max_session_ttl has passed since the login, and says so", async () => {
    let login = await logIn(2 * hour);
    const end = world.clock.now() + 9 * hour;
    for (let renewals = 1; login.answer.renewable_until !== undefined; renewals += 1) {
      expect(renewals).toBeLessThan(10);
      world.clock.advance(hour);
      login = await renew(login);
      expect(login.certificate.notAfter).toBeLessThanOrEqual(end);
    }
    expect(login.certificate.notAfter).toBe(end);
    await expect(renew(login)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining(new Date(end).toISOString()) as string });
    expect(isLetIn(login)).toBe(true);
  });

  it("is shorter where the roles are stricter now, and no longer where they are laxer", async () => {
    const first = await logIn(2 * hour);
    const begin = world.clock.now();
    await putRole("dev", { max_session_ttl: "30h" });
    world.clock.advance(hour);
    const next = await renew(first);
    expect(next.answer.renewable_until).toBe(begin + 9 * hour);
    await putRole("dev", { max_session_ttl: "3h30m" });
    world.clock.advance(hour);
    const last = await renew(next);
    expect(last.certificate.notAfter).toBe(begin + 3.5 * hour);
    expect(last.answer).not.toHaveProperty("renewable_until");
  });

  it("has the login's roles that the user still has, and none that they got since", async () => {
    await putRole("ops");
    const first = await logIn(hour, ["dev", "ops"]);
    await putRole("extra");
    await changeUser("bo", { roles: ["ops", "extra"], traits: { logins: ["eve"] } });
    const next = await renew(first);
    expect(next.certificate).toMatchObject({ roles: ["ops"], traits: { logins: ["bo"] } });
    await changeUser("bo", { roles: ["extra"] });
    await expect(renew(next)).rejects.toMatchObject({ code: "access_denied", message: "bo has none of the roles any more that this login came with" });
    await changeUser("bo", { roles: ["dev", "ops"] });
    expect((await renew(next)).certificate.roles).toEqual(["dev", "ops"]);
  });

  it("is not in force where it could not be audited: the certificate before is the newest still", async () => {
    const first = await logIn();
    world.audit.before = ({ event }) => {
      if (event === "cert.create") throw new Error("disk full");
    };
    await expect(renew(first)).rejects.toThrow();
    world.audit.before = () => undefined;
    world.clock.advance(10 * minute);
    expect((await renew(first)).certificate.generation).toBe(2);
  });
});

describe("a renewal is refused, with a reason that the audit log has,", () => {
  async function refusal(login: Held): Promise<{ code: string; message: string }> {
    const error = await renew(login).then(() => undefined, (thrown: unknown) => thrown as { code: string; message: string; id?: string });
    expect(error?.id).toMatch(/\S/);
    expect(world.audit.last("cert.renew")).toMatchObject({ code: "G1040W", user: "bo", success: false, error: error?.message, id: error?.id, session: login.certificate.sessionId, generation: login.certificate.generation });
    return { code: error?.code ?? "", message: error?.message ?? "" };
  }

  it("where a role says off, whatever others say, though it was begun without", async () => {
    await putRole("any", { certificate_renewal: "any" });
    const first = await logIn(hour, ["dev", "any"]);
    await putRole("dev", { certificate_renewal: "off" });
    expect(await refusal(first)).toEqual({ code: "access_denied", message: "a role of bo lets no login be renewed (certificate_renewal: off)" });
    expect(isLetIn(first)).toBe(true);
    expect((await logIn(hour, ["dev", "any"], "cy")).answer).not.toHaveProperty("renewable_until");
  });

  it("for a login through a connector, unless a role says any; then its user lasts as long", async () => {
    const first = await logIn();
    await cameBy(first, { method: "github", connector: "github" });
    expect(await refusal(first)).toMatchObject({ code: "access_denied", message: expect.stringContaining("certificate_renewal: any") as string });
    await putRole("dev", { certificate_renewal: "any" });
    const [item] = await world.auth.admin.get(localAdmin, { kind: "user", name: "bo" }, { withSecrets: false });
    const user = item!.resource;
    const end = (): Promise<number | undefined> => world.store.get("user", "bo").then((stored) => stored?.expires);
    await world.put({ ...user, metadata: { ...user.metadata, expires: new Date(first.certificate.notAfter).toISOString() } });
    world.clock.advance(40 * minute);
    const next = await renew(first);
    expect(await end()).toBe(next.certificate.notAfter);
    world.clock.advance(40 * minute);
    expect(isLetIn(next)).toBe(true);
    // An end that an administrator has set is not moved.
    const appointed = world.clock.now() + 30 * minute;
    await changeUser("bo", { expires: new Date(appointed).toISOString() });
    expect((await renew(next)).certificate.notAfter).toBe(appointed);
  });

  it.each([
    [{ method: "sign", renewal: undefined }, "an administrator signed it"],
    [{ method: "join", renewal: undefined }, "a machine joins again"],
    [{ headless: true, renewal: undefined }, "approved in a browser elsewhere"],
    [{ renewal: undefined }, "before this gateway could renew"],
  ])("for one that came another way: %j", async (change, reason) => {
    const first = await logIn();
    await cameBy(first, change);
    expect(await refusal(first)).toMatchObject({ code: "access_denied", message: expect.stringContaining(reason) as string });
  });

  it("for one that an administrator signed", async () => {
    await logIn();
    const publicKey = newPublicKey();
    const signed = held(await world.auth.admin.signUser(localAdmin, { name: "bo", publicKey, ttl: hour, compatibility: "", origin }), publicKey);
    expect(signed.answer).not.toHaveProperty("renewable_until");
    expect(await refusal(signed)).toMatchObject({ code: "access_denied" });
  });

  it("for a user who is locked, a session that is, a role that is", async () => {
    const first = await logIn();
    const lock = async (target: Record<string, unknown>): Promise<void> => {
      await world.put({ kind: "lock", version: "v2", metadata: { name: "l1" }, spec: { target, message: "laptop stolen" } });
      expect(await refusal(first)).toMatchObject({ code: "access_denied", message: expect.stringContaining("laptop stolen") as string });
      expect(world.audit.last("cert.renew")).toMatchObject({ lock: "l1" });
      await world.auth.admin.remove(localAdmin, { kind: "lock", name: "l1" });
    };
    await lock({ user: "bo" });
    await lock({ role: "dev" });
    await lock({ session: first.certificate.sessionId });
    expect((await renew(first)).certificate.generation).toBe(2);
  });

  it("for a user who was removed, and for another of the same name", async () => {
    const first = await logIn();
    await world.auth.admin.remove(localAdmin, { kind: "user", name: "bo" });
    expect(await refusal(first)).toMatchObject({ code: "unauthenticated" });
    await logIn();
    expect(await refusal(first)).toMatchObject({ code: "unauthenticated" });
  });

  it("for a session of somebody else", async () => {
    const first = await logIn();
    const cy = await logIn(hour, ["dev"], "cy");
    expect(await refusal({ ...first, certificate: { ...first.certificate, sessionId: cy.certificate.sessionId } })).toMatchObject({ code: "access_denied" });
  });

  it("after a logout", async () => {
    const first = await logIn();
    await world.auth.logins.logout(world.auth.gatekeeper.identify(first.certificate));
    expect(await refusal(first)).toEqual({ code: "unauthenticated", message: "your login session has ended" });
  });

  it("once it has expired", async () => {
    const first = await logIn();
    world.clock.set(first.certificate.notAfter);
    expect(await refusal(first)).toMatchObject({ code: "unauthenticated", message: "your certificate has expired" });
  });

  it("for a generation that the session never had", async () => {
    const first = await logIn();
    expect(await refusal({ ...first, certificate: { ...first.certificate, generation: 2 } })).toMatchObject({ code: "access_denied" });
    expect(isLetIn(first)).toBe(true);
  });

  it("for a moment only, where the gateway cannot read its store", async () => {
    const stale = await world.another({ maxStaleness: -1 });
    const first = await logIn();
    await expect(renew(first, stale)).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("the generation before the newest", () => {
  it("gets the newest again within a minute: its answer was lost", async () => {
    const first = await logIn();
    const next = await renew(first);
    world.clock.advance(repeatTime);
    const again = await renew(first);
    expect(again.certificate).toMatchObject({ generation: 2, notAfter: next.certificate.notAfter });
    expect(world.audit.last("cert.create")).toMatchObject({ renewed: true, generation: 2 });
    // Either copy goes on from there.
    expect((await renew(again)).certificate.generation).toBe(3);
  });

  it("gets it again however late, while nobody has used the newest: a machine fell asleep, or crashed", async () => {
    const first = await logIn(2 * hour);
    const lost = await renew(first);
    world.clock.advance(hour);
    const again = await renew(first);
    expect(again.certificate).toMatchObject({ generation: 2, notAfter: lost.certificate.notAfter });
    expect(isLetIn(again)).toBe(true);
    // A copy that goes on from the same generation shows at the next renewal.
    await renew(again);
    world.clock.advance(repeatTime + 1);
    await renew(lost);
    expect(isLetIn(await renew(again))).toBe(true);
    world.clock.advance(repeatTime + 1);
    await expect(renew(lost)).rejects.toMatchObject({ code: "unauthenticated" });
  });

  it("ends the session after that where the newest is in use, and is audited: there are two copies", async () => {
    const first = await logIn();
    const next = await renew(first);
    expect(isLetIn(next)).toBe(true);
    world.clock.advance(repeatTime + 1);
    await expect(renew(first)).rejects.toMatchObject({ code: "unauthenticated", message: expect.stringContaining("another copy") as string });
    expect([isLetIn(first), isLetIn(next)]).toEqual([false, false]);
    expect(world.audit.last("session.revoked")).toMatchObject({ code: "G1041W", user: "bo", session: first.certificate.sessionId, generation: 1, newest: 2, success: false });
    await expect(renew(next)).rejects.toMatchObject({ code: "unauthenticated" });
  });

  it("ends it at once where it is two behind", async () => {
    const first = await logIn();
    const third = await renew(await renew(first));
    await expect(renew(first)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(isLetIn(third)).toBe(false);
  });

  it("two renewals at once, at two gateways, get one generation", async () => {
    const other = await world.another();
    const first = await logIn();
    await expect.poll(() => { try { return other.gatekeeper.identify(first.certificate).username; } catch { return undefined; } }).toBe("bo");
    const both = await Promise.all([renew(first), renew(first, other), renew(first)]);
    expect(both.map(({ certificate }) => certificate.generation)).toEqual([2, 2, 2]);
    expect(new Set(both.map(({ certificate }) => certificate.notAfter)).size).toBe(1);
  });
});

it("which turn it is: only the newest, or the one just before it for a minute or until that is used, ever gets anything", () => {
  const generation = fc.integer({ min: 1, max: 1000 });
  fc.assert(fc.property(generation, fc.oneof(generation, fc.constant(-1)), fc.nat(10 * minute), fc.boolean(), (newest, given, passed, used) => {
    const brought = given === -1 ? Math.max(1, newest - 1) : given;
    const turn = turnOf({ generation: newest, ...(newest > 1 ? { at: 1_000_000 } : {}) }, brought, { now: 1_000_000 + passed, newestUsed: used ? newest : newest - 1 });
    const expected = brought === newest ? "next" : brought > newest ? "unknown" : brought === newest - 1 && (passed <= repeatTime || !used) ? "again" : "replayed";
    expect(turn).toBe(expected);
  }));
});

it("whatever is asked when: no certificate lasts beyond the first login's end, generations only grow, off wins", async () => {
  const options = fc.record({ max_session_ttl: fc.constantFrom("1h", "4h30m", "12h", "30h", "90h"), certificate_renewal: fc.constantFrom("off", "local", "any") });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant("renew" as const), wait: fc.integer({ min: 1, max: 59 * minute }), from: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("roles" as const), a: options, b: options }) },
  );
  let run = 0;
  await fc.assert(
    fc.asyncProperty(options, options, fc.integer({ min: 1, max: 30 * 60 }), fc.array(step, { minLength: 1, maxLength: 12 }), async (a, b, minutes, steps) => {
      await putRole("a", a);
      await putRole("b", b);
      const begin = world.clock.now();
      const longest = (...all: (typeof a)[]): number => Math.min(30, ...all.map(({ max_session_ttl: text }) => (text === "4h30m" ? 4.5 : Number.parseInt(text, 10)))) * hour;
      const end = begin + longest(a, b);
      let isOff = [a, b].some(({ certificate_renewal: renewal }) => renewal === "off");
      const chain = [await logIn(minutes * minute, ["a", "b"], `p${String(run++)}`)];
      for (const one of steps) {
        if (one.type === "roles") {
          await putRole("a", one.a);
          await putRole("b", one.b);
          isOff = [one.a, one.b].some(({ certificate_renewal: renewal }) => renewal === "off");
          continue;
        }
        world.clock.advance(one.wait);
        const newest = chain.at(-1)!.certificate;
        const next = await renew(chain.at(-1 - one.from) ?? chain[0]!).catch(() => undefined);
        if (!next) continue;
        expect(isOff).toBe(false);
        expect(next.certificate.notAfter).toBeLessThanOrEqual(end);
        expect(next.certificate.notAfter - world.clock.now()).toBeLessThanOrEqual(minutes * minute);
        expect(next.certificate.generation - newest.generation).toSatisfy((step: number) => step === 0 || step === 1);
        if (next.certificate.generation > newest.generation) chain.push(next);
      }
    }),
    { numRuns: 25 },
  );
});
