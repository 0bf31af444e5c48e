import type { Condition, Operand } from "../resources/index.ts";
import type { RuleContext } from "./types.ts";

function field(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[key];
}

function resolve(operand: Operand, context: RuleContext): unknown {
  if ("literal" in operand) return operand.literal;
  if ("call" in operand) {
    const { resource } = context;
    return field(resource, "kind") === "cert_authority" ? field(field(resource, "spec"), "type") : "";
  }
  let value: unknown = { user: context.user, resource: context.resource, session: context.session };
  for (const key of operand.path) value = field(value, key);
  return value;
}

/** A value as text; what is missing is empty, what has no text (a list, a mapping) is undefined and equals nothing. */
function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  return typeof value === "boolean" || typeof value === "number" ? String(value) : undefined;
}

/** Whether a rule's `where` holds (reference §8.5). Only own properties are seen, and nothing is called. */
export function evaluate(condition: Condition, context: RuleContext): boolean {
  switch (condition.op) {
    case "and":
      return evaluate(condition.left, context) && evaluate(condition.right, context);
    case "or":
      return evaluate(condition.left, context) || evaluate(condition.right, context);
    case "not":
      return !evaluate(condition.operand, context);
    case "equals": {
      const left = textOf(resolve(condition.left, context));
      return left !== undefined && left === textOf(resolve(condition.right, context));
    }
    case "contains": {
      const list = resolve(condition.list, context);
      const item = textOf(resolve(condition.item, context));
      return Array.isArray(list) && item !== undefined && list.some((one) => textOf(one) === item);
    }
  }
}
