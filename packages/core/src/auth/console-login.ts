import { createHmac } from "node:crypto";
import { userLogin } from "../audit/index.ts";
import { GatehouseError, errorMessage, limits, refusalId } from "../base/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { cookieName, equalTexts, randomToken, unknownLogin } from "./sso-request.ts";
import type { LoginCounter } from "./sso-start.ts";
import { checkRequest } from "./issue.ts";
import { logInLocally } from "./local-login.ts";
import type { LocalProof } from "./local-proof.ts";
import { answerLocation, parseLoopback } from "./loopback.ts";
import { acceptedKinds, authenticationOptions, liveChallenge, loadFactors, newChallenge } from "./mfa/index.ts";
import type { ConsoleLogin, ConsoleLogins } from "./mfa-types.ts";
import { partyOf, readPolicy } from "./policy.ts";
import { consoleLoginRecord, consoleLoginSecret, digest, kinds, readRecord, type ConsoleLoginRecord } from "./records.ts";
import type { Logins } from "./types.ts";

const kind = kinds.consoleLogin;

/** A login under way. */
interface Request {
  readonly item: StoredItem;
  readonly record: ConsoleLoginRecord;
  readonly clientRedirectUrl: string;
}

/** A credential id as a key of this name might have, the same each time, for whoever has no key (WebAuthn 3 §14.6.2). */
function decoy(sharedKey: string, user: string): { readonly id: string; readonly transports: readonly string[] } {
  return { id: createHmac("sha256", sharedKey).update("credential\0").update(user).digest("base64url"), transports: ["usb"] };
}

