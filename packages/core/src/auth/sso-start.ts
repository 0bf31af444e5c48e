import { GatehouseError, addressKey, createRateLimiter, limits } from "../base/index.ts";
import { callbackUrl } from "../connectors/index.ts";
import type { Context } from "./context.ts";
import { checkRequest } from "./issue.ts";
import { parseLoopback } from "./loopback.ts";
import { digest, type SsoPurpose } from "./records.ts";
import { createSsoRefusal } from "./sso-refusal.ts";
import { bindRequest, cookieName, equalTexts, findRequest, randomToken, saveRequest, spendRequest, stateOf } from "./sso-request.ts";
import type { Connector } from "../resources/index.ts";
import { withProvider } from "./sso-under-way.ts";
import type { Logins, SsoStart } from "./types.ts";

/** Logins that one gateway begins within the time that one may take. */
const maxUnderWay = 4096;
/** Of these, for one address: an office behind one, but not everybody's. */
const maxForAddress = 128;

/** Counts a login that begins, for the address (`ip:port`) that it comes from. Throws `limit_exceeded`. */
export type LoginCounter = (address: string) => void;

/** Where the browser opens a login. It must meet the cookie's host again at the callback, so this is the host of the callback. */
export function openAddress(kind: Connector["kind"], callback: string, loginId: string): string {
  const open = new URL(`/v1/webapi/${kind}/login/open`, callback);
  open.searchParams.set("id", loginId);
  return open.href;
}

/** Counts what began within the last 180 s. Throws `limit_exceeded` over the limit of all, or of the address (`ip:port`). */
export function createLoginCounter(context: Pick<Context, "clock">): LoginCounter {
  const byAddress = createRateLimiter({ burst: maxForAddress, perSecond: (maxForAddress / limits.loginTime) * 1000, keys: 10_000 }, context.clock);
  let begun: number[] = [];
  return (address) => {
    if (byAddress.take(addressKey(address)) > 0) throw new GatehouseError("limit_exceeded", "too many logins from your address are under way", { hint: "try again in a minute" });
    const now = context.clock.now();
    if ((begun[0] ?? now) <= now - limits.loginTime) begun = begun.filter((time) => time > now - limits.loginTime);
    if (begun.length >= maxUnderWay) throw new GatehouseError("limit_exceeded", "too many logins are under way", { hint: "try again in a minute" });
    begun.push(now);
  };
}

/** Who wants to be sent to which provider. */
export type SsoWish = Pick<Parameters<Logins["startSso"]>[0], "kind" | "connectorId" | "host" | "origin">;

/** Begins a login through a connector, for whatever purpose. Returns where the browser goes. */
export type BeginSso = (wish: SsoWish, purpose: SsoPurpose, clientRedirectUrl?: string) => Promise<SsoStart>;

/** One beginning for all purposes, so that they are counted together. */
export function createSsoBegin(context: Context, count: LoginCounter): BeginSso {
  return async ({ kind, connectorId, host, origin }, purpose, clientRedirectUrl) => {
    const { connector } = await context.providers.find(kind, connectorId);
    count(origin.remoteAddress);
    const callback = callbackUrl(connector, host);
    const loginId = await saveRequest(context, { kind, connector: connectorId, callbackUrl: callback, purpose }, { verifier: randomToken(context.random), clientRedirectUrl });
    return { redirectUrl: openAddress(kind, callback, loginId) };
  };
}

/** The first two steps of a login through a connector: the terminal asks, the browser comes. */
export function createSsoStart(context: Context, begin: BeginSso): Pick<Logins, "startSso" | "openSso"> {
  const { tellTerminal } = createSsoRefusal(context);

  return {
    async startSso(request): Promise<SsoStart> {
      const { clientRedirectUrl, publicKey, connectorId, ttl, compatibility } = request;
      if (clientRedirectUrl === "") throw new GatehouseError("bad_parameter", "missing redirect_url");
      if (publicKey === "") throw new GatehouseError("bad_parameter", "missing public_key");
      if (connectorId === "") throw new GatehouseError("bad_parameter", "missing connector_id");
      checkRequest(request);
      parseLoopback(clientRedirectUrl);
      return begin(request, { type: "certificates", publicKey, ttl, compatibility }, clientRedirectUrl);
    },

    async openSso(loginId, origin, cookies = {}) {
      const state = stateOf(loginId);
      const request = await findRequest(context, state);
      const { kind, cookieHash, callbackUrl: callback } = request.record;
      const name = cookieName(state);
      const known = cookies[name];
      const isSame = cookieHash !== undefined && known !== undefined && equalTexts(digest(known), cookieHash);
      const refused = new GatehouseError("access_denied", "this login was opened in another browser already", { hint: "start again: tsh login" });
      if (cookieHash !== undefined && !isSame) throw refused;
      let location: string;
      try {
        location = await withProvider(context, request, ({ provider }) => provider.authorizeUrl({ state, codeVerifier: request.secret.verifier, callbackUrl: callback }));
      } catch (thrown) {
        // The terminal waits for an end: it has one now.
        await spendRequest(context, request);
        return { location: await tellTerminal(request, undefined, thrown, origin) };
      }
      // SAML's answer is a form that the provider's page posts: browsers send no other cookie with it.
      const crossSite = kind === "saml";
      if (isSame) return { cookie: { name, value: known, crossSite }, location };
      const value = randomToken(context.random);
      try {
        await bindRequest(context, request, value);
      } catch (error) {
        throw error instanceof GatehouseError && error.code === "compare_failed" ? refused : error;
      }
      return { cookie: { name, value, crossSite }, location };
    },
  };
}
