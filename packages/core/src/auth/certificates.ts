import type { RoleSet } from "../access/index.ts";
import type { SshLoginResponse } from "../api/index.ts";
import { auditEvents, type EventFields } from "../audit/index.ts";
import type { CertificatePair } from "../ca/index.ts";
import type { Traits } from "../resources/index.ts";
import type { Context } from "./context.ts";
import type { RenewalRecord, SessionRecord } from "./records.ts";
import type { RequestOrigin } from "./types.ts";

/** Whose certificates, of which login session, saying what. */
export interface CertificateWish {
  readonly username: string;
  readonly subjectId: string;
  readonly sessionId: string;
  readonly generation: number;
  readonly roles: readonly string[];
  /** Of those roles, with the traits applied. */
  readonly roleSet: RoleSet;
  readonly traits: Traits;
  readonly publicKey: string;
  /** ms. */
  readonly ttl: number;
  /** ms since the epoch: they do not last beyond it. */
  readonly latest?: number | undefined;
  readonly compatibility: string;
}

function certificateFormat(asked: string, byRoles: "standard" | "oldssh"): "standard" | "oldssh" {
  return asked === "standard" || asked === "oldssh" ? asked : byRoles;
}

/** Signs what the roles let the certificates say. Throws `bad_parameter`. */
export function certify({ authorities }: Context, wish: CertificateWish): CertificatePair {
  const { username, subjectId, sessionId, generation, roles, roleSet, traits, publicKey, ttl, latest } = wish;
  const options = roleSet.options();
  return authorities.issueUser({
    publicKey,
    username,
    subjectId,
    sessionId,
    generation,
    roles,
    logins: roleSet.logins(),
    traits,
    ttl,
    latest,
    permitPortForwarding: options.portForwarding,
    permitAgentForwarding: options.forwardAgent,
    sourceAddresses: options.sourceAddresses,
    format: certificateFormat(wish.compatibility, options.certFormat),
  });
}

/** Audits certificates, before they are handed out. Throws `unavailable`. */
export async function auditCertificates({ audit }: Context, wish: CertificateWish, { expires }: CertificatePair, origin: RequestOrigin, fields: EventFields = {}): Promise<void> {
  await audit.emit({
    ...auditEvents.certCreate,
    ...fields,
    user: wish.username,
    session: wish.sessionId,
    subject: wish.subjectId,
    roles: wish.roles,
    logins: wish.roleSet.logins(),
    traits: wish.traits,
    expires: new Date(expires).toISOString(),
    "addr.remote": origin.remoteAddress,
  });
}

/** Whether the roles let a login of this kind be renewed: of several, one that says `off` decides. */
export function mayRenew(roleSet: RoleSet, method: SessionRecord["method"]): boolean {
  const { certificateRenewal: renewal } = roleSet.options();
  return renewal === "any" || (renewal === "local" && method === "local");
}

/** The last whole second, ms since the epoch: certificates end at one. */
export const wholeSecond = (time: number): number => Math.floor(time / 1000) * 1000;

/** When a session's certificates end at the latest, ms since the epoch: as the roles had it at the login, and no later than they have it now. */
export function renewalEnd({ until }: Pick<RenewalRecord, "until">, created: number, roleSet: RoleSet): number {
  return wholeSecond(Math.min(until, created + roleSet.sessionTtl(0)));
}

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
const line = (text: string): string => (text.endsWith("\n") ? text : `${text}\n`);

/** What a login's answer says. `renewable` is until when it may be renewed, ms since the epoch: told where that is longer than the certificates last. */
export function loginAnswer({ authorities }: Context, username: string, pair: CertificatePair, renewable: number | undefined): SshLoginResponse {
  const host = authorities.trust("host");
  return {
    username,
    cert: base64(pair.ssh),
    tls_cert: base64(pair.tls),
    host_signers: [{ domain_name: host.clusterName, checking_keys: host.sshKeys.map((key) => base64(line(key))), tls_certs: host.tlsCertificates.map(base64) }],
    ...(renewable !== undefined && renewable > pair.expires ? { renewable_until: renewable } : {}),
  };
}
