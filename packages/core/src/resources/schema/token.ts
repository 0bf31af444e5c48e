import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import { compileClaimValue } from "../claim-value.ts";
import { isHostToken, isSecretName, jobMethods, joinMethods, type JobMethod } from "../join-methods.ts";
import { parsePath } from "../path.ts";
import { hiddenName } from "../redact.ts";
import type { JoinRule, KeySet, ProvisionToken } from "../types.ts";
import { optionalAddress } from "./address.ts";
import { attempt, compact, fields, list, readBy, text, type Fail } from "./fields.ts";
import { systemRoles } from "./kinds.ts";
import { metadata, nameProblem, word } from "./metadata.ts";

const maxRules = 100;
const maxValues = 100;
const maxKeys = 50;
const maxUses = 100_000;
/** A guess at a secret name must be hopeless. */
const leastSecret = 16;
/** Each form that claims have, of a name and a number: `sub` as GitHub, GitLab and Kubernetes write it, `service_account`, paths, names, ids. */
const forms: readonly ((name: string, id: string) => string)[] = [
  (name) => name,
  (_, id) => id,
  (name) => `${name}/${name}`,
  (name) => `${name}:${name}`,
  (name) => `repo:${name}/${name}:ref:refs/heads/main`,
  (name) => `repo:${name}/${name}:environment:production`,
  (name) => `repo:${name}/${name}:pull_request`,
  (name) => `project_path:${name}/${name}:ref_type:branch:ref:main`,
  (name) => `system:serviceaccount:${name}:${name}`,
];
/** What no two jobs have in common: a value that matches both in one form matches everybody's. */
const strangers = [
  ["q7d1f0c2b9e-nobody", "9180273645463728191"],
  ["else-4e8a6x", "27364546372"],
] as const;

function readValues(key: string, given: unknown, fail: Fail): readonly string[] {
  const values: readonly unknown[] = Array.isArray(given) ? given : [given];
  if (values.length === 0 || values.length > maxValues) fail(`needs 1 to ${maxValues} values`, [key]);
  return values.slice(0, maxValues).map((value, index) => {
    const path = Array.isArray(given) ? [key, index] : [key];
    if (typeof value === "string") attempt(fail, () => compileClaimValue(value), path);
    else fail("must be text; put it in quotes", path);
    return typeof value === "string" ? value : "";
  });
}

/** The keys of one rule, whatever its method; {@link checkRule} looks at them. */
const rule: z.ZodType<JoinRule> = readBy((value, fail) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    fail("must be a mapping of what the JWT says to the values that it may have");
    return {};
  }
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > maxKeys) fail(`needs 1 to ${maxKeys} conditions`);
  return Object.fromEntries(entries.slice(0, maxKeys).map(([key, given]) => [key, readValues(key, given, fail)]));
});

function matchesAll(value: string): boolean {
  try {
    const { match } = compileClaimValue(value);
    return forms.some((form) => strangers.every(([name, id]) => match(form(name, id)) !== undefined));
  } catch (error) {
    // What cannot be compiled was told already.
    if (error instanceof GatehouseError) return false;
    throw error;
  }
}

/** What is wrong with a rule of this method, with the key concerned. */
function checkRule(given: JoinRule, { keys, anchors }: JobMethod, method: string): { readonly message: string; readonly key?: string } | undefined {
  for (const key of Object.keys(given)) {
    if (keys && !keys.includes(key)) return { message: `is nothing that a rule of ${method} asks for; known: ${keys.join(", ")}`, key };
    if (!keys && (parsePath(key) ?? []).length === 0) return { message: 'is no path of a claim, such as sub, realm_access.roles or ["kubernetes.io"].namespace', key };
  }
  if (anchors.length > 0 && !anchors.some((key) => Object.hasOwn(given, key))) return { message: `would let in anybody's job there: it needs ${anchors.slice(0, -1).join(", ")}${anchors.length > 1 ? " or " : ""}${anchors.at(-1) ?? ""}` };
  const open = (keys ? anchors : Object.keys(given)).filter((key) => Object.hasOwn(given, key));
  if (open.every((key) => given[key]?.some(matchesAll))) return { message: "would let in anybody's job there: it matches everything", key: open[0] ?? "" };
  return undefined;
}

const jwks: z.ZodType<KeySet | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null) return undefined;
  const { keys } = (typeof value === "object" ? value : {}) as { keys?: unknown };
  const isKey = (key: unknown): key is Record<string, unknown> => typeof key === "object" && key !== null && typeof (key as { kty?: unknown }).kty === "string";
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > 50 || !keys.every(isKey)) {
    fail("must be a set of public keys: {keys: [{kty: …, kid: …}, …]}");
    return undefined;
  }
  if (keys.some((key) => "d" in key || "k" in key)) fail("has a private key in it: the issuer's public keys are meant");
  return { keys };
});

