import { z } from "zod";
import type { ExternalIdentity, Traits, User } from "../types.ts";
import { anyText, compact, fields, list, readBy, text, time, truth } from "./fields.ts";
import { metadata, nameProblem } from "./metadata.ts";
import { isSystemName } from "./values.ts";

const traitKey = /^[a-zA-Z/.0-9_:-]+$/;
const maxTraits = 200;

/** A user's or a bot's traits. */
export const traits: z.ZodType<Traits> = z
  .record(z.string().max(256, "has more than 256 characters").regex(traitKey, "a trait's name may only have letters, digits and / . _ : -"), list(anyText()))
  .nullish()
  .transform((value) => value ?? {})
  .refine((value) => Object.keys(value).length <= maxTraits, `has more than ${maxTraits} traits`);

/** Name of a role. */
export const role: z.ZodType<string> = readBy((value, fail) => {
  if (typeof value !== "string") fail("must be the name of a role");
  else {
    const problem = nameProblem(value);
    if (problem !== undefined) fail(`is no name of a role: it ${problem}`);
    return value;
  }
  return "";
});

const optionalText = anyText(4096)
  .nullish()
  .transform((value) => (value === null || value === "" ? undefined : value));

const status: z.ZodType<User["spec"]["status"]> = fields({ is_locked: truth(false), locked_message: optionalText, locked_time: time, lock_expires: time })
  .nullish()
  .transform((value) => {
    if (!value) return undefined;
    const kept = compact(value);
    return kept.is_locked || Object.keys(kept).length > 1 ? kept : undefined;
  });

const createdBy: z.ZodType<User["spec"]["created_by"]> = fields({
  connector: fields({ type: anyText(), id: anyText(), identity: anyText() })
    .nullish()
    .transform((value) => value ?? undefined),
  time,
  user: fields({ name: anyText() })
    .nullish()
    .transform((value) => (value && value.name !== "" ? value : undefined)),
})
  .nullish()
  .transform((value) => {
    const kept = compact(value ?? {});
    return Object.keys(kept).length > 0 ? kept : undefined;
  });

const identities: z.ZodType<readonly ExternalIdentity[] | undefined> = list(fields({ connector_id: text(), username: text() })).transform((value) =>
  value.length > 0 ? value : undefined,
);

/** Why a person may not be called so: Kubernetes keeps `system:` for itself. */
function userNameProblem(name: string): string | undefined {
  return isSystemName(name) ? 'must not begin with "system:"' : undefined;
}

/** `user` v2 (reference §8.7). */
export const userV2: z.ZodType<User> = fields({
  kind: z.literal("user"),
  version: z.literal("v2"),
  metadata: metadata(userNameProblem),
  spec: z.preprocess(
    (value) => value ?? {},
    fields({
      roles: list(role),
      traits,
      expires: time,
      status,
      created_by: createdBy,
      github_identities: identities,
      oidc_identities: identities,
      saml_identities: identities,
    }).transform(compact),
  ),
});

/** `user` v1, read into v2 (reference §8.7): its fields stand beside `kind`. */
export const userV1: z.ZodType<User> = fields({
  kind: z.literal("user"),
  version: z.literal("v1").optional(),
  name: readBy((value, fail) => {
    const name = typeof value === "string" ? value : "";
    const problem = nameProblem(name) ?? userNameProblem(name);
    if (problem !== undefined) fail(problem);
    return name;
  }),
  allowed_logins: list(text()),
  kubernetes_groups: list(text()),
  oidc_identities: identities,
  status,
  expires: time,
  created_by: createdBy,
  roles: list(role),
}).transform(({ name, allowed_logins, kubernetes_groups, oidc_identities, status: state, expires, created_by, roles }): User => ({
  kind: "user",
  version: "v2",
  metadata: { name },
  spec: compact({
    roles,
    traits: { ...(allowed_logins.length > 0 ? { logins: allowed_logins } : {}), ...(kubernetes_groups.length > 0 ? { kubernetes_groups } : {}) },
    expires,
    status: state,
    created_by,
    oidc_identities,
  }),
}));
