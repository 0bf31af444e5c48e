import { createHash } from "node:crypto";
import { z } from "zod";
import { GatehouseError } from "../base/index.ts";
import type { StoredItem } from "../store/index.ts";

/** Kinds of the store that are this room's own, beside the resources. */
export const kinds = {
  /** Login sessions; name = session id. */
  session: "session",
  /** Who a user name belongs to; name = user name. Outlives the user, until an administrator removes the user. */
  identity: "identity",
  /** The user name of a connector's person; name = subject. Comes and goes with the identity, which is what counts where the two differ. */
  subject: "subject",
  /** A local user's password hash, in `secret`; name = user name. */
  password: "password",
  /** A local user's second factors, with what is secret of them in `secret`; name = user name. */
  mfa: "mfa",
  /** Failed logins; name = what {@link "./lockout.ts"} makes of the user name. */
  attempts: "login_attempts",
  /** The key, in `secret`, by which names that nobody has share records of failed logins. */
  strangers: "login_strangers",
  /** One-use links of local users: to set a password, to change second factors; name = hash of the token. */
  invite: "invite",
  /** Tokens of bots that were used, for as long as that is told; name = hash of the token. */
  joinUsed: "join_used",
  /** JWTs that bots joined with, until they end; name = hash. */
  joinSeen: "join_seen",
  /** Logins through a connector that are under way; name = hash of the state. */
  ssoRequest: "sso_request",
  /** Logins under way whose way is chosen in the browser; name = hash of the login's id. */
  consoleLogin: "console_login",
  /** Logins that wait for an approval in a browser elsewhere; name = id. */
  headless: "headless_request",
  /** The few such logins that a user may have at once; name = digest of the user name, and a number. */
  headlessSlot: "headless_slot",
  /** Browsers that have proved who uses them and may decide about one such login; name = hash of their cookie. */
  headlessTicket: "headless_ticket",
  /** What a host has to itself (id, hostname, key) and which host that is; name = what {@link "./nodes/claims.ts"} makes of it. */
  nodeClaim: "node_claim",
  /** How a host joined, and the certificates that it got since; name = id of the host. */
  nodeJoin: "node_join",
  /** Host certificates that count no more although they have not ended; name = serial, in decimal. */
  revokedHost: "revoked_host_cert",
  /** When a role was given to somebody last, by its revision; name = role. */
  roleUse: "role_use",
} as const;

const traits = z.record(z.string(), z.array(z.string()));

/** What the renewals of a login session go by; times in ms, and in ms since the epoch. */
const renewalRecord = z.object({
  /** Of the newest certificates; 1 are the login's own. */
  generation: z.number().int().min(1),
  /** When those were issued, where they are a renewal's. */
  at: z.number().optional(),
  /** No certificate lasts beyond this: the roles' `max_session_ttl` after the login. */
  until: z.number(),
  /** Lifetime and format that the login asked for. */
  ttl: z.number().positive(),
  compatibility: z.string(),
});
export type RenewalRecord = z.infer<typeof renewalRecord>;

export const sessionRecord = z.object({
  user: z.string(),
  subject: z.string(),
  roles: z.array(z.string()),
  traits,
  /** `sign`: an administrator made it (`tctl auth sign`); `join`: a bot did. */
  method: z.enum(["local", "github", "oidc", "saml", "sign", "join"]),
  connector: z.string().optional(),
  /** ms since the epoch. */
  created: z.number(),
  /** Where the login came from, `ip:port`. */
  address: z.string(),
  /** Approved in a browser elsewhere. */
  headless: z.boolean().optional(),
  /** Absent in a session that cannot be renewed: of `sign` and `join`, and where it was approved elsewhere. */
  renewal: renewalRecord.optional(),
});
export type SessionRecord = z.infer<typeof sessionRecord>;

/** Whether all traits of a subject's sessions are an identity provider's words, whoever began them, and none the cluster's own (a local user's, `teams_to_logins`). */
export function hasExternalTraitsOnly(subject: string): boolean {
  return /^(?:oidc|saml):/.test(subject);
}

export const identityRecord = z.object({ subject: z.string().min(1), created: z.number() });
export type IdentityRecord = z.infer<typeof identityRecord>;

export const subjectRecord = z.object({ user: z.string().min(1) });
export type SubjectRecord = z.infer<typeof subjectRecord>;

export const passwordRecord = z.object({ changed: z.number() });

