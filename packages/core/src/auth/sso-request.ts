import { createHash, timingSafeEqual } from "node:crypto";
import { GatehouseError, limits, type Random } from "../base/index.ts";
import type { StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { digest, kinds, readRecord, ssoRequestRecord, ssoRequestSecret, type SsoRequestRecord, type SsoRequestSecret } from "./records.ts";

/** A login through a connector that is under way. */
export interface SsoRequest {
  readonly item: StoredItem;
  readonly record: SsoRequestRecord;
  readonly secret: SsoRequestSecret;
}

const kind = kinds.ssoRequest;
const token = (random: Random): string => Buffer.from(random(32)).toString("base64url");

/** 32 random bytes as 43 characters of base64url. */
export const randomToken = token;

/**
 * The state of a login (RFC 6749 §4.1.1, SAML's RelayState). The id comes to the terminal first and the state only to the browser and the provider; the state follows from the
 * id and does not lead back to it.
 */
export function stateOf(loginId: string): string {
  return createHash("sha256").update("gatehouse sso state\0").update(loginId).digest("base64url");
}

/** Name of the cookie that binds a login to the browser that opened it; several logins of one browser do not meet. */
export function cookieName(state: string): string {
  return `__Host-gatehouse-login-${digest(`cookie\0${state}`).slice(0, 16)}`;
}

/** Whether two texts are equal, in time that tells nothing of either. */
export function equalTexts(a: string, b: string): boolean {
  return timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());
}

/** Stores a new login for 180 s. Returns its id. */
export async function saveRequest(context: Context, record: SsoRequestRecord, secret: SsoRequestSecret): Promise<string> {
  const { store, random, clock } = context;
  const loginId = token(random);
  await store.transact([
    { op: "put", kind, name: digest(stateOf(loginId)), value: JSON.stringify(record), secret: JSON.stringify(secret), expires: clock.now() + limits.loginTime, expect: "absent" },
  ]);
  return loginId;
}

/** Whether a text could be the state of a login that began here. */
export function isState(text: string | undefined): text is string {
  return text !== undefined && /^[A-Za-z0-9_-]{43}$/.test(text);
}

/** The login under way with this state. Throws `access_denied` for none: unknown, used, or too old. */
export async function findRequest(context: Context, state: string | undefined): Promise<SsoRequest> {
  const item = isState(state) ? await context.store.get(kind, digest(state)) : undefined;
  if (!item) throw unknownLogin();
  return { item, record: readRecord(ssoRequestRecord, item), secret: readRecord(ssoRequestSecret, item, item.secret ?? "") };
}

/** Marks the login as opened by the browser with this cookie. Throws `compare_failed` where somebody was faster. */
export async function bindRequest(context: Context, request: SsoRequest, cookie: string): Promise<void> {
  const { item, record } = request;
  const bound: SsoRequestRecord = { ...record, cookieHash: digest(cookie) };
  await context.store.transact([{ op: "put", kind, name: item.name, value: JSON.stringify(bound), secret: item.secret, expires: item.expires, expect: item.revision }]);
}

/** Uses the login up: exactly one caller gets past this. Throws `access_denied` for the others. */
export async function spendRequest(context: Context, request: SsoRequest): Promise<void> {
  try {
    await context.store.transact([{ op: "delete", kind, name: request.item.name, expect: request.item.revision }]);
  } catch (error) {
    if (error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code)) throw unknownLogin();
    throw error;
  }
}

export function unknownLogin(): GatehouseError {
  return new GatehouseError("access_denied", "this login is not known: it was used already, or is older than three minutes", { hint: "start again: tsh login" });
}
