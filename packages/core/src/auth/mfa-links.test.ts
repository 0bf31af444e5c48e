import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { hash, verify } from "@node-rs/argon2";
import { mfaHashes, totpCode, totpStep, type MfaHashes } from "./mfa/index.ts";
import { softKey, type SoftKey } from "./testing/authenticator.ts";
import { localAdmin, newPublicKey, newTerminal, openAuthWorld, origin, type AuthWorld, type Terminal } from "./testing/index.ts";
import type { ConsoleLogin, LinkView } from "./mfa-types.ts";
import type { AuthService } from "./types.ts";

const hour = 3_600_000;
const password = "correct horse battery";
const place = { origin: "https://gw.example.com:3080", rpId: "gw.example.com" };
const publicUrls = () => [place.origin];

let world: AuthWorld;
let auth: AuthService;
const open = async (second_factor: "off" | "otp" | "webauthn" | "on" | "optional", more: Parameters<AuthWorld["another"]>[0] = {}): Promise<void> => {
  auth = await world.another({ preference: { type: "local", second_factor }, publicUrls, ...more });
};
beforeEach(async () => {
  world = await openAuthWorld();
});
afterEach(() => world.close());

const codeNow = (secret: string, steps = 0): string => totpCode(secret, totpStep(world.clock.now()) + steps);
const nextStep = (): void => {
  world.clock.advance(30_000);
};

interface Person {
  readonly secret: string;
  readonly key: SoftKey;
  readonly recoveryCodes: readonly string[];
}

const challengeOf = (options: unknown): string => (options as { challenge: string }).challenge;

/** Invites and signs up with an app, a key, or both. */
async function signUp(name: string, ...having: ("app" | "key")[]): Promise<Person> {
  const { token } = await auth.admin.inviteUser(localAdmin, { name, roles: ["access"], traits: { logins: ["root"] }, ttl: hour });
  const outcome = await auth.links.setPassword(token, password, origin);
  const view = outcome.next as LinkView;
  expect(view).toMatchObject({ step: "factor", user: name });
  const key = softKey(place);
  const credential = having.includes("key") ? key.register(challengeOf(await auth.links.keyOptions(token, outcome.pass))) : undefined;
  const secret = view.totp?.secret ?? "";
  const done = await auth.links.finish(token, { code: having.includes("app") ? codeNow(secret) : "", credential, name: "" }, origin, outcome.pass);
  await expect(auth.links.read(token)).rejects.toMatchObject({ code: "not_found" });
  nextStep();
  return { secret, key, recoveryCodes: done.recoveryCodes ?? [] };
}

const logIn = (user: string, otpToken: string, secret = password) => auth.logins.local({ user, password: secret, otpToken, publicKey: newPublicKey(), ttl: hour, compatibility: "", origin });
const generic = { code: "access_denied", message: "invalid username, password or second factor" };

/** A login in a browser, up to the page. */
async function browse(terminal: Terminal = newTerminal()): Promise<{ login: ConsoleLogin; terminal: Terminal }> {
  const { redirectUrl } = await auth.logins.startConsole({ clientRedirectUrl: terminal.clientRedirectUrl, publicKey: terminal.publicKey, ttl: hour, compatibility: "", origin });
  expect(redirectUrl).toMatch(/^https:\/\/gw\.example\.com:3080\/web\/login\?id=/);
  const id = new URL(redirectUrl).searchParams.get("id")!;
  const { cookie } = await auth.logins.openConsole(id, {});
  return { login: { id, cookies: { [cookie.name]: cookie.value }, origin }, terminal };
}

const attempt = (login: ConsoleLogin, user: string, more: { password?: string; code?: string; answer?: unknown }) => auth.logins.finishConsole(login, { user, password, code: "", answer: undefined, ...more });

