import { GatehouseError } from "../../base/index.ts";
import { nameProblem, reservedNameProblem, type OidcConnector } from "../../resources/index.ts";
import { quote } from "../quote.ts";
import type { Claims } from "./id-token.ts";

/** What a provider says of a person. */
export interface Person {
  /** `sub`. */
  readonly subject: string;
  /** Of the ID token and, where that is silent, of userinfo. */
  readonly claims: Claims;
  /** Whether `email` may be believed. */
  readonly emailVerified: boolean;
}

/** Tokens have no business among claims; they are neither shown nor kept. */
const tokenName = /(?:^|[_.-])tokens?$/i;

function withoutTokens(claims: Claims): [string, unknown][] {
  return Object.entries(claims).filter(([name]) => !tokenName.test(name));
}

/** Puts both sources together: the ID token wins. `email_verified` counts for the address that it came with alone. */
export function mergeClaims(idToken: Claims, userinfo: Claims | undefined): Person {
  const claims: Claims = Object.fromEntries([...withoutTokens(userinfo ?? {}), ...withoutTokens(idToken)]);
  const sources = [idToken, ...(userinfo ? [userinfo] : [])].filter((source) => source["email_verified"] !== undefined);
  const vouching = sources.find((source) => source["email"] === claims["email"]);
  // A "no" about this address in the ID token stands, whatever userinfo says.
  const emailVerified = typeof claims["email"] === "string" && vouching?.["email_verified"] === true;
  return { subject: String(idToken["sub"]), claims, emailVerified };
}

/**
 * A claim by its name, or by a path into nested ones with a dot between (`realm_access.roles`); undefined where there is none. A claim of that very name
 * comes first: names of claims may be addresses.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  let value: unknown = claims;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return undefined;
    value = (value as Claims)[name];
  }
  return value;
}

/** The text or the texts of a claim; undefined for everything else. Empty ones are none. */
export function textsOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return value === "" ? [] : [value];
  if (!Array.isArray(value)) return undefined;
  const texts = value.filter((item): item is string => typeof item === "string");
  return texts.length === value.length ? texts.filter((text) => text !== "") : undefined;
}

/** Checks that the person was authenticated as asked. Throws `access_denied`. Looks at the ID token alone: userinfo knows nothing of this login. */
export function checkAcr(connector: OidcConnector, who: string, idToken: Claims): void {
  const { acr_values: wanted, provider } = connector.spec;
  if (wanted === undefined) return;
  const acr = provider === "netiq" ? claimAt(idToken, "acr.values") : idToken["acr"];
  const given = textsOf(acr) ?? [];
  const accepted = [wanted, ...wanted.split(" ")];
  if (given.some((value) => accepted.includes(value))) return;
  const what = given.length === 0 ? "says nothing of how (acr)" : `says acr ${quote(given.join(", "))}`;
  throw new GatehouseError("access_denied", `connector "${connector.metadata.name}" demands a login with acr ${quote(wanted)}, and ${who} ${what}`, {
    hint: "log in again in the way that is asked for, such as with a second factor",
  });
}

/** What the person is called. Throws `access_denied` where the claim is missing, not verified, or no name that a user may have. */
export function usernameOf(connector: OidcConnector, who: string, { claims, emailVerified }: Person): string {
  const { name } = connector.metadata;
  const claim = connector.spec.username_claim ?? "email";
  const value = claimAt(claims, claim);
  if (typeof value !== "string" || value === "") {
    throw new GatehouseError("access_denied", `${who} sent no claim ${quote(claim)} to call the person by`, {
      hint: `an administrator has the provider send it, or names another in username_claim of connector "${name}"`,
    });
  }
  if (claim === "email" && !emailVerified) {
    const state = claims["email_verified"] === false ? "says that the address is not verified" : "does not say that the address is verified (email_verified)";
    throw new GatehouseError("access_denied", `${quote(value)} may be anybody's: ${who} ${state}`, {
      hint: `verify the address at the provider; where it never says so, an administrator names another claim in username_claim of connector "${name}", such as preferred_username or upn`,
    });
  }
  const problem = nameProblem(value) ?? (value.includes("/") ? 'must not have "/"' : undefined) ?? (/^system:/i.test(value) ? 'must not begin with "system:"' : undefined) ?? reservedNameProblem(value);
  if (problem !== undefined) {
    throw new GatehouseError("access_denied", `${quote(value)}, claim ${quote(claim)} of ${who}, is no name that a user may have: it ${problem}`, {
      hint: `an administrator names another claim in username_claim of connector "${name}"`,
    });
  }
  return value;
}
