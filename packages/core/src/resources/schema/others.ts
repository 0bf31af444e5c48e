import { z } from "zod";
import { didYouMean } from "../../base/index.ts";
import type { AuthPreference, SecondFactor } from "../types.ts";
import { anyText, compact, fields, readBy } from "./fields.ts";
import { metadata, word } from "./metadata.ts";

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
  return typeof value === "string" ? value.toLowerCase() : "";
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
