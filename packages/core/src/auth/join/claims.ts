import { JoinRefused } from "../../connectors/index.ts";
import { escapeLine } from "../../base/index.ts";
import { compileClaimValue, parsePath, type JoinMethod, type JoinRule } from "../../resources/index.ts";

/** Verified claims of a JWT. */
export type Claims = Readonly<Record<string, unknown>>;

const maxShown = 200;
const maxTold = 5;

/** A claim's texts: a list has several, what is neither text, number nor truth value none. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number" || typeof value === "boolean") return [String(value)];
  return Array.isArray(value) ? value.slice(0, 1000).flatMap((item) => (Array.isArray(item) ? [] : textsOf(item))) : [];
}

function atPath(claims: unknown, path: readonly (string | number)[]): unknown {
  let value = claims;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[part];
  }
  return value;
}

/** What a job's claims say for a key of a rule. */
function valuesOf(method: JoinMethod, key: string, claims: Claims): readonly string[] {
  if (method === "oidc") return textsOf(atPath(claims, parsePath(key) ?? [key]));
  const own = (name: string): readonly string[] => (Object.hasOwn(claims, name) ? textsOf(claims[name]) : []);
  if (key === "service_account") return own("sub").flatMap((sub) => /^system:serviceaccount:([^:]+:[^:]+)$/.exec(sub)?.[1] ?? []);
  if (key !== "branch") return own(key);
  // GitHub's ref has its kind in front, GitLab's has not; a tag may be called as a branch is.
  if (!own("ref_type").includes("branch")) return [];
  return own("ref").map((ref) => ref.replace(/^refs\/heads\//, ""));
}

/** The rule of a token that a job satisfies. */
export interface MatchedRule {
  readonly index: number;
  /** What the job says for each key of the rule. */
  readonly claims: Readonly<Record<string, readonly string[]>>;
}

const shown = (values: readonly string[]): string => (values.length === 0 ? "is missing" : `is ${values.slice(0, 3).map((value) => `"${escapeLine(value.slice(0, maxShown))}"`).join(", ")}`);

/** The first rule that the claims satisfy. Throws {@link JoinRefused}, naming for each rule the first key that failed and what the job says there. */
export function matchRules(method: JoinMethod, rules: readonly JoinRule[], claims: Claims): MatchedRule {
  const failures: { readonly rule: string; readonly text: string }[] = [];
  for (const [index, rule] of rules.entries()) {
    const said = Object.fromEntries(Object.keys(rule).map((key) => [key, valuesOf(method, key, claims)]));
    const failed = Object.entries(rule).find(([key, wanted]) => !wanted.some((value) => said[key]?.some((text) => compileClaimValue(value).match(text) !== undefined)));
    if (!failed) return { index, claims: said };
    failures.push({ rule: `allow[${index}].${failed[0]}`, text: `${failed[0]} ${shown(said[failed[0]] ?? [])} (rule ${index + 1})` });
  }
  const told = failures.slice(0, maxTold).map(({ text }) => text);
  const more = failures.length > maxTold ? `; and ${failures.length - maxTold} more rules` : "";
  throw new JoinRefused(failures.map(({ rule }) => rule).slice(0, maxTold).join(", "), `this job may not join with this token: ${told.join("; ")}${more}`, { hint: "the token's rules say which jobs may: tctl get tokens" });
}

/** Claims that say whose job it was, for the audit log: the usual ones, cut short. */
export function auditedClaims(claims: Claims): Readonly<Record<string, string>> {
  const names = ["iss", "sub", "jti", "repository", "ref", "workflow", "run_id", "actor", "environment", "project_path", "pipeline_id", "job_id", "user_login"];
  return Object.fromEntries(names.flatMap((name) => (Object.hasOwn(claims, name) ? textsOf(claims[name]).slice(0, 1).map((text) => [name, text.slice(0, maxShown)] as const) : [])));
}
