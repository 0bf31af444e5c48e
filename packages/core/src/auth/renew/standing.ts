import { buildRoleSet, type RoleSet } from "../../access/index.ts";
import { GatehouseError } from "../../base/index.ts";
import type { CertificateIdentity } from "../../ca/index.ts";
import type { User } from "../../resources/index.ts";
import type { Operation, StoredItem } from "../../store/index.ts";
import { mayRenew, renewalEnd, wholeSecond } from "../certificates.ts";
import type { Context } from "../context.ts";
import { refuseLockedLogin } from "../locks.ts";
import { identityRecord, kinds, readRecord, sessionRecord, type RenewalRecord, type SessionRecord } from "../records.ts";
import { readRole, readUser, toStored } from "../stored-resources.ts";
import { endOf, refuseLocked } from "../users.ts";

const again = "log in again: tsh login";

/** A login session that is under way and may be renewed by its record, as the store has it. */
export interface RenewableSession {
  readonly id: string;
  readonly item: StoredItem;
  readonly session: SessionRecord;
  readonly renewal: RenewalRecord;
}

/** Why sessions without a record of renewal have none. */
function neverRenewed({ method, headless }: SessionRecord): string {
  if (method === "sign") return "an administrator signed it, and signs it again";
  if (method === "join") return "a machine joins again";
  return headless === true ? "it was approved in a browser elsewhere" : "it began before this gateway could renew any";
}

/** Throws `unauthenticated` where the session is over, `access_denied` where no such session is renewed. */
export async function readRenewable({ store }: Context, certificate: CertificateIdentity): Promise<RenewableSession> {
  const id = certificate.sessionId ?? "";
  const item = await store.get(kinds.session, id);
  if (!item) throw new GatehouseError("unauthenticated", "your login session has ended", { hint: again });
  const session = readRecord(sessionRecord, item);
  const { renewal } = session;
  if (!renewal) throw new GatehouseError("access_denied", `this login is not renewed: ${neverRenewed(session)}`);
  return { id, item, session, renewal };
}

/** What a person's next certificates may be. */
export interface Standing {
  readonly roles: readonly string[];
  readonly roleSet: RoleSet;
  /** They end then at the latest, ms since the epoch. */
  readonly latest: number;
  /** What has to be true still, and written, for certificates that end at `expires`. */
  operations(expires: number): readonly Operation[];
}

async function rolesHeld({ store }: Context, session: SessionRecord, user: User): Promise<Pick<Standing, "roles" | "roleSet">> {
  const names = session.roles.filter((name) => user.spec.roles.includes(name));
  const items = (await Promise.all(names.map((name) => store.get("role", name)))).filter((item) => item !== undefined);
  if (items.length === 0 && session.roles.length > 0) throw new GatehouseError("access_denied", `${session.user} has none of the roles any more that this login came with`, { hint: again });
  const roles = items.map(readRole);
  return { roles: roles.map(({ metadata }) => metadata.name), roleSet: buildRoleSet(roles, session.traits) };
}

/** The record of somebody who comes through a connector ends with the last of their sessions, so it has to last as long as this one does now. */
function userOperation(stored: StoredItem, user: User, expires: number): Operation {
  const { expires: end } = user.metadata;
  if (end === undefined || Date.parse(end) >= expires) return { op: "check", kind: "user", name: stored.name, expect: stored.revision };
  const form = toStored({ ...user, metadata: { ...user.metadata, expires: new Date(expires).toISOString() } });
  return { op: "put", kind: form.kind, name: form.name, value: form.value, expires: form.expires, expect: stored.revision };
}

/** Whether somebody may go on by the login that they began: from the store, so that nothing slips past a change that is being told. Throws why not. */
export async function standingOf(context: Context, { id, session, renewal }: RenewableSession): Promise<Standing> {
  const { store, clock } = context;
  const { user: name, subject, method } = session;
  const [stored, identity] = await Promise.all([store.get("user", name), store.get(kinds.identity, name)]);
  const user = stored && readUser(stored);
  if (!stored || !user || !identity || readRecord(identityRecord, identity).subject !== subject) throw new GatehouseError("access_denied", `user "${name}" does not exist any more, or is somebody else now`, { hint: again });
  refuseLocked(user, clock.now());
  const held = await rolesHeld(context, session, user);
  await refuseLockedLogin(context, name, held.roles, [id]);
  if (!mayRenew(held.roleSet, method)) {
    const off = held.roleSet.options().certificateRenewal === "off";
    throw new GatehouseError("access_denied", off ? `a role of ${name} lets no login be renewed (certificate_renewal: off)` : `logins through a connector are renewed where a role says certificate_renewal: any, and none of ${name} does`);
  }
  // A local user's own end stays; that of a connector's person is moved by each login, but for one that an administrator has set.
  const ownEnd = method === "local" ? endOf(user) : user.spec.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(user.spec.expires);
  return {
    ...held,
    latest: Math.min(renewalEnd(renewal, session.created, held.roleSet), wholeSecond(ownEnd)),
    operations: (expires) => [
      method === "local" ? { op: "check", kind: "user", name: stored.name, expect: stored.revision } : userOperation(stored, user, expires),
      { op: "check", kind: kinds.identity, name, expect: identity.revision },
    ],
  };
}
