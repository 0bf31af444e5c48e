import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { headlessCode } from "../../formats/index.ts";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "../testing/index.ts";
import { ticketCookie } from "./record.ts";

const hour = 3_600_000;
const password = "correct horse battery";
const browser = { remoteAddress: "192.0.2.44:1234" };

let world: AuthWorld;
beforeEach(async () => {
  world = await openAuthWorld();
  await signUp("bo");
});
afterEach(() => world.close());

async function signUp(name: string, roles: readonly string[] = ["access"]): Promise<void> {
  const { token } = await world.auth.admin.inviteUser(localAdmin, { name, roles, traits: { logins: ["root"] }, ttl: hour });
  await world.auth.links.setPassword(token, password, origin);
}

interface Asked {
  readonly id: string;
  readonly pollSecret: string;
  readonly code: string;
}

async function ask(user = "bo", more: { readonly ttl?: number; readonly command?: string; readonly address?: string } = {}): Promise<Asked> {
  const publicKey = newPublicKey();
  const { id, pollSecret } = await world.auth.headless.ask({ user, publicKey, host: "build-7", command: more.command ?? "kubectl get pods", ttl: more.ttl ?? hour, origin: { remoteAddress: more.address ?? origin.remoteAddress } });
  return { id, pollSecret, code: headlessCode({ id, pollSecret, publicKey }) };
}

const poll = ({ id, pollSecret }: Asked, wait = 0) => world.auth.headless.poll({ id, pollSecret, wait, origin });

/** The cookies of a browser in which this user has logged in to decide. */
async function prove({ id }: Asked, user = "bo", secret = password): Promise<Record<string, string>> {
  const { cookie } = await world.auth.headless.proveLocally({ id, user, password: secret, code: "", origin: browser });
  return { [cookie.name]: cookie.value };
}

const approve = ({ id }: Asked, cookies: Record<string, string>, code: string) => world.auth.headless.decide({ id, cookies, decision: { approve: true, code }, origin: browser });

