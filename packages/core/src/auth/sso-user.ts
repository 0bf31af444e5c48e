import { GatehouseError } from "../base/index.ts";
import type { Traits, User } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { identityRecord, kinds, readRecord, type IdentityRecord } from "./records.ts";
import { readUser, toStored } from "./stored-resources.ts";
import { refuseLocked } from "./users.ts";

/** Somebody as an identity provider knows them. */
export interface ExternalPerson {
  /** Kind of the connector. */
  readonly type: "github";
  readonly connector: string;
  /** Name at the provider: what the user is called here. */
  readonly name: string;
  /** Immutable id at the provider. */
  readonly id: string;
}

/** What is stored under the person's user name. */
export interface Standing {
  readonly subject: string;
  readonly identity: StoredItem | undefined;
  readonly stored: StoredItem | undefined;
  readonly user: User | undefined;
}

/** The user name belongs to somebody else. */
export class NameTaken extends GatehouseError {
  constructor(name: string) {
    super("access_denied", `the user name "${name}" belongs to another identity in this cluster`, {
      hint: `if that one is gone for good, an administrator frees the name: tctl rm users/${name}`,
    });
  }
}

/** Whether an administrator has said that this user name is for that connector's people. */
function isMeantFor(user: User, person: ExternalPerson): boolean {
  const by = user.spec.created_by?.connector;
  if (by) return by.type === person.type && by.id === person.connector;
  return (user.spec.github_identities ?? []).some((identity) => identity.connector_id === person.connector && identity.username === person.name);
}

/** Who holds the person's user name. Throws {@link NameTaken} where it is not this person, `access_denied` where they are locked. */
export async function findStanding(context: Context, person: ExternalPerson): Promise<Standing> {
  const { store, clock } = context;
  const subject = `${person.type}:${person.connector}:${person.id}`;
  if (person.name.startsWith("system:")) throw new NameTaken(person.name);
  const [identity, stored] = await Promise.all([store.get(kinds.identity, person.name), store.get("user", person.name)]);
  const user = stored && readUser(stored);
  if (identity && readRecord(identityRecord, identity).subject !== subject) throw new NameTaken(person.name);
  if (!identity && user && !isMeantFor(user, person)) throw new NameTaken(person.name);
  if (user) refuseLocked(user, clock.now());
  return { subject, identity, stored, user };
}

/** When an administrator has said that the user ends, ms since the epoch; infinity where none has. The record's own end is moved by each login. */
export function appointedEnd({ user }: Standing): number {
  return user?.spec.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(user.spec.expires);
}

/** The user record of somebody who came through a connector (reference §2.3); it ends with the last of their sessions. */
function describeUser(person: ExternalPerson, standing: Standing, grant: { readonly roles: readonly string[]; readonly traits: Traits }, now: number, expires: number): User {
  const { user } = standing;
  const before = user?.metadata.expires;
  const end = before === undefined ? (user ? Number.POSITIVE_INFINITY : expires) : Math.max(Date.parse(before), expires);
  const metadata = user?.metadata ?? { name: person.name };
  return {
    kind: "user",
    version: "v2",
    metadata: { ...metadata, expires: Number.isFinite(end) ? new Date(end).toISOString() : undefined },
    spec: {
      roles: grant.roles,
      traits: grant.traits,
      ...(user?.spec.expires === undefined ? {} : { expires: user.spec.expires }),
      ...(user?.spec.status === undefined ? {} : { status: user.spec.status }),
      created_by: user?.spec.created_by ?? {
        connector: { type: person.type, id: person.connector, identity: person.name },
        time: new Date(now).toISOString(),
        user: { name: "system" },
      },
      github_identities: [{ connector_id: person.connector, username: person.name }],
    },
  };
}

/** Writes the user, and pins the name to the person, if nothing of it has changed since {@link findStanding}. */
export function userOperations(
  person: ExternalPerson,
  standing: Standing,
  grant: { readonly roles: readonly string[]; readonly traits: Traits },
  now: number,
  expires: number,
): readonly Operation[] {
  const form = toStored(describeUser(person, standing, grant, now, expires));
  const identity: IdentityRecord = { subject: standing.subject, created: now };
  return [
    { op: "put", kind: form.kind, name: form.name, value: form.value, expires: form.expires, expect: standing.stored?.revision ?? "absent" },
    standing.identity
      ? { op: "check", kind: kinds.identity, name: person.name, expect: standing.identity.revision }
      : { op: "put", kind: kinds.identity, name: person.name, value: JSON.stringify(identity), expect: "absent" },
  ];
}
