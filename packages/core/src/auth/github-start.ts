import { GatehouseError, addressKey, createRateLimiter, limits } from "../base/index.ts";
import { callbackUrl } from "../connectors/index.ts";
import type { Context } from "./context.ts";
import { bindRequest, codeChallenge, cookieName, equalTexts, findRequest, randomToken, saveRequest, stateOf } from "./github-request.ts";
import { checkRequest } from "./issue.ts";
import { parseLoopback } from "./loopback.ts";
import { digest } from "./records.ts";
import type { Logins, SsoStart } from "./types.ts";

/** Logins that one gateway begins within the time that one may take. */
const maxUnderWay = 4096;
/** Of these, for one address: an office behind one, but not everybody's. */
const maxForAddress = 128;

/** Counts what began within the last 180 s. Throws `limit_exceeded` over the limit of all, or of the address (`ip:port`). */
function createCounter(context: Context): (address: string) => void {
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

/** The first two steps of a GitHub login: the terminal asks, the browser comes. */
export function createGithubStart(context: Context): Pick<Logins, "startGithub" | "openGithub"> {
  const count = createCounter(context);

  return {
    async startGithub(request): Promise<SsoStart> {
      const { clientRedirectUrl, publicKey, connectorId, ttl, compatibility } = request;
      if (clientRedirectUrl === "") throw new GatehouseError("bad_parameter", "missing redirect_url");
      if (publicKey === "") throw new GatehouseError("bad_parameter", "missing public_key");
      if (connectorId === "") throw new GatehouseError("bad_parameter", "missing connector_id");
      checkRequest(request);
      parseLoopback(clientRedirectUrl);
      const { connector } = await context.github.find(connectorId);
      count(request.origin.remoteAddress);
      const loginId = await saveRequest(context, { connector: connectorId, publicKey, ttl, compatibility }, { verifier: randomToken(context.random), clientRedirectUrl });
      // The browser must meet the cookie's host again at the callback, so this is the host of the callback.
      const open = new URL("/v1/webapi/github/login/open", callbackUrl(connector));
      open.searchParams.set("id", loginId);
      return { redirectUrl: open.href };
    },

    async openGithub(loginId, _origin, cookies = {}) {
      const state = stateOf(loginId);
      const request = await findRequest(context, state);
      const { client } = await context.github.find(request.record.connector);
      const name = cookieName(state);
      const location = client.authorizeUrl({ state, codeChallenge: codeChallenge(request.secret.verifier) });
      const { cookieHash } = request.record;
      const known = cookies[name];
      if (cookieHash !== undefined && known !== undefined && equalTexts(digest(known), cookieHash)) return { cookie: { name, value: known }, location };
      const refused = new GatehouseError("access_denied", "this login was opened in another browser already", { hint: "start again: tsh login" });
      if (cookieHash !== undefined) throw refused;
      const value = randomToken(context.random);
      try {
        await bindRequest(context, request, value);
      } catch (error) {
        throw error instanceof GatehouseError && error.code === "compare_failed" ? refused : error;
      }
      return { cookie: { name, value }, location };
    },
  };
}
