import { GatehouseError } from "../../base/index.ts";
import type { OidcConnector, Traits } from "../../resources/index.ts";
import { quote } from "../quote.ts";
import { claimAt, textsOf, type Person } from "./claims.ts";
import { oidcLimits } from "./limits.ts";

/** These are new with every login, and say nothing of the person. */
const passing = new Set(["nonce", "at_hash", "c_hash", "s_hash", "jti", "sid"]);
const traitName = /^[a-zA-Z/.0-9_:-]+$/;

/**
 * What the mapping and the roles see of a person's claims: those that are text or lists of text, and by their path the nested ones that the mapping names.
 * `email` is among them only where it is verified: a mapping of addresses would otherwise believe whatever somebody typed at the provider.
 * Throws `limit_exceeded` for a claim of too many values, or too many claims.
 */
export function attributesOf(connector: OidcConnector, who: string, person: Person): Traits {
  const named = connector.spec.claims_to_roles.map(({ claim }) => claim);
  const attributes = new Map<string, readonly string[]>();
  for (const name of [...Object.keys(person.claims), ...named]) {
    if (passing.has(name) || name === "__proto__" || (name === "email" && !person.emailVerified)) continue;
    const texts = textsOf(claimAt(person.claims, name));
    if (!texts || texts.length === 0 || attributes.has(name)) continue;
    const values = [...new Set(texts)].sort();
    if (values.length > oidcLimits.values) {
      throw new GatehouseError("limit_exceeded", `${who} sent ${String(values.length)} values of claim ${quote(name)}, and ${String(oidcLimits.values)} are the most`, {
        hint: "an administrator has the provider send only those that count here",
      });
    }
    attributes.set(name, values);
  }
  return Object.fromEntries(attributes);
}

/** The attributes that become traits: those whose names and values a user record takes. Throws `limit_exceeded` for too many. */
export function traitsOf(who: string, attributes: Traits): Traits {
  const traits = Object.entries(attributes).flatMap(([name, all]) => {
    const values = all.filter((value) => value.length <= oidcLimits.value);
    return values.length > 0 && name.length <= oidcLimits.name && traitName.test(name) ? [[name, values] as const] : [];
  });
  if (traits.length > oidcLimits.traits) {
    throw new GatehouseError("limit_exceeded", `${who} sent ${String(traits.length)} claims, and ${String(oidcLimits.traits)} are the most`, {
      hint: "an administrator has the provider send only those that count here",
    });
  }
  return Object.fromEntries(traits);
}