describe("signing up under a policy that wants a second factor", () => {
  it("is a password, then an app, then recovery codes once; and the login wants both", async () => {
    await open("otp");
    const bo = await signUp("bo", "app");
    expect(bo.recoveryCodes).toHaveLength(10);
    expect((await logIn("bo", codeNow(bo.secret))).username).toBe("bo");
    expect(world.audit.events.map(({ event }) => event)).toEqual(expect.arrayContaining(["user.password", "mfa.add", "mfa.recovery_codes", "mfa.use", "user.login"]));
    for (const text of [bo.secret, ...bo.recoveryCodes, password]) expect(JSON.stringify(world.audit.events)).not.toContain(text);
  });

  it("gives nothing before the second factor is there", async () => {
    await open("on");
    const { token } = await auth.admin.inviteUser(localAdmin, { name: "bo", roles: ["access"], traits: {}, ttl: hour });
    const { next, pass } = await auth.links.setPassword(token, password, origin);
    const view = next!;
    await expect(logIn("bo", "123456")).rejects.toMatchObject(generic);
    await expect(auth.links.finish(token, { code: "", credential: undefined, name: "" }, origin, pass)).rejects.toMatchObject({ code: "bad_parameter" });
    await expect(auth.links.finish(token, { code: codeNow(view.totp!.secret, 5), credential: undefined, name: "" }, origin, pass)).rejects.toMatchObject({ code: "bad_parameter" });
    // Whoever comes back sees the same secret: the app has it already.
    expect((await auth.links.read(token, pass)).totp).toEqual(view.totp);
    const both = await Promise.allSettled([1, 2].map(() => auth.links.finish(token, { code: codeNow(view.totp!.secret), credential: undefined, name: "" }, origin, pass)));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it("takes a key for its own challenge alone, once", async () => {
    await open("webauthn");
    const { token } = await auth.admin.inviteUser(localAdmin, { name: "bo", roles: ["access"], traits: {}, ttl: hour });
    const { next, pass } = await auth.links.setPassword(token, password, origin);
    expect(next).toMatchObject({ webauthn: true, totp: undefined });
    const key = softKey(place);
    const finish = (credential: unknown) => auth.links.finish(token, { code: "", credential, name: "" }, origin, pass);
    const first = challengeOf(await auth.links.keyOptions(token, pass));
    await expect(finish(key.register(first, { origin: "https://evil.test" }))).rejects.toMatchObject({ code: "bad_parameter" });
    await expect(finish(key.register(first))).rejects.toMatchObject({ code: "bad_parameter" });
    const second = challengeOf(await auth.links.keyOptions(token, pass));
    world.clock.advance(180_000);
    await expect(finish(key.register(second))).rejects.toMatchObject({ code: "bad_parameter" });
    expect(await finish(key.register(challengeOf(await auth.links.keyOptions(token, pass))))).toMatchObject({ device: "security key" });
  });

  it("may go without where it is optional, and then the login does", async () => {
    await open("optional");
    const bo = await signUp("bo");
    expect(bo.recoveryCodes).toEqual([]);
    const ana = await signUp("ana", "app");
    expect((await logIn("bo", "")).username).toBe("bo");
    await expect(logIn("ana", "")).rejects.toMatchObject(generic);
    expect((await logIn("ana", codeNow(ana.secret))).username).toBe("ana");
  });
});

describe("a login with a second factor", () => {
  it("refuses a code twice, and of two at once takes one", async () => {
    await open("otp");
    const bo = await signUp("bo", "app");
    const code = codeNow(bo.secret);
    const both = await Promise.allSettled([logIn("bo", code), logIn("bo", code)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await expect(logIn("bo", code)).rejects.toMatchObject(generic);
    expect(world.audit.last("user.login")).toMatchObject({ code: "T1000W", second_factor: "a code that was used already" });
  });

  it("takes a recovery code once, two at once included, and says how many are left", async () => {
    await open("webauthn");
    const bo = await signUp("bo", "key");
    const [code = ""] = bo.recoveryCodes;
    const both = await Promise.allSettled([logIn("bo", code), logIn("bo", code)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(world.audit.last("mfa.use")).toMatchObject({ method: "recovery", recovery_codes: 9 });
    await expect(logIn("bo", code)).rejects.toMatchObject(generic);
  });

  it("says that the second factor is missing before it looks at anybody", async () => {
    await open("on");
    for (const user of ["bo", "nobody"]) await expect(logIn(user, "")).rejects.toMatchObject({ message: "missing second factor" });
    expect(await world.store.list("login_attempts")).toHaveLength(0);
  });

  it("counts wrong codes for the lockout, whatever the password", async () => {
    await open("otp");
    const bo = await signUp("bo", "app");
    for (let tries = 1; tries <= 5; tries++) await expect(logIn("bo", "000000")).rejects.toMatchObject(generic);
    await expect(logIn("bo", codeNow(bo.secret))).rejects.toMatchObject({ message: expect.stringContaining("locked until") as string });
  });

  it("is refused alike for nobody, a wrong password and a wrong factor, after the same work", async () => {
    const calls: Record<string, number> = {};
    const count = (name: string): void => {
      calls[name] = (calls[name] ?? 0) + 1;
    };
    const mfa: MfaHashes = {
      totp: (...given) => (count("totp"), mfaHashes.totp(...given)),
      recovery: (...given) => (count("recovery"), mfaHashes.recovery(...given)),
      assertion: (...given) => (count("assertion"), mfaHashes.assertion(...given)),
    };
    const counted = { hash, verify: ((...given: Parameters<typeof verify>) => (count("argon2"), verify(...given))) as typeof verify };
    await open("on", { hashes: { mfa, password: counted } });
    await signUp("bo", "app", "key");
    const seen = [];
    for (const [user, secret] of [["nobody", password], ["bo", "wrong password"], ["bo", password]] as const) {
      for (const name of Object.keys(calls)) Reflect.deleteProperty(calls, name);
      const events = world.audit.events.length;
      const error = await logIn(user, "000000", secret).catch((thrown: unknown) => thrown);
      if (!(error instanceof GatehouseError)) throw new Error("let in");
      seen.push({ code: error.code, message: error.message, hint: error.hint, calls: { ...calls }, events: world.audit.events.length - events });
    }
    expect(seen[0]).toMatchObject({ message: generic.message, calls: { argon2: 1, totp: 30, recovery: 1 }, events: 1 });
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  });
});

describe("a login in the browser", () => {
  it("takes a key's answer, once, and gives the terminal its certificates", async () => {
    await open("webauthn");
    const bo = await signUp("bo", "key");
    const { login, terminal } = await browse();
    const options = await auth.logins.consoleKey(login, "bo");
    expect(options).toMatchObject({ rpId: "gw.example.com", allowCredentials: [{ id: bo.key.credentialId }] });
    const answer = bo.key.answer(challengeOf(options));
    const { location } = await attempt(login, "bo", { answer });
    expect(terminal.read(location).response?.username).toBe("bo");
    await expect(attempt(login, "bo", { answer })).rejects.toMatchObject({ message: expect.stringContaining("not known") as string });
    const other = await browse();
    await auth.logins.consoleKey(other.login, "bo");
    // The same answer in another login is to another challenge.
    await expect(attempt(other.login, "bo", { answer })).rejects.toMatchObject(generic);
  });

  it("stays open after a refusal, but the challenge does not", async () => {
    await open("on");
    const bo = await signUp("bo", "key", "app");
    const { login, terminal } = await browse();
    const answer = bo.key.answer(challengeOf(await auth.logins.consoleKey(login, "bo")));
    await expect(attempt(login, "bo", { answer, password: "wrong password" })).rejects.toMatchObject(generic);
    await expect(attempt(login, "bo", { answer })).rejects.toMatchObject(generic);
    expect(terminal.read((await attempt(login, "bo", { code: codeNow(bo.secret) })).location).response?.username).toBe("bo");
  });

  it("refuses a key whose counter went back, and audits why", async () => {
    await open("webauthn");
    const bo = await signUp("bo", "key");
    const use = async () => {
      const { login } = await browse();
      return attempt(login, "bo", { answer: bo.key.answer(challengeOf(await auth.logins.consoleKey(login, "bo"))) });
    };
    await use();
    bo.key.counter = 0;
    await expect(use()).rejects.toMatchObject(generic);
    expect(world.audit.last("user.login")).toMatchObject({ second_factor: expect.stringMatching(/counter/) as string });
  });

  it("belongs to the browser that opened it", async () => {
    await open("on");
    const { login } = await browse();
    await expect(auth.logins.openConsole(login.id, {})).rejects.toMatchObject({ code: "access_denied" });
    expect((await auth.logins.openConsole(login.id, login.cookies)).page).toEqual({ factor: "required", otp: true, webauthn: true });
    for (const work of [() => auth.logins.consoleKey({ ...login, cookies: {} }, "bo"), () => attempt({ ...login, cookies: {} }, "bo", {}), () => auth.logins.cancelConsole({ ...login, cookies: {} })]) {
      await expect(work()).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("another browser") as string });
    }
  });

  it("asks for keys of nobody as for somebody's, the same each time", async () => {
    await open("on");
    const { login } = await browse();
    const ask = async (user: string) => {
      const options = (await auth.logins.consoleKey(login, user)) as { allowCredentials: { id: string }[] };
      return { ...options, challenge: "" };
    };
    const bo = await signUp("bo", "key");
    const [known, unknown, again] = [await ask("bo"), await ask("nobody"), await ask("nobody")];
    expect(known.allowCredentials[0]?.id).toBe(bo.key.credentialId);
    expect(unknown).toEqual(again);
    expect(unknown.allowCredentials[0]?.id).toHaveLength(bo.key.credentialId.length);
    expect(Object.keys(unknown)).toEqual(Object.keys(known));
  });

  it("can be given up, which the terminal hears at once", async () => {
    await open("on");
    const { login, terminal } = await browse();
    expect(terminal.read((await auth.logins.cancelConsole(login)).location).error).toMatchObject({ message: "the login was cancelled in the browser" });
    await expect(attempt(login, "bo", {})).rejects.toMatchObject({ code: "access_denied" });
  });
});

describe("one's own second factors", () => {
  const identityOf = async (login: Promise<Parameters<AuthWorld["certificate"]>[0]>) => auth.gatekeeper.identify(world.certificate(await login));

  it("are added after showing one, listed, and removed, but not the last that the policy wants", async () => {
    await open("on");
    const bo = await signUp("bo", "app");
    const me = await identityOf(logIn("bo", codeNow(bo.secret)));
    nextStep();
    const { token } = await auth.mfa.link(me, { purpose: "add" });
    expect(await auth.links.read(token)).toMatchObject({ step: "confirm", hasFactor: true, webauthn: false });
    await expect(auth.links.finish(token, { code: "", credential: undefined, name: "" }, origin)).rejects.toMatchObject({ code: "bad_parameter" });
    await expect(auth.links.confirm(token, { password, code: "", answer: undefined }, origin)).rejects.toMatchObject({ code: "access_denied" });
    expect(world.audit.last("mfa.refused")).toMatchObject({ user: "bo", second_factor: "none was given" });
    const { next, pass } = await auth.links.confirm(token, { password, code: codeNow(bo.secret), answer: undefined }, origin);
    expect(next).toMatchObject({ step: "factor", optional: false });
    // Others may have the address: it is among the arguments of the browser that the terminal has started.
    expect(await auth.links.read(token)).toEqual({ user: "bo", purpose: "add", step: "confirm", hasFactor: true, webauthn: false });
    for (const other of [undefined, "", "x".repeat(43)]) {
      await expect(auth.links.finish(token, { code: codeNow(next!.totp!.secret), credential: undefined, name: "theirs" }, origin, other)).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("asks for something else first") as string });
    }
    const done = await auth.links.finish(token, { code: "", credential: bo.key.register(challengeOf(await auth.links.keyOptions(token, pass))), name: "blue key" }, origin, pass);
    expect(done).toEqual({ user: "bo", purpose: "add", device: "blue key", recoveryCodes: undefined });
    expect(await auth.mfa.own(me)).toMatchObject({ devices: [{ name: "authenticator app", type: "totp" }, { name: "blue key", type: "webauthn" }], recoveryCodes: 10 });

    nextStep();
    const remove = async (device: string) => {
      const link = await auth.mfa.link(me, { purpose: "remove", device });
      expect(await auth.links.read(link.token)).toMatchObject({ step: "confirm", device });
      const answer = bo.key.answer(challengeOf(await auth.links.keyOptions(link.token)));
      return auth.links.confirm(link.token, { password, code: "", answer }, origin);
    };
    expect((await remove("authenticator app")).done).toMatchObject({ device: "authenticator app" });
    await expect(remove("blue key")).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("the last one") as string });
    await expect(auth.mfa.link(me, { purpose: "remove", device: "blu key" })).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining('did you mean "blue key"') as string });
  });

  it("get new recovery codes, and the old ones end", async () => {
    await open("otp");
    const bo = await signUp("bo", "app");
    const me = await identityOf(logIn("bo", codeNow(bo.secret)));
    const older = await auth.mfa.link(me, { purpose: "codes" });
    const { token } = await auth.mfa.link(me, { purpose: "codes" });
    await expect(auth.links.read(older.token)).rejects.toMatchObject({ code: "not_found" });
    const { done } = await auth.links.confirm(token, { password, code: bo.recoveryCodes[0]!, answer: undefined }, origin);
    expect(done?.recoveryCodes).toHaveLength(10);
    await expect(logIn("bo", bo.recoveryCodes[1]!)).rejects.toMatchObject(generic);
    expect((await logIn("bo", done!.recoveryCodes![1]!)).username).toBe("bo");
  });

  it("are not changed with a session that was made for a machine: signed for the user, or a bot's", async () => {
    await open("otp");
    const bo = await signUp("bo", "app");
    const request = { publicKey: newPublicKey(), ttl: hour, compatibility: "", origin };
    const signed = await identityOf(auth.admin.signUser(localAdmin, { ...request, name: "bo" }));
    expect((await auth.mfa.own(signed)).devices).toHaveLength(1);
    const own = await auth.mfa.link(await identityOf(logIn("bo", codeNow(bo.secret))), { purpose: "codes" });
    for (const wanted of [{ purpose: "add" }, { purpose: "codes" }, { purpose: "remove", device: "authenticator app" }] as const) {
      await expect(auth.mfa.link(signed, wanted)).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("an identity file that was signed for bo") as string });
    }
    expect(await auth.links.read(own.token)).toMatchObject({ purpose: "codes" });

    await world.put({ kind: "bot", version: "v1", metadata: { name: "build" }, spec: { roles: ["access"] } });
    const token = "0123456789abcdef0123456789abcdef";
    await world.put({ kind: "token", version: "v2", metadata: { name: token }, spec: { join_method: "token", bot_name: "build" } });
    const bot = await identityOf(auth.logins.join({ ...request, method: "token", token, jwt: undefined }));
    for (const refused of [auth.mfa.own(bot), auth.mfa.link(bot, { purpose: "add" })]) {
      await expect(refused).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("bots have no second factors") as string });
    }
  });

  it("are registered by no link that came between the parts of a reset", async () => {
    await open("otp");
    const bo = await signUp("bo", "app");
    const { store } = world;
    let between: (() => Promise<unknown>) | undefined;
    const slow = await world.another({
      preference: { type: "local", second_factor: "otp" },
      store: {
        ...store,
        async transact(operations) {
          if (operations.some(({ op, kind }) => op === "delete" && kind === "password")) {
            const { token } = await auth.mfa.link(await identityOf(logIn("bo", codeNow(bo.secret))), { purpose: "add" });
            nextStep();
            const { next, pass } = await auth.links.confirm(token, { password, code: codeNow(bo.secret), answer: undefined }, origin);
            between = () => auth.links.finish(token, { code: codeNow(next?.totp?.secret ?? ""), credential: undefined, name: "planted" }, origin, pass);
          }
          return store.transact(operations);
        },
      },
    });
    const { token } = await slow.admin.resetUser(localAdmin, "bo", hour);
    await expect(between?.()).rejects.toMatchObject({ code: "not_found" });
    expect((await auth.mfa.of(localAdmin, "bo")).devices).toEqual([]);
    expect(await auth.links.read(token)).toMatchObject({ purpose: "reset" });
  });

  it("are read and removed by administrators, and go with a reset and with the user", async () => {
    await open("on");
    await signUp("bo", "app", "key");
    expect((await auth.mfa.of(localAdmin, "bo")).devices).toHaveLength(2);
    expect(await auth.mfa.remove(localAdmin, "bo", "security key")).toEqual({ removed: ["security key"], canLogIn: true });
    expect(world.audit.last("mfa.remove")).toMatchObject({ user: "bo", by: "local-admin", device: "security key" });
    expect(await auth.mfa.remove(localAdmin, "bo", undefined)).toEqual({ removed: ["authenticator app"], canLogIn: false });
    expect((await auth.mfa.of(localAdmin, "bo")).recoveryCodes).toBe(0);
    await expect(auth.mfa.of(localAdmin, "nobody")).rejects.toMatchObject({ code: "not_found" });
    await signUp("ana", "app");
    await auth.admin.resetUser(localAdmin, "ana", hour);
    expect((await auth.mfa.of(localAdmin, "ana")).devices).toEqual([]);
    await signUp("cy", "app");
    await auth.admin.remove(localAdmin, { kind: "user", name: "cy" });
    expect(await world.store.get("mfa", "cy")).toBeUndefined();
  });
});
