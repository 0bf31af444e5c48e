import { buildRoleSet, type RoleSet } from "../access/index.ts";
import type { SshLoginResponse } from "../api/index.ts";
import { userLogin, type AuditEventInput } from "../audit/index.ts";
import { GatehouseError, describeDuration, errorMessage, limits, uuid } from "../base/index.ts";
import { parseAuthorizedKey, publicKeyFromSsh } from "../formats/index.ts";
import { reservedNameProblem, type Role, type Traits } from "../resources/index.ts";
import type { Operation } from "../store/index.ts";
import { auditCertificates, certify, loginAnswer, mayRenew, wholeSecond, type CertificateWish } from "./certificates.ts";
import type { Context } from "./context.ts";
import { kinds, type RenewalRecord, type SessionRecord } from "./records.ts";
import { roleUses } from "./role-use.ts";
import { readRole } from "./stored-resources.ts";
import { refuseLockedLogin } from "./locks.ts";
import type { RequestOrigin } from "./types.ts";

/** Somebody who has proved who they are. */
export interface Grant {
  readonly username: string;
  readonly subjectId: string;
  readonly roles: readonly string[];
  readonly traits: Traits;
  readonly publicKey: string;
  /** Asked for, ms. */
  readonly ttl: number;
  readonly compatibility: string;
  readonly method: SessionRecord["method"];
  readonly connector?: string | undefined;
  /** What the connector's provider calls them now. */
  readonly externalName?: string | undefined;
  readonly origin: RequestOrigin;
  /** The administrator of the host has said how long: the roles' own limit does not count. */
  readonly overRoleTtl?: boolean | undefined;
  /** What the audit log is told in the place of a login of the person's own, given the session's id. */
  readonly event?: ((sessionId: string) => AuditEventInput) | undefined;
  /** Id of the request that was approved in a browser elsewhere, where it was. */
  readonly headless?: string | undefined;
  /** What else has to be written for it, or still be true; given the end of the session, ms since the epoch. */
  readonly alongside: (expires: number) => readonly Operation[];
}

/** Throws `bad_parameter` for a lifetime that may not be asked for, and for a key that no certificate can be made for. */
export function checkRequest(request: { readonly publicKey: string; readonly ttl: number; readonly compatibility: string }): void {
  const { minCertificateTtl: min, maxCertificateTtl: max } = limits;
  if (!(request.ttl >= min && request.ttl <= max)) {
    throw new GatehouseError("bad_parameter", "wrong certificate TTL", { hint: `ask for ${describeDuration(min)} to ${String(max / 3_600_000)} h` });
  }
  if (!["", "standard", "oldssh"].includes(request.compatibility)) throw new GatehouseError("bad_parameter", "compatibility is standard or oldssh");
  publicKeyFromSsh(parseAuthorizedKey(request.publicKey).blob);
}

/** What a transaction throws where an expectation did not hold. */
export const raceCodes: readonly string[] = ["already_exists", "compare_failed", "not_found"];

/** What the login stood on changed while it went on. */
export class Overtaken extends GatehouseError {
  constructor(username: string, cause: GatehouseError) {
    super("compare_failed", `user "${username}" was changed by somebody else during this login`, { hint: "log in again", cause });
  }
}

async function loadRoles(context: Context, names: readonly string[]): Promise<Role[]> {
  const items = await Promise.all(names.map((name) => context.store.get("role", name)));
  return items.map((item, index) => {
    if (!item) throw new GatehouseError("not_found", `role "${names[index] ?? ""}" does not exist`, { hint: "an administrator creates it, or takes it from whoever has it" });
    return readRole(item);
  });
}

/** The roles of a person with their traits applied, from the store. Throws `not_found` for a role that is not there. */
export async function loadRoleSet(context: Context, roles: readonly string[], traits: Traits): Promise<RoleSet> {
  return buildRoleSet(await loadRoles(context, roles), traits);
}

