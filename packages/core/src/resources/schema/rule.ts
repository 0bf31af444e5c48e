import type { z } from "zod";
import { didYouMean, escapeLine } from "../../base/index.ts";
import { parseAction, parseCondition } from "../where.ts";
import type { Rule } from "../types.ts";
import { attempt, compact, fields, list, readBy } from "./fields.ts";
import { ruleKinds, ruleVerbs } from "./kinds.ts";

function oneOf(what: string, known: readonly string[]): z.ZodType<string> {
  return readBy((value, fail) => {
    if (typeof value !== "string") {
      fail("must be text");
      return "";
    }
    if (!known.includes(value)) fail(`unknown ${what} "${escapeLine(value.slice(0, 80))}"${didYouMean(value, known) || `; known: ${known.join(", ")}`}`);
    return value;
  });
}

function expression(parse: (source: string) => unknown): z.ZodType<string | undefined> {
  return readBy((value, fail) => {
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") {
      fail("must be text; put it in quotes");
      return undefined;
    }
    attempt(fail, () => parse(value));
    return value;
  });
}

/** A kind that a rule may name. */
export const ruleKind = oneOf("resource", ruleKinds);

const rule = fields({
  resources: list(ruleKind),
  verbs: list(oneOf("verb", ruleVerbs)),
  where: expression(parseCondition),
  actions: list(expression(parseAction)),
}).transform(({ actions, ...rest }): Rule => {
  const kept = actions.filter((action) => action !== undefined);
  return compact({ ...rest, actions: kept.length > 0 ? kept : undefined });
});

/** Admin rules of one half of a role; what they lack is told in v3's words (reference §8.3). */
export function rules(side: "allow" | "deny"): z.ZodType<readonly Rule[]> {
  return list(rule).superRefine((given, context) => {
    for (const [index, one] of given.entries()) {
      const head = `failed to process '${side}' rule ${index}`;
      if (one.resources.length === 0) context.addIssue({ code: "custom", path: [index], message: `${head}: missing resources to match` });
      if (one.verbs.length === 0) context.addIssue({ code: "custom", path: [index], message: `${head}: missing verbs` });
    }
  });
}
