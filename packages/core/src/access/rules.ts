import { escapeLine } from "../base/index.ts";
import { parseCondition, type Condition, type Role, type Rule } from "../resources/index.ts";
import { evaluate } from "./evaluate.ts";
import { nothingAllows, reasonIn } from "./reason.ts";
import type { Decision, RuleContext } from "./types.ts";

/** A rule ready to be asked. */
interface ReadyRule {
  readonly role: Role;
  readonly index: number;
  readonly resources: ReadonlySet<string>;
  readonly verbs: ReadonlySet<string>;
  /** `broken` where it could not be read. */
  readonly where: Condition | "broken" | undefined;
}

type Side = "allow" | "deny";

/** Kinds that `auth_connector` stands for (reference §9.3). */
const connectorKinds = new Set(["github", "oidc", "saml"]);

const parsed = new WeakMap<Rule, Condition | "broken">();

function conditionOf(rule: Rule): Condition | "broken" | undefined {
  if (rule.where === undefined || rule.where === "") return undefined;
  let condition = parsed.get(rule);
  if (condition === undefined) {
    try {
      condition = parseCondition(rule.where);
    } catch {
      // Roles are checked when they are written; a condition that came another way never allows and always denies.
      condition = "broken";
    }
    parsed.set(rule, condition);
  }
  return condition;
}

function ready(roles: readonly Role[], side: Side): ReadyRule[] {
  return roles.flatMap((role) =>
    role.spec[side].rules.map((rule, index) => ({ role, index, resources: new Set(rule.resources), verbs: new Set(rule.verbs), where: conditionOf(rule) })),
  );
}

function namesKind(rule: ReadyRule, kind: string): boolean {
  return rule.resources.has(kind) || rule.resources.has("*") || (connectorKinds.has(kind) && rule.resources.has("auth_connector"));
}

/** Reading includes reading without secrets: who may the former may the latter, and who may not the latter may not the former. */
function namesVerb(rule: ReadyRule, verb: string, side: Side): boolean {
  if (rule.verbs.has(verb) || rule.verbs.has("*")) return true;
  return side === "allow" ? verb === "readnosecrets" && rule.verbs.has("read") : (verb === "readnosecrets" && rule.verbs.has("read")) || (verb === "read" && rule.verbs.has("readnosecrets"));
}

function holds(rule: ReadyRule, context: RuleContext, side: Side): boolean {
  if (rule.where === undefined) return true;
  return rule.where === "broken" ? side === "deny" : evaluate(rule.where, context);
}

/** Whether it holds for one thing or another: an allow rule that can be read for some, a deny rule without a condition for all. */
function mayHold({ where }: ReadyRule, side: Side): boolean {
  return side === "allow" ? where !== "broken" : where === undefined || where === "broken";
}

/**
 * Decides verbs on kinds: any deny rule that matches refuses, else any allow rule that matches allows (reference §8.4). Without a context:
 * whether there can be anything of that kind for which it is so.
 */
export function ruleDecider(roles: readonly Role[]): (kind: string, verb: string, context: RuleContext | undefined) => Decision {
  const deny = ready(roles, "deny");
  const allow = ready(roles, "allow");
  return (kind, verb, context) => {
    const find = (rules: readonly ReadyRule[], side: Side): ReadyRule | undefined =>
      rules.find((rule) => namesKind(rule, kind) && namesVerb(rule, verb, side) && (context === undefined ? mayHold(rule, side) : holds(rule, context, side)));
    const what = `${escapeLine(verb)} ${escapeLine(kind)}`;
    const refusal = find(deny, "deny");
    if (refusal) {
      const text = `role ${refusal.role.metadata.name} denies to ${what}`;
      return { allowed: false, reasons: [reasonIn(refusal.role, "deny", ["spec", "deny", "rules", refusal.index], text)] };
    }
    const grant = find(allow, "allow");
    if (!grant) return { allowed: false, reasons: [nothingAllows(`access denied to perform action "${escapeLine(verb)}" on "${escapeLine(kind)}": no role allows it`)] };
    return { allowed: true, reasons: [reasonIn(grant.role, "allow", ["spec", "allow", "rules", grant.index], `role ${grant.role.metadata.name} allows to ${what}`)] };
  };
}