/** Throws `access_denied` where the roles let no login be approved in a browser elsewhere. */
export function refuseHeadless(username: string, roles: RoleSet): void {
  if (roles.options().headlessLogin) return;
  throw new GatehouseError("access_denied", `the roles of ${username} let no login be approved in a browser elsewhere (headless_login: false)`, { hint: "log in on a machine with a browser, or ask an administrator" });
}

/** What the session may be renewed by. Whoever has what was signed for a machine, or approved from elsewhere, is not the person who logged in. */
function renewalOf({ method, headless, ttl, compatibility }: Grant, until: number): RenewalRecord | undefined {
  return method === "sign" || method === "join" || headless !== undefined ? undefined : { generation: 1, until, ttl, compatibility };
}

/**
 * Starts a login session and signs its certificates: both or neither. The login is in the audit log before this resolves. Throws
 * {@link Overtaken} where what should still be true is not, `access_denied` where the person or a role of theirs is locked.
 */
export async function issueSession(context: Context, grant: Grant): Promise<SshLoginResponse> {
  const { store, clock, audit } = context;
  const { username, subjectId, roles, traits, method, connector } = grant;
  const reserved = method === "join" ? undefined : reservedNameProblem(username);
  if (reserved !== undefined) throw new GatehouseError("access_denied", `the user name "${username}" ${reserved}`);
  await refuseLockedLogin(context, username, roles);
  const roleSet = await loadRoleSet(context, roles, traits);
  const ttl = grant.overRoleTtl === true ? grant.ttl : Math.min(roleSet.sessionTtl(grant.ttl), grant.ttl);
  if (ttl < limits.minCertificateTtl) throw new GatehouseError("access_denied", `the roles of ${username} allow no certificate of at least ${describeDuration(limits.minCertificateTtl)}`);
  if (grant.headless !== undefined) refuseHeadless(username, roleSet);
  const sessionId = uuid();
  const created = clock.now();
  const end = wholeSecond(created + roleSet.sessionTtl(0));
  const renewal = renewalOf(grant, end);
  const wish: CertificateWish = { username, subjectId, sessionId, generation: 1, roles, roleSet, traits, publicKey: grant.publicKey, ttl, latest: grant.overRoleTtl === true ? undefined : end, compatibility: grant.compatibility };
  const pair = certify(context, wish);
  const record: SessionRecord = {
    user: username,
    subject: subjectId,
    roles: [...roles],
    traits: Object.fromEntries(Object.entries(traits).map(([name, values]) => [name, [...values]])),
    method,
    ...(connector === undefined ? {} : { connector }),
    created,
    address: grant.origin.remoteAddress,
    ...(grant.headless === undefined ? {} : { headless: true }),
    ...(renewal === undefined ? {} : { renewal }),
  };
  try {
    await store.transact([
      ...grant.alongside(pair.expires),
      ...roleUses(roles, roles),
      { op: "put", kind: kinds.session, name: sessionId, value: JSON.stringify(record), expires: pair.expires, expect: "absent" },
    ]);
  } catch (error) {
    throw error instanceof GatehouseError && raceCodes.includes(error.code) ? new Overtaken(username, error) : error;
  }
  try {
    const { origin } = grant;
    await audit.emit(grant.event?.(sessionId) ?? userLogin({ method: method === "sign" || method === "join" ? "local" : method, user: username, origin, fields: { session: sessionId, connector, external_name: grant.externalName, headless: grant.headless, roles } }));
    await auditCertificates(context, wish, pair, origin);
  } catch (error) {
    await endSession(context, sessionId);
    throw error;
  }
  await context.snapshot.settled();
  return loginAnswer(context, username, pair, renewal && mayRenew(roleSet, method) ? renewal.until : undefined);
}

/** A session whose login could not be audited is nobody's: its certificates were never handed out, and it is taken back where that is possible. */
async function endSession(context: Context, sessionId: string): Promise<void> {
  try {
    await context.store.transact([{ op: "delete", kind: kinds.session, name: sessionId }]);
  } catch (error) {
    context.logger.error({ session: sessionId, error: errorMessage(error) }, "a login session that was not handed out could not be removed");
  }
}
