import type { z } from "zod";
import { didYouMean, escapeLine } from "../base/index.ts";
import type { Path } from "./path.ts";
import type { Problem } from "./problem.ts";

type Issue = z.core.$ZodIssue;
const words: Readonly<Record<string, string>> = { string: "text", array: "a list", object: "a mapping", record: "a mapping", boolean: "true or false", number: "a number" };

/** A schema's issues in words, one per field. */
export function problemsOf(issues: readonly Issue[], value: unknown): Problem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue, value));
}

function problemsOfIssue(issue: Issue, value: unknown): Problem[] {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  const found = valueAt(value, path);
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = issue.message.split(" ");
      return issue.keys.map((key) => ({ path: [...path, key], at: "key", message: `unknown field${didYouMean(key, known) || `; known: ${known.join(", ")}`}` }));
    }
    case "invalid_type": {
      if (found === undefined) return [{ path, at: "value", message: "is missing" }];
      const wanted = words[issue.expected] ?? issue.expected;
      const quotes = issue.expected === "string" && (typeof found === "number" || typeof found === "boolean") ? "; put it in quotes" : "";
      return [{ path, at: "value", message: `must be ${wanted}, not ${describe(found)}${quotes}` }];
    }
    case "invalid_value": {
      const values = issue.values.map(String);
      if (found === undefined) return [{ path, at: "value", message: `is missing; one of: ${values.join(", ")}` }];
      return [{ path, at: "value", message: `must be ${values.length > 1 ? "one of: " : ""}${values.join(", ")}${typeof found === "string" ? didYouMean(found, values) : ""}` }];
    }
    case "invalid_key": {
      return [{ path, at: "key", message: issue.issues[0]?.message ?? issue.message }];
    }
    default:
      return [{ path, at: "value", message: escapeLine(issue.message) }];
  }
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "true or false";
  return typeof value === "object" ? "a mapping" : `a ${typeof value}`;
}
