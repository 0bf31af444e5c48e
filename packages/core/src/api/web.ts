import { z } from "zod";

/**
 * Shapes of the web API (reference §1). Byte strings are standard padded base64, durations integers of nanoseconds.
 * Answers are read leniently (unknown fields pass), requests strictly.
 */
const name = z.string().min(1).max(256);
const base64 = z.base64().max(64 * 1024);

/** `GET /webapi/ping` (reference §1.5). */
export const pingResponse = z.object({
  auth: z.object({
    type: z.string(),
    second_factor: z.string().optional(),
    u2f: z.object({ app_id: z.string() }).optional(),
    oidc: z.object({ name: z.string(), display: z.string() }).optional(),
    saml: z.object({ name: z.string(), display: z.string() }).optional(),
    github: z.object({ name: z.string(), display: z.string() }).optional(),
  }),
  proxy: z.object({
    kube: z.object({ enabled: z.boolean().optional(), public_addr: z.string().optional() }),
    ssh: z.object({ listen_addr: z.string().optional(), public_addr: z.string().optional(), ssh_public_addr: z.string().optional() }),
    features: z.array(z.string()).optional(),
  }),
  server_version: z.string(),
  min_client_version: z.string(),
});
export type PingResponse = z.infer<typeof pingResponse>;

/** `POST /webapi/ssh/certs` request (reference §1.6). */
export const localLoginRequest = z.object({
  user: name,
  password: z.string().max(4096),
  hotp_token: z.string().max(64).optional(),
  otp_token: z.string().max(64).optional(),
  pub_key: base64,
  ttl: z.number(),
  compatibility: z.enum(["", "standard", "oldssh"]).optional(),
});
export type LocalLoginRequest = z.infer<typeof localLoginRequest>;

/** Every CLI login's answer (reference §1.6): certificates in base64 of their text forms. */
export const sshLoginResponse = z.object({
  username: z.string().min(1).max(256),
  cert: base64,
  tls_cert: base64,
  host_signers: z
    .array(z.object({ domain_name: z.string(), checking_keys: z.array(base64), tls_certs: z.array(base64) }))
    .min(1),
  /**
   * Until when the login may be renewed (`POST /gatehouse/v1/renew`) without logging in again, ms since the epoch: its certificates end then at the latest. Absent where
   * it may not be, and from gateways that cannot.
   */
  renewable_until: z.number().int().positive().optional(),
});
export type SshLoginResponse = z.infer<typeof sshLoginResponse>;

/** `POST /webapi/{github,oidc,saml}/login/console` request (reference §1.8). Emptiness is told by the handler, in v3's words. */
export const consoleLoginRequest = z.object({
  redirect_url: z.string().max(4096).default(""),
  public_key: z.string().max(64 * 1024).default(""),
  cert_ttl: z.number().default(0),
  connector_id: z.string().max(256).default(""),
  compatibility: z.enum(["", "standard", "oldssh"]).optional(),
});
export type ConsoleLoginRequest = z.infer<typeof consoleLoginRequest>;

export const consoleLoginResponse = z.object({ redirect_url: z.string().max(8192) });
export type ConsoleLoginResponse = z.infer<typeof consoleLoginResponse>;

/** What a failed login tells the terminal: sealed like a success, in the loopback query `error`. */
export const loginFailure = z.object({
  message: z.string(),
  code: z.string(),
  hint: z.string().optional(),
  id: z.string().optional(),
});
export type LoginFailure = z.infer<typeof loginFailure>;

/** Both error shapes of reference §1.4, plus what we add. */
export interface ErrorBody {
  readonly message: string;
  readonly error: { readonly message: string };
  readonly code: string;
  readonly hint?: string | undefined;
  readonly id?: string | undefined;
}

/** `POST /gatehouse/v1/join`; answered with {@link sshLoginResponse}. `public_key` is base64 of an `authorized_keys` line; ttl in ms. */
export const joinRequest = z.strictObject({
  method: z.enum(["token", "github-actions", "gitlab", "kubernetes", "oidc"]),
  token: z.string().min(1).max(512),
  jwt: z.string().min(1).max(16 * 1024).optional(),
  public_key: base64,
  ttl: z.number().int().positive().default(3_600_000),
});
export type JoinRequest = z.input<typeof joinRequest>;