/** Logins whose way is chosen in the browser: a connector, or password and second factor. */
export function createConsoleLogins(context: Context, proof: LocalProof, { count, startSso }: { readonly count: LoginCounter; readonly startSso: Logins["startSso"] }): ConsoleLogins {
  const { store, random, clock } = context;

  async function find(id: string): Promise<Request> {
    const item = /^[A-Za-z0-9_-]{43}$/.test(id) ? await store.get(kind, digest(id)) : undefined;
    if (!item) throw unknownLogin();
    return { item, record: readRecord(consoleLoginRecord, item), clientRedirectUrl: readRecord(consoleLoginSecret, item, item.secret ?? "").clientRedirectUrl };
  }

  /** The login, for the browser that opened it. */
  async function findOwn({ id, cookies }: ConsoleLogin): Promise<Request> {
    const request = await find(id);
    const cookie = cookies[cookieName(id)];
    const { cookieHash } = request.record;
    if (cookie === undefined || cookieHash === undefined || !equalTexts(digest(cookie), cookieHash)) {
      throw new GatehouseError("access_denied", "this login was opened in another browser, or its cookie is missing", { hint: "log in again, open the link once, and let the browser keep cookies of the gateway" });
    }
    return request;
  }

  async function save({ item, clientRedirectUrl }: Request, record: ConsoleLoginRecord): Promise<Request> {
    const [saved] = await store.transact([{ op: "put", kind, name: item.name, value: JSON.stringify(record), secret: item.secret, expires: item.expires, expect: item.revision }]);
    if (!saved) throw new GatehouseError("internal", "the store kept no login");
    return { item: saved, record, clientRedirectUrl };
  }

  const spending = ({ item }: Request): Operation => ({ op: "delete", kind, name: item.name, expect: item.revision });

  async function spend(request: Request): Promise<void> {
    try {
      await store.transact([spending(request)]);
    } catch (error) {
      if (error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code)) throw unknownLogin();
      throw error;
    }
  }

  /** Takes the challenge out, so that no second answer to it counts. */
  async function takeChallenge(request: Request): Promise<{ readonly request: Request; readonly challenge: string }> {
    const { challenge, ...record } = request.record;
    if (!challenge) return { request, challenge: "" };
    return { request: await save(request, record), challenge: liveChallenge(challenge, clock.now()) };
  }

  return {
    async startConsole(given) {
      const { clientRedirectUrl, publicKey, ttl, compatibility, origin } = given;
      checkRequest(given);
      parseLoopback(clientRedirectUrl);
      count(origin.remoteAddress);
      const [base] = context.publicUrls();
      if (base === undefined) throw new GatehouseError("internal", "the gateway does not know its own address");
      const id = randomToken(random);
      const record: ConsoleLoginRecord = { publicKey, ttl, compatibility };
      await store.transact([{ op: "put", kind, name: digest(id), value: JSON.stringify(record), secret: JSON.stringify({ clientRedirectUrl }), expires: clock.now() + limits.loginTime, expect: "absent" }]);
      const page = new URL("/web/login", base);
      page.searchParams.set("id", id);
      return { redirectUrl: page.href };
    },

    async openConsole(id, cookies) {
      const request = await find(id);
      const name = cookieName(id);
      const { secondFactor, ...policy } = await readPolicy(context);
      const { totp: otp, webauthn } = acceptedKinds(secondFactor, partyOf(context, { secondFactor, ...policy }));
      const page = { factor: secondFactor === "off" ? "none" : secondFactor === "optional" ? "optional" : "required", otp, webauthn: webauthn && secondFactor !== "off" } as const;
      const known = cookies[name];
      const { cookieHash } = request.record;
      if (cookieHash !== undefined && known !== undefined && equalTexts(digest(known), cookieHash)) return { cookie: { name, value: known }, page };
      const refused = new GatehouseError("access_denied", "this login was opened in another browser already", { hint: "start again: tsh login" });
      if (cookieHash !== undefined) throw refused;
      const value = randomToken(random);
      try {
        await save(request, { ...request.record, cookieHash: digest(value) });
      } catch (error) {
        throw error instanceof GatehouseError && error.code === "compare_failed" ? refused : error;
      }
      return { cookie: { name, value }, page };
    },

    async chooseConnector(login, { kind: connectorKind, name, host }) {
      const request = await findOwn(login);
      const { publicKey, ttl, compatibility } = request.record;
      const started = await startSso({ kind: connectorKind, connectorId: name, host, clientRedirectUrl: request.clientRedirectUrl, publicKey, ttl, compatibility, origin: login.origin });
      await spend(request);
      return started;
    },

    async consoleKey(login, user) {
      const request = await findOwn(login);
      const policy = await readPolicy(context);
      const party = partyOf(context, policy);
      if (!party) throw new GatehouseError("bad_parameter", "this gateway is reached by an address, and security keys need a host name");
      const challenge = newChallenge(random, clock.now());
      const [{ factors }, key] = await Promise.all([loadFactors(store, user.slice(0, 256)), context.sharedKey()]);
      await save(request, { ...request.record, challenge });
      const keys = factors.devices.filter((device) => device.type === "webauthn").map(({ credentialId: id, transports }) => ({ id, transports }));
      return authenticationOptions(party, keys.length > 0 ? keys : [decoy(key, user)], challenge.value);
    },

    async finishConsole(login, { user, password, code, answer }) {
      const { request, challenge } = await takeChallenge(await findOwn(login));
      const { publicKey, ttl, compatibility } = request.record;
      const shown = { code, ...(answer === undefined ? {} : { assertion: { response: answer, challenge } }) };
      const response = await logInLocally(context, proof, { user, password, proof: shown, publicKey, ttl, compatibility, origin: login.origin, alongside: [spending(request)] });
      return { location: answerLocation(parseLoopback(request.clientRedirectUrl), "response", response, random), clearCookie: cookieName(login.id) };
    },

    async cancelConsole(login) {
      const request = await findOwn(login);
      await spend(request);
      const id = refusalId(random);
      const message = "the login was cancelled in the browser";
      try {
        await context.audit.emit(userLogin({ method: "local", error: message, id, origin: login.origin }));
      } catch (error) {
        context.logger.error({ id, error: errorMessage(error) }, "a cancelled login could not be audited");
      }
      return { location: answerLocation(parseLoopback(request.clientRedirectUrl), "error", { message, code: "access_denied", id }, random), clearCookie: cookieName(login.id) };
    },
  };
}
