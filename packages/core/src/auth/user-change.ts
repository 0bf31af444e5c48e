import { limits, uuid } from "../base/index.ts";
import type { Connector, User } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { deleteAll } from "./admin-change.ts";
import type { Context } from "./context.ts";
import { lockoutName } from "./lockout.ts";
import { identityRecord, inviteRecord, kinds, readRecord, sessionRecord, type IdentityRecord, type SessionRecord } from "./records.ts";
import { giveRoles } from "./role-use.ts";
import { isOfConnector, nameDeletions } from "./subjects.ts";
import { lockEnd } from "./users.ts";

/** A new local identity for a user name. */
export function localIdentity(context: Context, name: string): Operation {
  const record: IdentityRecord = { subject: `local:${uuid()}`, created: context.clock.now() };
  return { op: "put", kind: kinds.identity, name, value: JSON.stringify(record), expect: "absent" };
}

function comesThroughConnector({ spec }: User): boolean {
  return spec.created_by?.connector !== undefined || [spec.github_identities, spec.oidc_identities, spec.saml_identities].some((identities) => (identities ?? []).length > 0);
}

/**
 * When an unlocked user ends. The lock may have kept the record of somebody who comes through a connector for longer than their sessions; it stays as
 * long as one more session could last, and then goes by itself as before.
 */
function endAfterLock(given: User, existing: User | undefined, now: number): string | undefined {
  const { expires } = given.metadata;
  const isUnlocked = existing !== undefined && lockEnd(existing) > 0 && lockEnd(given) === 0;
  if (!isUnlocked || expires === undefined || Date.parse(expires) > now || expires !== existing.metadata.expires) return expires;
  return new Date(now + limits.maxCertificateTtl).toISOString();
}

/**
 * A user as an administrator writes one: who made it is kept, and a name that belongs to nobody yet becomes a local user's, unless the
 * resource says that it is for people of a connector.
 */
export async function prepareUser(context: Context, by: string, given: User, existing: User | undefined): Promise<{ readonly resource: User; readonly operations: readonly Operation[] }> {
  const { name } = given.metadata;
  const roles = await giveRoles(context, given.spec.roles, existing?.spec.roles ?? []);
  const created_by = given.spec.created_by ?? existing?.spec.created_by ?? { time: new Date(context.clock.now()).toISOString(), user: { name: by } };
  const written: User = { ...given, spec: { ...given.spec, created_by } };
  const identity = await context.store.get(kinds.identity, name);
  const isLocal = identity ? readRecord(identityRecord, identity).subject.startsWith("local:") : !comesThroughConnector(written);
  const resource = isLocal ? written : { ...written, metadata: { ...written.metadata, expires: endAfterLock(given, existing, context.clock.now()) } };
  if (identity) return { resource, operations: [...roles, { op: "check", kind: kinds.identity, name, expect: identity.revision }] };
  return { resource, operations: isLocal ? [...roles, localIdentity(context, name)] : roles };
}

/** Deletions of the links of a user, but for the one that is stored as `kept`. */
async function inviteDeletions(context: Context, name: string, kept?: string): Promise<readonly Operation[]> {
  const items = await context.store.list(kinds.invite);
  return items.filter((item) => item.name !== kept && readRecord(inviteRecord, item).user === name).map((item) => ({ op: "delete", kind: kinds.invite, name: item.name }));
}

/** Deletions of the login sessions concerned. */
export async function deletionsOfSessions(context: Context, concerned: (session: SessionRecord) => boolean): Promise<readonly Operation[]> {
  const items = await context.store.list(kinds.session);
  return items.filter((item) => concerned(readRecord(sessionRecord, item))).map((item) => ({ op: "delete", kind: kinds.session, name: item.name }));
}

/** Deletions of the login sessions of a user. */
export function sessionDeletions(context: Context, name: string): Promise<readonly Operation[]> {
  return deletionsOfSessions(context, ({ user }) => user === name);
}

/** Deletions of the login sessions that began through a connector. */
export function connectorSessionDeletions(context: Context, kind: Connector["kind"], name: string): Promise<readonly Operation[]> {
  return deletionsOfSessions(context, ({ method, connector }) => method === kind && connector === name);
}

/** Ends the user's sessions and takes back their invites; both come before what makes them a user at all. */
export async function endUser(context: Context, name: string): Promise<void> {
  await deleteAll(context, [...(await sessionDeletions(context, name)), ...(await inviteDeletions(context, name))]);
}

/** Does the same again, once nothing lets them log in any more: a login, or a link that somebody with the old password confirmed, may have been faster than {@link endUser}. The link stored as `kept` stays. */
export async function endLate(context: Context, name: string, kept?: string): Promise<void> {
  await deleteAll(context, [...(await sessionDeletions(context, name)), ...(await inviteDeletions(context, name, kept))]);
}

/** Sessions that end in one transaction with their user; of more than these the rest end before. */
const maxTogether = 500;

/**
 * Everything that goes in one transaction with a user: their sessions, so that whoever is logged in is told that the user was removed, the identity
 * (which frees the name), the password, failed logins. Takes back their invites before.
 */
export async function userDeletions(context: Context, name: string): Promise<readonly Operation[]> {
  const sessions = await sessionDeletions(context, name);
  await deleteAll(context, [...sessions.slice(maxTogether), ...(await inviteDeletions(context, name))]);
  return [
    ...sessions.slice(0, maxTogether),
    ...(await nameDeletions(context, name)),
    { op: "delete", kind: kinds.password, name },
    { op: "delete", kind: kinds.mfa, name },
    { op: "delete", kind: kinds.attempts, name: lockoutName(name) },
  ];
}

/** Somebody who came through a connector, as the store has them. */
export interface ConnectorPerson {
  readonly item: StoredItem;
  readonly subject: string;
}

/** The identities of people who came through a connector. */
export async function identitiesOf(context: Context, kind: Connector["kind"], connector: string): Promise<readonly ConnectorPerson[]> {
  const items = await context.store.list(kinds.identity);
  return items.map((item) => ({ item, subject: readRecord(identityRecord, item).subject })).filter(({ subject }) => isOfConnector(subject, kind, connector));
}
