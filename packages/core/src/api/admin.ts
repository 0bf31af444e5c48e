import { z } from "zod";
import { sshLoginResponse } from "./web.ts";

/** Shapes of the admin API, `/gatehouse/v1/…` on the admin port (and on the web port by server name, and on the local socket). */

/** A resource travels as its envelope; the `resources` room parses it. */
const envelope = z.looseObject({ kind: z.string(), version: z.string().optional(), metadata: z.looseObject({ name: z.string() }) });

export const adminItems = z.object({ items: z.array(z.object({ resource: envelope, revision: z.number(), id: z.string().optional() })) });
export type AdminItems = z.infer<typeof adminItems>;

/** `PUT /gatehouse/v1/resources`. */
export const putRequest = z.strictObject({
  resource: z.record(z.string(), z.unknown()),
  mode: z.enum(["create", "upsert", "update"]),
  /** With `update` alone: the revision it was made from. */
  revision: z.number().int().optional(),
});
export type PutRequest = z.infer<typeof putRequest>;

export const changeResponse = z.object({
  kind: z.string(),
  name: z.string(),
  outcome: z.enum(["created", "updated", "unchanged", "deleted"]),
  revision: z.number(),
  streams: z.object({ checked: z.number(), ended: z.number() }),
  /** What the administrator should know besides, a sentence each. */
  notes: z.array(z.string()).optional(),
});
export type ChangeResponse = z.infer<typeof changeResponse>;

/** `POST /gatehouse/v1/users/:name/invite`; ttl in ms. */
export const inviteRequest = z.strictObject({
  roles: z.array(z.string().min(1).max(256)).max(100),
  traits: z.record(z.string(), z.array(z.string())).default({}),
  ttl: z.number().int().positive(),
});
export type InviteRequest = z.infer<typeof inviteRequest>;

/** `POST /gatehouse/v1/users/:name/reset`; ttl in ms. */
export const resetRequest = z.strictObject({ ttl: z.number().int().positive() });

/** A one-use sign-up or reset token: `url` is what the person opens; expires in ms since the epoch. */
export const inviteResponse = z.object({ user: z.string(), url: z.string(), expires: z.number() });
export type InviteResponse = z.infer<typeof inviteResponse>;

/** `GET /gatehouse/v1/status`. */
export const statusResponse = z.object({
  cluster: z.string(),
  version: z.string(),
  /** `https://host:port` as people reach the gateway. */
  public_url: z.string().optional(),
  ca_pin: z.string(),
  authorities: z.array(z.object({ kind: z.string(), fingerprint: z.string() })),
  kubernetes: z.array(z.object({ name: z.string(), healthy: z.boolean(), problem: z.string().optional() })),
  /** What the operator should know about the Kubernetes clusters besides. */
  notes: z.array(z.string()).optional(),
  streams: z.number(),
  /** How the proof of the audit log stands: what the last checkpoint and each witness know. Times in ms. */
  audit: z
    .object({
      lines: z.number(),
      checkpoint: z.object({ seq: z.number(), time: z.number() }).optional(),
      problem: z.string().optional(),
      witnesses: z.array(z.object({ name: z.string(), waiting: z.number(), lag: z.number(), dropped: z.number(), problem: z.string().optional() })),
    })
    .optional(),
});
export type StatusResponse = z.infer<typeof statusResponse>;

/** `GET /gatehouse/v1/authorities/:kind/export`: lines as `tctl auth export` prints them (reference §3.5), and PEM. */
export const exportResponse = z.object({ ssh: z.array(z.string()), tls: z.array(z.string()), fingerprints: z.array(z.string()) });
export type ExportResponse = z.infer<typeof exportResponse>;

/** `GET /gatehouse/v1/whoami`: the caller as the cluster sees them now. */
export const whoamiResponse = z.object({
  username: z.string(),
  cluster: z.string(),
  roles: z.array(z.string()),
  logins: z.array(z.string()),
  /** ms since the epoch. */
  expires: z.number(),
  kubernetes: z.object({
    enabled: z.boolean(),
    /** `host:port` for kubeconfig, as reached by clients. */
    public_addr: z.string().optional(),
    /** For clients that choose none by server name. */
    default_cluster: z.string().optional(),
    clusters: z.array(
      z.object({
        name: z.string(),
        /** TLS server name that chooses this cluster. */
        server_name: z.string(),
        labels: z.record(z.string(), z.string()),
        groups: z.array(z.string()),
        /** User names of which `--as` chooses one; absent where there is nothing to choose. */
        users: z.array(z.string()).optional(),
        /** Why not, where groups is empty. */
        refused: z.string().optional(),
        /** Whether the gateway can serve it now; absent from gateways that do not say. */
        healthy: z.boolean().optional(),
        /** Why not. */
        problem: z.string().optional(),
      }),
    ),
  }),
});
export type WhoamiResponse = z.infer<typeof whoamiResponse>;

/** `GET /gatehouse/v1/gateway`: what somebody needs to know who is to trust it. */
export const gatewayResponse = z.object({
  cluster: z.string(),
  /** `https://host:port` as people reach it. */
  public_url: z.string(),
  ca_pin: z.string(),
});
export type GatewayResponse = z.infer<typeof gatewayResponse>;

/** `POST /gatehouse/v1/hosts/certificate`: `public_key` is base64 of an `authorized_keys` line; ttl in ms. */
export const hostCertificateRequest = z.strictObject({
  public_key: z.base64().max(64 * 1024),
  names: z.array(z.string().min(1).max(253)).min(1).max(100),
  ttl: z.number().int().positive(),
});
export type HostCertificateRequest = z.infer<typeof hostCertificateRequest>;

/** A host's certificate: one line, its names, its end in ms since the epoch. */
export const hostCertificateResponse = z.object({ certificate: z.string(), principals: z.array(z.string()), expires: z.number() });
export type HostCertificateResponse = z.infer<typeof hostCertificateResponse>;

/** `POST /gatehouse/v1/users/:name/certificate`: `public_key` is base64 of an `authorized_keys` line; ttl in ms. */
export const signRequest = z.strictObject({
  public_key: z.base64().max(64 * 1024),
  ttl: z.number().int().positive(),
  compatibility: z.enum(["", "standard", "oldssh"]).default(""),
});
export type SignRequest = z.input<typeof signRequest>;

/** `POST /gatehouse/v1/renew`, by the login's own certificate and for its key; answered with `sshLoginResponse`. Nothing is asked for: all of it stands since the login. */
export const renewRequest = z.strictObject({});

/** A login that was made for somebody else: its certificates, where it is good, and who that is there. */
export const signResponse = z.object({
  login: sshLoginResponse,
  /** Id of the login session: what `tctl lock --session` takes. */
  session: z.string(),
  /** `host:port` of the gateway's web listener, as people reach it. */
  proxy: z.string(),
  account: whoamiResponse,
});
export type SignResponse = z.infer<typeof signResponse>;
