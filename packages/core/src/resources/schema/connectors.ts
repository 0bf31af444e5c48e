import { z } from "zod";
import { mappingProblems } from "../claim-mapping.ts";
import type { AttributeToRoles, ClaimToRoles, GithubConnector, KeyPair, OidcConnector, SamlConnector } from "../types.ts";
import { optionalAddress, webAddress } from "./address.ts";
import { anyText, compact, fields, list, readBy, text } from "./fields.ts";
import { metadata, nameProblem } from "./metadata.ts";
import { literalGroup } from "./values.ts";

const roleName: z.ZodType<string> = readBy((value, fail) => {
  const problem = typeof value === "string" ? nameProblem(value) : "must be text";
  if (problem !== undefined) fail(`is no name of a role: it ${problem}`);
  return typeof value === "string" ? value : "";
});

const connectorMetadata = metadata((name) => (name === "local" ? '"local" is the name of the built-in login; choose another' : undefined));

// Every person's terminal and browser show it.
const display: z.ZodType<string> = anyText(256)
  .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u, "has control characters")
  .nullish()
  .transform((value) => value ?? "");

const optionalText = (maxLength: number): z.ZodType<string | undefined> => z.preprocess((value) => (value === null || value === "" ? undefined : value), text(maxLength).optional());

const loginOfTeam: z.ZodType<string> = readBy((value, fail) => {
  if (typeof value !== "string" || value === "") fail("must be a login");
  else if (value.includes("{{") || value.includes("*")) fail("must be a plain login: variables and wildcards have no meaning here");
  else if (value.length > 256) fail("has more than 256 characters");
  else return value;
  return "";
});

// Only its absence means a whole organization: a line that lost its value must not open the gate to everybody in it.
const team: z.ZodType<string | undefined> = readBy((value, fail) => {
  if (value === undefined) return undefined;
  const parsed = text(256).safeParse(value);
  if (value === null || value === "" || value === "*") fail("must name a team by its slug; for every member of the organization leave the whole line out");
  else if (parsed.success) return parsed.data;
  else fail(typeof value === "string" ? (parsed.error.issues[0]?.message ?? "is no slug") : "must be text");
  return undefined;
});

const teamToLogins = fields({ organization: text(256), team, logins: list(loginOfTeam), kubernetes_groups: list(literalGroup) })
  .refine((entry) => entry.logins.length > 0 || entry.kubernetes_groups.length > 0, "gives nothing: it needs logins or kubernetes_groups")
  .transform(compact);

const teamToRoles = fields({ organization: text(256), team, roles: list(roleName) })
  .refine((entry) => entry.roles.length > 0, "gives nothing: it needs roles")
  .transform(compact);

/** `github` v3 (reference §8.8). The secret may be missing, as in what was read without secrets. */
export const githubV3: z.ZodType<GithubConnector> = fields({
  kind: z.literal("github"),
  version: z.literal("v3"),
  metadata: connectorMetadata,
  spec: fields({
    client_id: text(),
    client_secret: optionalText(1024),
    redirect_url: webAddress,
    display,
    teams_to_logins: list(teamToLogins),
    teams_to_roles: list(teamToRoles),
    endpoint_url: optionalAddress,
    api_endpoint_url: optionalAddress,
  }).transform(compact),
});

/** One value, or a list of values. */
const oneOrMore = <T>(item: z.ZodType<T>): z.ZodType<readonly T[]> => z.preprocess((value) => (Array.isArray(value) || value === undefined || value === null ? value : [value]), list(item));

const roleTemplate: z.ZodType<undefined> = readBy((value, fail) => {
  if (value !== undefined && value !== null) fail("is not supported: name roles, which may use $1 of what value matched");
  return undefined;
});

/** A mapping's value and roles fit together: what cannot be compiled or expanded would give nothing, or to nobody. */
function checkMapping({ value, roles }: { readonly value: string; readonly roles: readonly string[] }, context: z.RefinementCtx): void {
  if (roles.length === 0) context.addIssue({ code: "custom", message: "gives nothing: it needs roles" });
  for (const { field, index, message } of mappingProblems(value, roles)) context.addIssue({ code: "custom", message, path: index === undefined ? [field] : [field, index] });
}

const claimToRoles: z.ZodType<ClaimToRoles> = fields({ claim: text(256), value: text(), roles: list(text(256)), role_template: roleTemplate })
  .superRefine(checkMapping)
  .transform(({ claim, value, roles }) => ({ claim, value, roles }));

const attributeToRoles: z.ZodType<AttributeToRoles> = fields({ name: text(256), value: text(), roles: list(text(256)), role_template: roleTemplate })
  .superRefine(checkMapping)
  .transform(({ name, value, roles }) => ({ name, value, roles }));

const oidcSpec = fields({
  issuer_url: webAddress,
  client_id: text(),
  client_secret: optionalText(1024),
  redirect_url: oneOrMore(webAddress).refine((urls) => urls.length > 0, "is missing"),
  display,
  acr_values: optionalText(256),
  provider: optionalText(64),
  // Only its absence means the default: some providers refuse the word.
  prompt: readBy((value, fail) => {
    if (value === undefined || value === null) return "select_account";
    if (typeof value === "string" && /^[a-z_ ]{0,128}$/.test(value)) return value;
    fail("must be words such as login, consent, select_account; empty for none");
    return "";
  }),
  scope: list(text(256).regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "must be one word")),
  username_claim: optionalText(256),
  claims_to_roles: list(claimToRoles),
}).transform(compact);

/** `oidc` in v2 and v3, which are written alike (reference §8.9). The secret may be missing, as in what was read without secrets. */
export function oidc(version: "v2" | "v3"): z.ZodType<OidcConnector> {
  return fields({ kind: z.literal("oidc"), version: z.literal(version), metadata: connectorMetadata, spec: oidcSpec }).transform((connector) => ({ ...connector, version: "v3" as const }));
}

const keyPair: z.ZodType<KeyPair | undefined> = fields({ cert: pem(), private_key: pem().optional() })
  .transform((pair): KeyPair => compact(pair))
  .nullish()
  .transform((pair) => pair ?? undefined);

function pem(): z.ZodString {
  return anyText(64 * 1024).regex(/-----BEGIN [A-Z0-9 ]+-----/, "must be PEM");
}

/** `saml` v2 (reference §8.10). Private keys may be missing, as in what was read without secrets. */
export const samlV2: z.ZodType<SamlConnector> = fields({
  kind: z.literal("saml"),
  version: z.literal("v2"),
  metadata: connectorMetadata,
  spec: fields({
    acs: webAddress,
    display,
    issuer: optionalText(1024),
    sso: optionalAddress,
    cert: z.preprocess((value) => (value === null || value === "" ? undefined : value), pem().optional()),
    entity_descriptor: z.preprocess((value) => (value === null || value === "" ? undefined : value), anyText(512 * 1024).optional()),
    entity_descriptor_url: optionalAddress,
    audience: optionalText(1024),
    service_provider_issuer: optionalText(1024),
    provider: optionalText(64),
    attributes_to_roles: list(attributeToRoles),
    signing_key_pair: keyPair,
    assertion_key_pair: keyPair,
  })
    .transform((spec) => compact({ ...spec, audience: spec.audience ?? spec.acs, service_provider_issuer: spec.service_provider_issuer ?? spec.acs }))
    .refine(
      (spec) => spec.entity_descriptor !== undefined || spec.entity_descriptor_url !== undefined || (spec.issuer !== undefined && spec.sso !== undefined && spec.cert !== undefined),
      "needs the provider's metadata (entity_descriptor or entity_descriptor_url), or issuer, sso and cert",
    ),
});