describe("a login that is approved in a browser elsewhere", () => {
  it("is seen, approved with the code that the terminal shows, and gives certificates once", async () => {
    const asked = await ask();
    expect(await poll(asked)).toEqual({ state: "pending" });
    const cookies = await prove(asked);
    expect(await world.auth.headless.view(asked.id, cookies)).toEqual({ user: "bo", host: "build-7", command: "kubectl get pods", address: "127.0.0.1", ttl: hour, expires: world.clock.now() + 120_000, tries: 5 });
    const waiting = poll(asked, 20_000);
    expect(await approve(asked, cookies, asked.code.toLowerCase().replace("-", " "))).toEqual({ clearCookie: ticketCookie(asked.id) });
    const outcome = await waiting;
    if (outcome.state !== "approved") throw new Error("not approved");
    const certificate = world.certificate(outcome.login);
    expect(world.auth.gatekeeper.identify(certificate)).toMatchObject({ username: "bo", expires: world.clock.now() + hour });
    await expect(poll(asked)).rejects.toMatchObject({ code: "not_found" });
    await expect(approve(asked, cookies, asked.code)).rejects.toMatchObject({ code: "not_found" });
    expect(world.audit.last("headless.request")).toMatchObject({ user: "bo", request: asked.id, host: "build-7", command: "kubectl get pods", "addr.remote": origin.remoteAddress });
    expect(world.audit.last("headless.approve")).toMatchObject({ user: "bo", by: "bo", method: "local", request: asked.id, "addr.remote": browser.remoteAddress, "addr.terminal": origin.remoteAddress });
    expect(world.audit.last("user.login")).toMatchObject({ user: "bo", success: true, headless: asked.id });
    const log = JSON.stringify(world.audit.events);
    for (const secret of [asked.code, asked.pollSecret, ...Object.values(cookies)]) expect(log).not.toContain(secret);
  });

  it("lasts an hour at most, whatever is asked for", async () => {
    const asked = await ask("bo", { ttl: 12 * hour });
    await approve(asked, await prove(asked), asked.code);
    const outcome = await poll(asked);
    expect(outcome.state === "approved" && world.auth.gatekeeper.identify(world.certificate(outcome.login)).expires).toBe(world.clock.now() + hour);
    await expect(ask("bo", { ttl: 1000 })).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it("of two terminals at once is each its own: the code of one approves not the other", async () => {
    const [first, second] = [await ask(), await ask()];
    const cookies = { ...(await prove(first)), ...(await prove(second)) };
    await expect(approve(first, cookies, second.code)).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("4 tries are left") as string });
    await approve(second, cookies, second.code);
    expect([(await poll(first)).state, (await poll(second)).state]).toEqual(["pending", "approved"]);
    await approve(first, cookies, first.code);
    expect((await poll(first)).state).toBe("approved");
  });

  it("is approved by the same person alone", async () => {
    await signUp("eve");
    const asked = await ask();
    await expect(prove(asked, "eve")).rejects.toMatchObject({ code: "access_denied", message: "this login was not asked for by eve, so eve cannot approve it" });
    expect(world.audit.last("headless.refuse")).toMatchObject({ user: "bo", by: "eve", request: asked.id, id: expect.stringMatching(/^[0-9a-f]{8}$/) as string });
    // A ticket of her own request, or another's, opens nothing.
    const hers = await ask("eve");
    const ticket = Object.values(await prove(hers, "eve"))[0] ?? "";
    for (const cookies of [{}, { [ticketCookie(asked.id)]: ticket }, { [ticketCookie(asked.id)]: "x" }]) {
      await expect(world.auth.headless.view(asked.id, cookies)).rejects.toMatchObject({ code: "unauthenticated" });
      await expect(approve(asked, cookies, asked.code)).rejects.toMatchObject({ code: "unauthenticated" });
    }
    expect((await poll(asked)).state).toBe("pending");
  });

  it("needs the password, whose failures count as everywhere", async () => {
    const asked = await ask();
    await expect(prove(asked, "bo", "wrong password")).rejects.toMatchObject({ code: "access_denied", message: "invalid username or password" });
    expect(world.audit.last("user.login")).toMatchObject({ user: "bo", success: false });
    await expect(prove(asked, "nobody")).rejects.toMatchObject({ message: "invalid username or password" });
    for (let attempt = 2; attempt <= 5; attempt++) await expect(prove(asked, "bo", "wrong password")).rejects.toThrow();
    await expect(prove(asked)).rejects.toMatchObject({ message: expect.stringContaining("locked until") as string });
  });

  it("dies with the fifth wrong code, also where forty come at once, and the terminal is told", async () => {
    const asked = await ask();
    const cookies = await prove(asked);
    await expect(approve(asked, cookies, "no code at all")).rejects.toMatchObject({ code: "bad_parameter", message: "a code is eight letters and digits" });
    for (let left = 4; left >= 1; left--) await expect(approve(asked, cookies, "0000-0000")).rejects.toMatchObject({ message: expect.stringContaining(`${String(left)} tr`) as string });
    await expect(approve(asked, cookies, "0000-0000")).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("5 wrong codes") as string });
    await expect(approve(asked, cookies, asked.code)).rejects.toMatchObject({ code: "not_found" });
    await expect(poll(asked)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("5 wrong codes") as string, id: expect.any(String) as string });

    const next = await ask();
    const again = await prove(next);
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => approve(next, again, "1111-1111")));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toEqual([]);
    expect(world.audit.events.filter(({ event, request }) => event === "headless.refuse" && request === next.id).length).toBeLessThanOrEqual(5);
  });

  it("is refused in the browser, which the terminal is told at once", async () => {
    const asked = await ask();
    const waiting = poll(asked, 20_000);
    await world.auth.headless.decide({ id: asked.id, cookies: await prove(asked), decision: { approve: false }, origin: browser });
    await expect(waiting).rejects.toMatchObject({ code: "access_denied", message: "the login was refused in the browser" });
    expect(world.audit.last("headless.refuse")).toMatchObject({ user: "bo", by: "bo", error: "the login was refused in the browser" });
  });
});