/** Names that hosts may have, as globs. */
const hostPatterns: z.ZodType<readonly string[] | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null) return undefined;
  const patterns: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (patterns.length === 0 || patterns.length > maxValues) fail(`needs 1 to ${maxValues} patterns`);
  return patterns.slice(0, maxValues).map((pattern, index) => {
    const path = Array.isArray(value) ? [index] : [];
    if (typeof pattern !== "string" || !/^[a-z0-9*._:[\]-]{1,253}$/i.test(pattern)) fail("must be a host name or an address, in which * is anything", path);
    return typeof pattern === "string" ? pattern.toLowerCase() : "";
  });
});

/** Labels that a host gets, or may choose where the value has a `*` in it. */
const hostLabels: z.ZodType<Readonly<Record<string, string>> | undefined> = z
  .record(z.string().regex(/^[a-zA-Z/.0-9_:-]{1,256}$/, "may only have letters, digits and / . _ : -"), text(256))
  .nullish()
  .transform((value) => (value && Object.keys(value).length > 0 ? value : undefined));

const uses: z.ZodType<number | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= maxUses) return value;
  fail(`must be a whole number from 1 to ${maxUses}`);
  return undefined;
});

const optionalText = text(1024).nullish().transform((value) => value ?? undefined);

const spec = fields({
  roles: list(word(systemRoles)),
  join_method: readBy((value, fail) => {
    if (value === undefined || value === null || value === "") return undefined;
    const result = word(joinMethods).safeParse(value);
    if (!result.success) fail(result.error.issues[0]?.message ?? "is unknown");
    return result.data;
  }),
  bot_name: readBy((value, fail) => {
    if (value === undefined || value === null || value === "") return undefined;
    const name = typeof value === "string" ? value : "";
    const problem = name === "" ? "must be text; put it in quotes" : nameProblem(name);
    if (problem !== undefined) fail(problem);
    return name;
  }),
  issuer: optionalAddress,
  audience: optionalText,
  jwks,
  node_names: hostPatterns,
  node_addrs: hostPatterns,
  node_labels: hostLabels,
  uses,
  allow: z.array(rule).max(maxRules, `has more than ${maxRules} rules`).nullish().transform((rules) => (rules && rules.length > 0 ? rules : undefined)),
})
  .transform((given): ProvisionToken["spec"] => compact(given))
  .superRefine((given, context) => {
    const problem = (message: string, ...path: (string | number)[]): void => context.addIssue({ code: "custom", message, path });
    const { join_method: method, bot_name: bot, issuer, allow = [] } = given;
    if (isHostToken(given)) {
      for (const key of ["bot_name", "issuer", "audience", "jwks", "allow"] as const) if (given[key] !== undefined) problem("is for bots: this token lets hosts join", key);
      if (given.node_names === undefined) problem("is missing: what hosts that join with this token may be called, such as [web-*]", "node_names");
      return;
    }
    for (const key of ["node_names", "node_addrs", "node_labels", "uses"] as const) if (given[key] !== undefined) problem("goes together with roles: [Node] and join_method: token", key);
    if (method === undefined) {
      if (given.roles.length === 0) problem("needs roles, such as [Node], or join_method and bot_name");
      for (const key of ["bot_name", "issuer", "audience", "jwks", "allow"] as const) if (given[key] !== undefined) problem("goes together with join_method", key);
      return;
    }
    if (given.roles.length > 0) problem("are of the cluster's own machines: a bot has its roles itself", "roles");
    if (bot === undefined) problem("is missing: the bot that joins with this token", "bot_name");
    if (method === "token") {
      for (const key of ["issuer", "audience", "jwks", "allow"] as const) if (given[key] !== undefined) problem("is for methods with a JWT", key);
      return;
    }
    const known = jobMethods[method];
    if (issuer === undefined && known.issuer === undefined) problem("is missing: who signs the JWTs", "issuer");
    if (allow.length === 0) problem(`is missing: what a job's JWT must say${known.anchors.length > 0 ? `, such as {${known.anchors[0] ?? ""}: …}` : ""}`, "allow");
    for (const [index, each] of allow.entries()) {
      const found = checkRule(each, known, method);
      if (found) problem(found.message, "allow", index, ...(found.key === undefined ? [] : [found.key]));
    }
  });

/** `token` v2. `redacted` lets a hidden name pass. */
export function tokenV2(redacted: boolean): z.ZodType<ProvisionToken> {
  const name: z.ZodType<string> = readBy((value, fail) => {
    const given = typeof value === "string" ? value : "";
    if (given === hiddenName) {
      if (!redacted) fail("is hidden; list tokens with --with-secrets to get the name (that of a bot's one-use token is told once alone)");
      return given;
    }
    const problem = nameProblem(given);
    if (problem !== undefined) fail(problem);
    return given;
  });
  return fields({ kind: z.literal("token"), version: z.literal("v2"), metadata: metadata(() => undefined, name), spec }).refine(
    (token) => redacted || !isSecretName(token) || token.spec.join_method === undefined || token.metadata.name.length >= leastSecret,
    { message: `is a secret, and must have at least ${leastSecret} characters: tctl tokens add makes one`, path: ["metadata", "name"] },
  );
}
