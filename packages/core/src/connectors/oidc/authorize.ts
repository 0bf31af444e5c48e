import { createHash } from "node:crypto";
import type { OidcConnector } from "../../resources/index.ts";
import { codeChallenge } from "../oauth.ts";
import type { LoginRequest } from "../types.ts";

/** The nonce of a login: made from its state, which only the login's own browser has, so that nothing else need be kept. */
export function nonceOf(state: string): string {
  return createHash("sha256").update("oidc nonce\0").update(state).digest("base64url");
}

/** The callback as both requests name it: its address without a query. */
export function redirectUri(callbackUrl: string): string {
  const url = new URL(callbackUrl);
  url.search = "";
  url.hash = "";
  return url.href;
}

/** `openid` and `email` first. AD FS puts a person's claims into the ID token only where `allatclaims` is asked for. */
function scopes({ spec }: OidcConnector): string {
  return [...new Set(["openid", "email", ...(spec.provider === "adfs" ? ["allatclaims"] : []), ...spec.scope])].join(" ");
}

/** AD FS knows `login` and `none` alone, and takes anything else for an error. */
function promptOf({ spec }: OidcConnector): string {
  return spec.provider === "adfs" && spec.prompt === "select_account" ? "" : spec.prompt;
}

/** The parameters of an authorization request (OpenID Connect Core §3.1.2.1, RFC 7636), but for the client's id and the type of response. */
export function authorizationParameters(connector: OidcConnector, request: LoginRequest): Record<string, string> {
  const prompt = promptOf(connector);
  const { acr_values } = connector.spec;
  return {
    redirect_uri: redirectUri(request.callbackUrl),
    scope: scopes(connector),
    state: request.state,
    nonce: nonceOf(request.state),
    code_challenge: codeChallenge(request.codeVerifier),
    code_challenge_method: "S256",
    ...(prompt === "" ? {} : { prompt }),
    ...(acr_values === undefined ? {} : { acr_values }),
  };
}