export const attemptsRecord = z.object({
  /** When, ms since the epoch, oldest first. */
  attempts: z.array(z.number()),
  lockedUntil: z.number().optional(),
});
export type AttemptsRecord = z.infer<typeof attemptsRecord>;

export const inviteRecord = z.object({
  user: z.string(),
  /** A password for the first time or again; a second factor added or removed, new recovery codes. */
  purpose: z.enum(["invite", "reset", "add", "remove", "codes"]),
  created: z.number(),
  /** Id of the device that is to be removed. */
  device: z.string().optional(),
  /** The password was chosen, or the person has confirmed who they are: a second factor is registered next. */
  registering: z.boolean().optional(),
  /** Hash of what the browser was given that did so: nobody else who has the link registers anything. */
  passHash: z.string().optional(),
});
export type InviteRecord = z.infer<typeof inviteRecord>;

/** A challenge of WebAuthn, good once, and until when (ms since the epoch). */
export const challengeRecord = z.object({ value: z.string(), ends: z.number() });
export type ChallengeRecord = z.infer<typeof challengeRecord>;

export const inviteSecret = z.object({
  passwordHash: z.string().optional(),
  /** Secret of the app that is being registered, base32. */
  totp: z.string().optional(),
  challenge: challengeRecord.optional(),
});
export type InviteSecret = z.infer<typeof inviteSecret>;

export const consoleLoginRecord = z.object({
  publicKey: z.string(),
  /** ms. */
  ttl: z.number(),
  compatibility: z.string(),
  /** Hash of the cookie of the browser that opened the login; absent until one did. */
  cookieHash: z.string().optional(),
  challenge: challengeRecord.optional(),
});
export type ConsoleLoginRecord = z.infer<typeof consoleLoginRecord>;

export const consoleLoginSecret = z.object({ clientRedirectUrl: z.string() });

/** What a login through a connector is for. */
const purpose = z.discriminatedUnion("type", [
  /** Certificates for a terminal's key; `ttl` in ms. */
  z.object({ type: z.literal("certificates"), publicKey: z.string(), ttl: z.number(), compatibility: z.string() }),
  /** To see what a connector, stored or not, makes of a person; `by` asked. */
  z.object({ type: z.literal("test"), by: z.string() }),
  /** The right to decide about a login that waits for an approval in a browser elsewhere; `request` is its id. */
  z.object({ type: z.literal("headless"), request: z.string() }),
]);
export type SsoPurpose = z.infer<typeof purpose>;

export const ssoRequestRecord = z.object({
  kind: z.enum(["github", "oidc", "saml"]),
  connector: z.string(),
  /** The callback address that the provider was told. */
  callbackUrl: z.string(),
  purpose,
  /** Hash of the cookie of the browser that opened the login; absent until one did. */
  cookieHash: z.string().optional(),
});
export type SsoRequestRecord = z.infer<typeof ssoRequestRecord>;

export const ssoRequestSecret = z.object({
  /** PKCE (RFC 7636). */
  verifier: z.string(),
  /** The terminal's loopback address, with the key that its answer is sealed with; absent where no terminal waits. */
  clientRedirectUrl: z.string().optional(),
  /** The connector under test, with its secrets. */
  connector: z.unknown().optional(),
});
export type SsoRequestSecret = z.infer<typeof ssoRequestSecret>;

/** Which host has a name or a key to itself. */
export const nodeClaimRecord = z.object({ node: z.string().min(1) });
export type NodeClaimRecord = z.infer<typeof nodeClaimRecord>;

export const nodeJoinRecord = z.object({
  /** Digest of the token that it joined with, and until when the same host may come with it again (ms since the epoch). */
  token: z.string(),
  until: z.number(),
  /** Certificates that have not ended. */
  certificates: z.array(z.object({ serial: z.string().regex(/^\d{1,20}$/), expires: z.number() })),
});
export type NodeJoinRecord = z.infer<typeof nodeJoinRecord>;

/** Reads a record. Throws `internal` for one that is not as this version writes it. */
export function readRecord<T>(schema: z.ZodType<T>, item: StoredItem, text: string = item.value): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Its SyntaxError would quote the text, which may be a secret.
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success) throw new GatehouseError("internal", `the store's ${item.kind} record is not as this version writes it`);
  return parsed.data;
}

/** Lower-case hex of SHA-256: how secrets that come back to us are kept, and looked up. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export const joinUsedRecord = z.object({
  /** ms since the epoch. */
  at: z.number(),
});
export type JoinUsedRecord = z.infer<typeof joinUsedRecord>;
