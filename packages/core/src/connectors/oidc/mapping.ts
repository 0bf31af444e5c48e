import { GatehouseError } from "../../base/index.ts";
import { mapAttributes, type OidcConnector, type Traits } from "../../resources/index.ts";
import { quote } from "../quote.ts";
import { ruleOutcomes } from "../rule-outcomes.ts";
import type { Mapping } from "../types.ts";
import { claimAt, type Person } from "./claims.ts";
import { traitsOf } from "./traits.ts";

const maxNamed = 10;

function some(items: readonly string[]): string {
  const unique = [...new Set(items)];
  const rest = unique.length - maxNamed;
  return rest > 0 ? `${unique.slice(0, maxNamed).join(", ")} and ${String(rest)} more` : unique.join(", ");
}

/** The roles and traits of a person. `name` is what the person is called, for the message where nothing is given. */
export function mapClaims(connector: OidcConnector, who: string, name: string, person: Person, attributes: Traits): Mapping {
  const mappings = connector.spec.claims_to_roles.map(({ claim, value, roles }) => ({ name: claim, value, roles }));
  const mapped = mapAttributes(mappings, attributes);
  const roles = [...new Set(mapped.roles)].sort();
  const problems = mapped.rules.flatMap((rule) => rule.problems);
  return { roles, traits: traitsOf(who, attributes), rules: ruleOutcomes(mappings, mapped), problem: roles.length > 0 ? undefined : nothing(connector, who, name, person, attributes, problems) };
}

function nothing(connector: OidcConnector, who: string, name: string, person: Person, attributes: Traits, problems: readonly string[]): GatehouseError {
  const { claims_to_roles: rules } = connector.spec;
  const connectorName = connector.metadata.name;
  if (rules.length === 0) return new GatehouseError("access_denied", `connector "${connectorName}" maps no claim`, { hint: "an administrator adds claims_to_roles to it" });
  const mapped = some(rules.map(({ claim, value }) => quote(`${claim} = ${value}`)));
  const came = [...new Set(rules.map(({ claim }) => claim))].map((claim) => `${quote(claim)}: ${valuesInWords(claim, person, attributes)}`);
  const others = Object.keys(attributes).filter((claim) => !rules.some((rule) => rule.claim === claim));
  const beside = others.length > 0 ? `; beside that it sent ${some(others.map(quote))}` : "";
  const why = problems.length > 0 ? `; ${some(problems)}` : "";
  return new GatehouseError("access_denied", `${quote(name)} has no role: no claim is one that connector "${connectorName}" maps (${mapped})`, {
    hint: `${who} sent ${came.join("; ")}${beside}${why}; ask an administrator to map one of them`,
  });
}

/** What came of a claim that the mapping names. */
function valuesInWords(claim: string, person: Person, attributes: Traits): string {
  const values = Object.hasOwn(attributes, claim) ? (attributes[claim] ?? []) : [];
  if (values.length > 0) return some(values.map(quote));
  if (claim === "email" && !person.emailVerified && person.claims["email"] !== undefined) return "not verified, so it does not count";
  if (claimAt(person.claims, `_claim_names.${claim}`) !== undefined) return "too many to be sent (the provider left them out)";
  return claimAt(person.claims, claim) === undefined ? "nothing" : "no text";
}
