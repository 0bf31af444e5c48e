import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError, manualClock } from "@gatehouse/core/base";
import type { LoginRecord } from "@gatehouse/core/client/lean";
import { noKeys } from "@gatehouse/core/client/ssh";
import type { Notifier, Note } from "../notify/index.ts";
import type { HeldLogin } from "./held-login.ts";
import { refusedDelay, renewalTime, retryDelay, warningTime } from "./renewal-times.ts";
import { createRenewer, type Prospect, type RenewerTools } from "./renewer.ts";
import { createWarner } from "./warner.ts";

const start = Date.parse("2026-11-24T09:00:00Z");
const minute = 60_000;
const hour = 60 * minute;

const record = (issued: number, expires: number, renewableUntil: number | undefined): LoginRecord => ({ version: 1, proxy: "gw:3080", cluster: "example", username: "ana", privateKey: "K", sshCertificate: "S", tlsCertificate: `until ${expires}`, hostKeys: [], hostCertificates: [], issued, expires, renewableUntil });
function held(life = 12 * hour, until: number | null = start + 30 * hour, profile = "gw", issued = start): HeldLogin {
  const renewableUntil = until ?? undefined;
  const own = record(issued, issued + life, renewableUntil);
  return { profile, keystore: "file", proxy: own.proxy, username: own.username, cluster: own.cluster, issued, expires: own.expires, renewableUntil, keys: noKeys, text: () => "", record: () => own, wipe: () => undefined };
}

function newRenewer(tools: Partial<RenewerTools> = {}) {
  const clock = manualClock(start);
  const calls = { renewed: [] as LoginRecord[], stored: [] as LoginRecord[], held: [] as LoginRecord[], over: 0 };
  const renewer = createRenewer({
    clock,
    random: (length) => new Uint8Array(length),
    log: () => undefined,
    renew: (before) => {
      calls.renewed.push(before);
      return Promise.resolve(record(clock.now(), clock.now() + 12 * hour, before.renewableUntil));
    },
    prospect: (thrown): Prospect => (thrown instanceof GatehouseError && thrown.code === "access_denied" ? "refused" : thrown instanceof GatehouseError && thrown.code === "not_found" ? "never" : thrown instanceof GatehouseError && thrown.code === "unauthenticated" ? "over" : "later"),
    store: (_profile, _before, renewed) => {
      calls.stored.push(renewed);
      return Promise.resolve(true);
    },
    hold: (_login, renewed) => void calls.held.push(renewed),
    over: () => void (calls.over += 1),
    ...tools,
  });
  return { clock, renewer, calls };
}

describe("the times of a renewal", () => {
  it("lie between half of the life and its end, whatever the life", () => {
    fc.assert(
      fc.property(fc.integer({ min: minute, max: 30 * hour }), fc.double({ min: 0, max: 1, noNaN: true }), (life, fraction) => {
        const at = renewalTime({ issued: start, expires: start + life }, fraction);
        expect(at).toBeGreaterThanOrEqual(start + Math.floor(life / 2));
        expect(at).toBeLessThanOrEqual(start + life - Math.min(10 * minute, life / 4));
        const warned = warningTime({ issued: start, expires: start + life });
        expect(warned).toBeGreaterThanOrEqual(start + Math.floor(life / 2));
        expect(warned).toBeLessThan(start + life);
      }),
    );
    expect(warningTime({ issued: start, expires: start + 12 * hour })).toBe(start + 12 * hour - 10 * minute);
  });

  it("grow after failures, up to five minutes", () => {
    expect([1, 2, 3, 20].map((failures) => retryDelay(failures, 1))).toEqual([5000, 10_000, 20_000, 300_000]);
    expect(retryDelay(1, 0)).toBe(2500);
  });

  it("leave half an hour between refusals at most, and less before the end", () => {
    expect([6 * hour, 90 * minute, 60 * minute, 3 * minute, minute, 0].map((left) => refusedDelay(left, 1))).toEqual([30 * minute, 30 * minute, 20 * minute, minute, 20_000, 10_000]);
    expect(refusedDelay(6 * hour, 0)).toBe(15 * minute);
    // A login of a working day whose renewal is refused all the time.
    let asked = 0;
    for (let left = 6 * hour; left > 0; left -= refusedDelay(left, 0.5)) asked++;
    expect(asked).toBeLessThan(60);
  });
});

