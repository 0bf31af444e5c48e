import { GatehouseError } from "../../base/index.ts";
import { mapAttributes, type SamlConnector } from "../../resources/index.ts";
import { quote } from "../quote.ts";
import { ruleOutcomes } from "../rule-outcomes.ts";
import type { Mapping } from "../types.ts";
import type { SamlPerson } from "./person.ts";

const maxNamed = 10;

/** Roles of a person by the connector's `attributes_to_roles`; the traits are the attributes. */
export function mapPerson(connector: SamlConnector, person: SamlPerson): Mapping {
  const mappings = connector.spec.attributes_to_roles;
  const mapped = mapAttributes(mappings, person.attributes);
  const { roles, rules } = mapped;
  return {
    roles: [...roles].sort(),
    traits: person.attributes,
    rules: ruleOutcomes(mappings, mapped),
    problem: roles.length > 0 ? undefined : noRoles(connector, person, rules.flatMap((rule) => rule.problems)),
  };
}

function noRoles(connector: SamlConnector, person: SamlPerson, problems: readonly string[]): GatehouseError {
  const { name } = connector.metadata;
  const [problem] = problems;
  if (connector.spec.attributes_to_roles.length === 0) return new GatehouseError("access_denied", `connector "${name}" maps no attribute to a role`, { hint: "an administrator adds attributes_to_roles to it" });
  const names = Object.keys(person.attributes);
  const received = names.slice(0, maxNamed).map((attribute) => quote(attribute)).join(", ") + (names.length > maxNamed ? ` and ${names.length - maxNamed} more` : "");
  return new GatehouseError("access_denied", `no attribute of ${quote(person.name)} gives a role by connector "${name}"${problem === undefined ? "" : `: ${problem}`}`, {
    hint: names.length === 0 ? "the provider sent no attribute: an administrator lets it send some, such as the groups" : `the provider sent: ${received}; tctl sso test ${name} shows the values`,
  });
}
