import type { AttributeMapping, MappedRoles } from "../resources/index.ts";
import type { RuleOutcome } from "./types.ts";

/** What is told of each rule: the roles that it gave, or, where it did not match, those that it gives others, as they are written. */
export function ruleOutcomes(mappings: readonly AttributeMapping[], { rules }: MappedRoles): readonly RuleOutcome[] {
  return rules.map(({ name, value, matched, roles }, index) => ({
    rule: `${name} = ${value}`,
    matched,
    gives: (matched ? roles : (mappings[index]?.roles ?? [])).map((role) => `role ${role}`),
  }));
}