describe("renewal", () => {
  it("happens when half of the life is over, once, and is stored", async () => {
    const { clock, renewer, calls } = newRenewer();
    const login = held();
    renewer.take(login);
    expect(renewer.of("gw")).toEqual({ state: "waiting", at: start + 6 * hour });
    await renewer.run([login]);
    expect(calls.renewed).toEqual([]);
    clock.set(start + 6 * hour);
    await Promise.all([renewer.run([login]), renewer.run([login])]);
    await renewer.run([login]);
    expect(calls.renewed).toHaveLength(1);
    expect(calls.stored).toMatchObject([{ expires: start + 18 * hour }]);
    expect(renewer.unstored()).toEqual([]);
    const next = held(12 * hour, start + 30 * hour, "gw", start + 6 * hour);
    renewer.take(next);
    expect(renewer.of("gw")).toEqual({ state: "waiting", at: start + 12 * hour });
  });

  it("is due at once after a suspended machine wakes, and not for a login that has ended", async () => {
    const { clock, renewer, calls } = newRenewer();
    const login = held();
    renewer.take(login);
    clock.set(start + 13 * hour);
    await renewer.run([login]);
    expect(calls.renewed).toEqual([]);
    clock.set(start + 11 * hour);
    await renewer.run([login]);
    expect(calls.renewed).toHaveLength(1);
  });

  it("is not tried where the gateway does not renew, where its end is reached, or of a login that is not in use", async () => {
    const { clock, renewer, calls } = newRenewer();
    const logins = [held(hour, null, "never"), held(hour, start + hour, "end"), held(hour, start + 30 * hour, "gw+bo")];
    for (const login of logins) renewer.take(login);
    expect(logins.map(({ profile }) => renewer.of(profile).state)).toEqual(["never", "end", "never"]);
    expect(renewer.next()).toBeUndefined();
    clock.advance(hour - minute);
    await renewer.run(logins);
    expect(calls.renewed).toEqual([]);
  });

  it("is tried again while the gateway cannot be reached, and not where it has no renewals or the session is over", async () => {
    let refusal = new GatehouseError("unavailable", "nobody there");
    const { clock, renewer, calls } = newRenewer({ renew: () => Promise.reject(refusal) });
    const login = held();
    renewer.take(login);
    clock.set(start + 6 * hour);
    await renewer.run([login]);
    expect(renewer.of("gw")).toEqual({ state: "retrying", at: clock.now() + 2500 });
    clock.advance(2500);
    await renewer.run([login]);
    expect(renewer.of("gw")).toEqual({ state: "retrying", at: clock.now() + 5000 });
    refusal = new GatehouseError("not_found", "no such route");
    clock.advance(5000);
    await renewer.run([login]);
    expect(renewer.of("gw")).toEqual({ state: "never", at: undefined });
    expect(calls.over).toBe(0);
    refusal = new GatehouseError("unauthenticated", "over");
    const other = held(12 * hour, start + 30 * hour, "other");
    renewer.take(other);
    await renewer.run([other]);
    expect(calls.over).toBe(1);
    expect(renewer.next()).toBeUndefined();
    renewer.take(held());
    expect(renewer.next()).toBeDefined();
    await renewer.run([]);
    expect(renewer.next()).toBeUndefined();
  });

  it("is tried again after a refusal, which an administrator may take back, while the login is good", async () => {
    const refusal = new GatehouseError("access_denied", "user ana is locked");
    let asked = 0;
    let locked = true;
    const logged: string[] = [];
    const { clock, renewer, calls } = newRenewer({
      log: (text) => void logged.push(text),
      renew: (before) => {
        asked++;
        return locked ? Promise.reject(refusal) : Promise.resolve(record(clock.now(), clock.now() + 12 * hour, before.renewableUntil));
      },
    });
    const login = held();
    renewer.take(login);
    clock.set(start + 6 * hour);
    await renewer.run([login]);
    expect(renewer.of("gw")).toEqual({ state: "refused", at: clock.now() + 15 * minute });
    expect(renewer.next()).toBe(clock.now() + 15 * minute);
    await renewer.run([login]);
    expect(asked).toBe(1);
    clock.advance(15 * minute);
    await renewer.run([login]);
    expect([asked, renewer.of("gw").state, calls.over]).toEqual([2, "refused", 0]);
    expect(logged).toEqual(["could not renew the login to gw:3080: user ana is locked"]);
    locked = false;
    clock.set(renewer.of("gw").at ?? 0);
    await renewer.run([login]);
    expect(calls.stored).toMatchObject([{ expires: clock.now() + 12 * hour }]);
  });

  it("is held, handed on and stored later where the keystore does not take it, and never asked for twice", async () => {
    let problem: GatehouseError | undefined = new GatehouseError("internal", "the keychain is locked");
    const store: RenewerTools["store"] = () => (problem ? Promise.reject(problem) : Promise.resolve(true));
    const { clock, renewer, calls } = newRenewer({ store });
    const login = held();
    renewer.take(login);
    clock.set(start + 6 * hour);
    await renewer.run([login]);
    await renewer.run([login]);
    expect(calls.renewed).toHaveLength(1);
    expect(calls.held).toMatchObject([{ expires: start + 18 * hour }]);
    const [left] = renewer.unstored();
    expect(left).toMatchObject({ profile: "gw", before: { expires: start + 12 * hour }, renewed: { expires: start + 18 * hour } });
    const other = newRenewer({ store });
    other.renewer.restore(renewer.unstored());
    problem = undefined;
    await other.renewer.run([login]);
    expect(other.renewer.unstored()).toEqual([]);
    expect(other.calls.renewed).toEqual([]);
    clock.advance(5000);
    await renewer.run([login]);
    expect(renewer.unstored()).toEqual([]);
  });
});

describe("warnings", () => {
  const notes: Note[] = [];
  const notifier: Notifier = { show: (note) => void notes.push(note) };
  const told = (): readonly string[] => notes.splice(0).map(({ body }) => body);

  it("come once, ten minutes before an end that nothing will move, and once at the end", () => {
    const clock = manualClock(start);
    const warner = createWarner({ clock, notifier, log: () => undefined });
    const login = held();
    const check = (state: "waiting" | "never" | "end" | "retrying" | "refused"): void => warner.check(login, { state, at: undefined });
    check("never");
    clock.set(login.expires - 10 * minute);
    check("waiting");
    expect(told()).toEqual([]);
    check("refused");
    check("retrying");
    check("never");
    expect(told()).toEqual(["your login to gw ends in 10 min; to go on: tsh login --proxy=gw --force"]);
    clock.set(login.expires);
    check("never");
    warner.ended(login);
    warner.ended(login);
    expect(told()).toEqual(["your login to gw has ended; log in: tsh login --proxy=gw"]);
    const next = createWarner({ clock, notifier, log: () => undefined });
    next.restore(warner.told());
    next.ended(login);
    next.ended(held(12 * hour, null, "gw+bo"));
    expect(told()).toEqual([]);
  });
});
