import { GatehouseError, errorMessage, systemErrorCode } from "../../base/index.ts";
import { quote } from "../quote.ts";
import type { Libraries } from "./load.ts";

/** Whose login went wrong, for messages. */
export interface Whose {
  /** The connector's name. */
  readonly connector: string;
  /** `the provider of connector "okta"`. */
  readonly who: string;
}

/** The refusal of an ID token. `problem` goes on from "sent an ID token that". */
export function badToken(who: string, problem: string): GatehouseError {
  return new GatehouseError("access_denied", `${who} sent an ID token that ${problem}`, {
    hint: "log in again; if it stays so, an administrator looks at the connector and at its provider",
  });
}

function said(error: string, description: string | undefined): string {
  return description === undefined || description === "" ? quote(error) : `${quote(description)} (${quote(error)})`;
}

/** A refusal that came back with the browser (RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6). */
export function authorizationProblem({ connector, who }: Whose, error: string, description: string | undefined): GatehouseError {
  const message = `${who} refused the login: ${said(error, description)}`;
  switch (error) {
    case "access_denied":
      return new GatehouseError("access_denied", message, { hint: "log in again and agree, or ask an administrator of the provider for access" });
    case "login_required":
    case "interaction_required":
    case "consent_required":
    case "account_selection_required":
    case "unmet_authentication_requirements":
      return new GatehouseError("access_denied", message, { hint: "log in again" });
    case "server_error":
    case "temporarily_unavailable":
      return new GatehouseError("internal", message, { hint: "try again in a moment; if it stays so, tell an administrator of the provider" });
    default:
      return new GatehouseError("internal", message, { hint: `an administrator checks client_id, redirect_url, scope, prompt and acr_values of connector "${connector}" against what is registered at the provider` });
  }
}

/** A refusal of the token request (RFC 6749 §5.2). */
function tokenProblem({ connector, who }: Whose, error: string, description: string | undefined): GatehouseError {
  const message = `${who} refused the token request: ${said(error, description)}`;
  if (error === "invalid_grant") return new GatehouseError("access_denied", message, { hint: "log in again" });
  const hint = `an administrator checks client_id and client_secret of connector "${connector}"`;
  return new GatehouseError("internal", message, error === "invalid_client" || error === "unauthorized_client" ? { hint } : {});
}

interface Mismatch {
  readonly claim?: unknown;
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: { readonly alg?: unknown; readonly crit?: unknown };
}

const wrongClaims: Readonly<Record<string, string>> = {
  iss: "is from another issuer",
  aud: "is for another application",
  azp: "was issued to another application",
  nonce: "is for another login (nonce)",
  exp: "has expired",
  nbf: "is not valid yet (nbf)",
};

/** Every error in a chain of causes, outermost first. */
function chain(thrown: unknown): readonly unknown[] {
  const errors: unknown[] = [];
  for (let error = thrown; error !== undefined && errors.length < 10; error = error instanceof Error ? error.cause : undefined) errors.push(error);
  return errors;
}

function tokenMismatch(who: string, errors: readonly unknown[]): GatehouseError | undefined {
  for (const error of errors) {
    if (typeof error !== "object" || error === null || error instanceof Error) continue;
    const { claim, claims, header } = error as Mismatch;
    if (typeof claim === "string" && claims) {
      const value = claim === "iss" || claim === "aud" || claim === "azp" ? `: ${quote(JSON.stringify(claims[claim] ?? null))}` : "";
      return badToken(who, `${wrongClaims[claim] ?? `has a wrong ${quote(claim)}`}${value}`);
    }
    if (header?.crit !== undefined) return badToken(who, "has an extension that must be understood and is not (crit)");
    if (header) return badToken(who, `is signed by ${quote(JSON.stringify(header.alg ?? null))}, which does not count here`);
  }
  return undefined;
}

/** What `openid-client` threw, in words. A {@link GatehouseError} inside it is what it was about. */
export function explain({ client }: Libraries, whose: Whose, thrown: unknown): GatehouseError {
  const { who } = whose;
  const errors = chain(thrown);
  for (const error of errors) {
    if (error instanceof GatehouseError) return error;
    if (error instanceof client.AuthorizationResponseError) return authorizationProblem(whose, error.error, error.error_description);
    if (error instanceof client.ResponseBodyError) return tokenProblem(whose, error.error, error.error_description);
    if (error instanceof client.WWWAuthenticateChallengeError) return tokenProblem(whose, "invalid_client", `status ${String(error.status)}`);
  }
  const mismatch = tokenMismatch(who, errors);
  if (mismatch) return mismatch;
  // The library's own words: what a parser says may quote a token, and so may what hangs on an error.
  const words = errors.filter((error) => systemErrorCode(error)?.startsWith("OAUTH_")).map(errorMessage).at(-1) ?? "something unknown";
  if (/\bstate\b/.test(words)) return new GatehouseError("access_denied", `the answer of ${who} is not to this login (state)`, { hint: "log in again" });
  if (words.includes("response parameter")) {
    return new GatehouseError("access_denied", `the answer is not from ${who}, or not only: ${quote(words)}`, { hint: "log in again; if it stays so, somebody is mixing up providers: tell an administrator" });
  }
  if (words.includes("JWE")) return badToken(who, "is encrypted, which is not supported");
  if (words.includes("JWT") || words.includes("ID Token")) return badToken(who, `is not valid: ${quote(words)}`);
  return new GatehouseError("internal", `${who} answered in a way that cannot be used: ${quote(words)}`, { hint: "try again; if it stays so, tell an administrator" });
}