describe("requests that wait", () => {
  it("are three of a user at most; one that is decided makes place, another user has their own, and so has another address: strangers cannot keep somebody out", async () => {
    const [first, second] = [await ask(), await ask(), await ask()];
    await expect(ask()).rejects.toMatchObject({ code: "limit_exceeded", message: "3 logins of bo wait for an approval already" });
    await ask("nobody-that-exists");
    await ask("bo", { address: "192.0.2.7:1" });
    await approve(first, await prove(first), first.code);
    expect((await poll(first)).state).toBe("approved");
    await ask();
    await world.auth.headless.decide({ id: second.id, cookies: await prove(second), decision: { approve: false }, origin: browser });
    await ask();
    await expect(ask()).rejects.toMatchObject({ code: "limit_exceeded" });
  });

  it("are three also where ten are made at once, on two gateways", async () => {
    const other = await world.another();
    const make = (auth: typeof world.auth) => auth.headless.ask({ user: "bo", publicKey: newPublicKey(), host: "", command: "", ttl: hour, origin: { remoteAddress: "192.0.2.1:1" } });
    const made = await Promise.allSettled(Array.from({ length: 10 }, (_, index) => make(index % 2 === 0 ? world.auth : other)));
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    await other.close();
  });

  it("are over after two minutes", async () => {
    const asked = await ask();
    const cookies = await prove(asked);
    world.clock.advance(120_000);
    await expect(poll(asked)).rejects.toMatchObject({ code: "not_found" });
    await expect(approve(asked, cookies, asked.code)).rejects.toMatchObject({ code: "not_found" });
    await expect(world.auth.headless.find(asked.id)).rejects.toMatchObject({ code: "not_found" });
    for (let count = 0; count < 3; count++) await ask();
  });

  it("are not told to who has another secret, or to anybody who guesses", async () => {
    const asked = await ask();
    for (const wrong of [{ pollSecret: "x" }, { pollSecret: "" }, { id: "AAAAAAAAAAAAAAAAAAAAAA" }, { id: "../x" }]) await expect(poll({ ...asked, ...wrong })).rejects.toMatchObject({ code: "not_found" });
    expect((await poll(asked)).state).toBe("pending");
  });

  it("come from one address a dozen in two minutes", async () => {
    for (let count = 0; count < 12; count++) await ask(`user-${String(count)}`);
    await expect(ask("user-13")).rejects.toMatchObject({ code: "limit_exceeded", message: "too many logins from your address wait for an approval" });
    await ask("user-13", { address: "192.0.2.99:1" });
  });
});

describe("somebody who may not", () => {
  it("is refused by a role, in the browser and in the terminal, and once more when the certificates are signed", async () => {
    await world.put({ kind: "role", version: "v3", metadata: { name: "desk" }, spec: { options: { headless_login: false }, allow: { logins: ["root"] } } });
    await signUp("cy", ["access", "desk"]);
    const asked = await ask("cy");
    await expect(prove(asked, "cy")).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("headless_login: false") as string });
    await expect(poll(asked)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("headless_login: false") as string });
    const later = await ask();
    await approve(later, await prove(later), later.code);
    await world.put({ kind: "role", version: "v3", metadata: { name: "access" }, spec: { options: { headless_login: false }, allow: { logins: ["root"] } } });
    await expect(poll(later)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("headless_login: false") as string });
    expect(world.audit.last("headless.refuse")).toMatchObject({ user: "bo", request: later.id });
  });

  it("is locked, before the approval or after it", async () => {
    const [before, after] = [await ask(), await ask()];
    await approve(after, await prove(after), after.code);
    await world.put({ kind: "lock", version: "v2", metadata: { name: "l1" }, spec: { target: { user: "bo" } } });
    await expect(prove(before)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("locked") as string });
    await expect(poll(before)).rejects.toMatchObject({ code: "access_denied" });
    await expect(poll(after)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("locked") as string });
  });

  it("had the password reset since the approval", async () => {
    const asked = await ask();
    await approve(asked, await prove(asked), asked.code);
    await world.auth.admin.resetUser(localAdmin, "bo", hour);
    await expect(poll(asked)).rejects.toMatchObject({ code: "compare_failed" });
  });
});

it("an approval that cannot be audited is none", async () => {
  const asked = await ask();
  const cookies = await prove(asked);
  world.audit.before = ({ event }) => {
    if (event === "headless.approve") throw new Error("disk full");
  };
  await expect(approve(asked, cookies, asked.code)).rejects.toThrow("disk full");
  world.audit.before = () => undefined;
  expect((await poll(asked)).state).toBe("pending");
});
