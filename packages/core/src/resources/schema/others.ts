import { z } from "zod";
import { didYouMean } from "../../base/index.ts";
import { hiddenName } from "../redact.ts";
import type { AuthPreference, GithubConnector, ProvisionToken, SecondFactor } from "../types.ts";
import { anyText, compact, fields, list, readBy, text } from "./fields.ts";
import { systemRoles } from "./kinds.ts";
import { metadata, nameProblem, word } from "./metadata.ts";
import { literalGroup } from "./values.ts";

const loopback = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** An `https` address; plain `http` on this machine alone. */
const webAddress: z.ZodType<string> = readBy((value, fail) => {
  if (typeof value !== "string" || value === "") {
    fail(value === undefined ? "is missing" : "must be an address such as https://teleport.example.com:3080/…");
    return "";
  }
  const url = URL.canParse(value) && value.length <= 2048 ? new URL(value) : undefined;
  if (!url) fail("is no web address");
  else if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback.has(url.hostname))) fail("must begin with https:// (http:// is for this machine alone)");
  else if (url.username !== "" || url.password !== "") fail("must not have a user name or password in it");
  return value;
});

const optionalAddress: z.ZodType<string | undefined> = z.preprocess((value) => (value === null || value === "" ? undefined : value), webAddress.optional());

const roleName: z.ZodType<string> = readBy((value, fail) => {
  const problem = typeof value === "string" ? nameProblem(value) : "must be text";
  if (problem !== undefined) fail(`is no name of a role: it ${problem}`);
  return String(value);
});

const loginOfTeam: z.ZodType<string> = readBy((value, fail) => {
  if (typeof value !== "string" || value === "") fail("must be a login");
  else if (value.includes("{{") || value.includes("*")) fail("must be a plain login: variables and wildcards have no meaning here");
  else if (value.length > 256) fail("has more than 256 characters");
  else return value;
  return "";
});

const teamToLogins = fields({ organization: text(256), team: text(256), logins: list(loginOfTeam), kubernetes_groups: list(literalGroup) }).refine(
  (team) => team.logins.length > 0 || team.kubernetes_groups.length > 0,
  "gives nothing: it needs logins or kubernetes_groups",
);

const teamToRoles = fields({ organization: text(256), team: text(256), roles: list(roleName) }).refine((team) => team.roles.length > 0, "gives nothing: it needs roles");

/** `github` v3 (reference §8.8). The secret may be missing, as in what was read without secrets. */
export const githubV3: z.ZodType<GithubConnector> = fields({
  kind: z.literal("github"),
  version: z.literal("v3"),
  metadata: metadata((name) => (name === "local" ? '"local" is the name of the built-in login; choose another' : undefined)),
  spec: fields({
    client_id: text(),
    client_secret: z.preprocess((value) => (value === null || value === "" ? undefined : value), text().optional()),
    redirect_url: webAddress,
    // Every person's terminal and browser show it.
    display: anyText(256)
      .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/u, "has control characters")
      .nullish()
      .transform((value) => value ?? ""),
    teams_to_logins: list(teamToLogins),
    teams_to_roles: list(teamToRoles),
    endpoint_url: optionalAddress,
    api_endpoint_url: optionalAddress,
  }).transform(compact),
});

/** The one name of `cluster_auth_preference`. */
export const preferenceName = "cluster-auth-preference";

const factors: readonly SecondFactor[] = ["off", "otp", "webauthn", "on", "optional"];

const secondFactor: z.ZodType<SecondFactor | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null || value === "") return undefined;
  // YAML 1.1, which older files are written in, reads a bare `off` or `on` as a boolean.
  if (typeof value === "boolean") return value ? "on" : "off";
  const given = typeof value === "string" ? value.toLowerCase() : "";
  const found = factors.find((factor) => factor === given);
  if (found === undefined) fail(given === "u2f" ? u2fGone : `must be one of: ${factors.join(", ")}${didYouMean(given, factors)}`);
  return found;
});

/** What to say to whoever writes v3's `u2f`. */
export const u2fGone = "is u2f, which browsers have given up: write webauthn, which takes the same security keys";

/** Why a host cannot be the relying party of WebAuthn, or undefined. */
export function relyingPartyProblem(host: string): string | undefined {
  if (host.length > 253 || !/^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i.test(host)) return "must be a host name, without a scheme and a port";
  return /^[\d.]+$/.test(host) ? "must be a host name: browsers take no addresses here" : undefined;
}

const relyingPartyId: z.ZodType<string> = readBy((value, fail) => {
  const problem = typeof value === "string" ? relyingPartyProblem(value) : "must be a host name";
  if (problem !== undefined) fail(problem);
  return String(value).toLowerCase();
});

/** `cluster_auth_preference` v2 (reference §8.13). */
export const preferenceV2: z.ZodType<AuthPreference> = fields({
  kind: z.literal("cluster_auth_preference"),
  version: z.literal("v2"),
  metadata: z.preprocess(
    (value) => value ?? {},
    metadata(
      () => undefined,
      readBy((value, fail) => {
        if (value !== undefined && value !== null && value !== "" && value !== preferenceName) fail(`must be "${preferenceName}": there is one`);
        return preferenceName;
      }),
    ),
  ),
  spec: fields({
    type: word(["local", "oidc", "saml", "github"], "local"),
    second_factor: secondFactor,
    connector_name: anyText(256)
      .nullish()
      .transform((value) => (value === null || value === "" ? undefined : value)),
    webauthn: fields({ rp_id: relyingPartyId.optional() }).transform(compact).nullish().transform((value) => value ?? undefined),
    require_session_mfa: z.boolean("must be true or false").nullish().transform((value) => value ?? undefined),
    u2f: readBy<undefined>((value, fail) => {
      if (value !== undefined && value !== null) fail("is gone with U2F: use webauthn: {rp_id: HOST}, or leave it out");
      return undefined;
    }).optional(),
  })
    .transform(({ type, second_factor, connector_name, webauthn, require_session_mfa }): AuthPreference["spec"] =>
      compact({ type, second_factor: second_factor ?? (type === "local" ? "otp" : "off"), connector_name, webauthn, require_session_mfa }),
    ),
});

/** `token` v2. `redacted` lets a hidden name pass. */
export function tokenV2(redacted: boolean): z.ZodType<ProvisionToken> {
  const name: z.ZodType<string> = readBy((value, fail) => {
    const given = typeof value === "string" ? value : "";
    if (given === hiddenName) {
      if (!redacted) fail("is hidden; list tokens with --with-secrets to get the name");
      return given;
    }
    const problem = nameProblem(given);
    if (problem !== undefined) fail(problem);
    return given;
  });
  return fields({
    kind: z.literal("token"),
    version: z.literal("v2"),
    metadata: metadata(() => undefined, name),
    spec: fields({ roles: list(word(systemRoles)) }).refine((spec) => spec.roles.length > 0, "needs roles, such as [Node]"),
  });
}
