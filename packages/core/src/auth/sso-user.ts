import { GatehouseError } from "../base/index.ts";
import type { Connector, Traits, User } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { identityRecord, kinds, readRecord } from "./records.ts";
import { roleUses } from "./role-use.ts";
import { readUser, toStored } from "./stored-resources.ts";
import { findKnownName, nameOperations, subjectId, type KnownName } from "./subjects.ts";

/** Somebody as an identity provider knows them. */
export interface ExternalPerson {
  /** Kind of the connector. */
  readonly type: Connector["kind"];
  readonly connector: string;
  /** Name at the provider, now: what the user is called here from the first login on. */
  readonly name: string;
  /** Immutable id at the provider. */
  readonly id: string;
}

/** What is stored of the person. */
export interface Standing {
  readonly subject: string;
  /** What the person is called here: names are labels, and this one stays, whatever the provider calls them later. */
  readonly username: string;
  readonly known: KnownName;
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

/** Where a user record names the identities of a kind of connector. */
export const identitiesField = { github: "github_identities", oidc: "oidc_identities", saml: "saml_identities" } as const;

/** Whether an administrator has said that this user name is for that connector's people. */
function isMeantFor(user: User, person: ExternalPerson): boolean {
  const by = user.spec.created_by?.connector;
  if (by) return by.type === person.type && by.id === person.connector;
  return (user.spec[identitiesField[person.type]] ?? []).some((identity) => identity.connector_id === person.connector && identity.username === person.name);
}

/** Under which user name the person comes in. Throws {@link NameTaken} where they have none yet and theirs is somebody else's. */
export async function findStanding(context: Context, person: ExternalPerson): Promise<Standing> {
  const { store } = context;
  const subject = subjectId(person);
  const known = await findKnownName(context, subject);
  const username = known.identity?.name ?? person.name;
  if (username.startsWith("system:")) throw new NameTaken(username);
  const [identity, stored] = await Promise.all([store.get(kinds.identity, username), store.get("user", username)]);
  const user = stored && readUser(stored);
  if (identity && readRecord(identityRecord, identity).subject !== subject) throw new NameTaken(username);
  if (!identity && user && !isMeantFor(user, person)) throw new NameTaken(username);
  return { subject, username, known, stored, user };
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
  const metadata = user?.metadata ?? { name: standing.username };
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
      [identitiesField[person.type]]: [{ connector_id: person.connector, username: person.name }],
    },
  };
}

/** Writes the user, and pins the name to the person, if nothing of that has changed since {@link findStanding}. */
export function userOperations(
  person: ExternalPerson,
  standing: Standing,
  grant: { readonly roles: readonly string[]; readonly traits: Traits },
  now: number,
  expires: number,
): readonly Operation[] {
  const form = toStored(describeUser(person, standing, grant, now, expires));
  return [
    { op: "put", kind: form.kind, name: form.name, value: form.value, expires: form.expires, expect: standing.stored?.revision ?? "absent" },
    ...roleUses(grant.roles, standing.user?.spec.roles ?? []),
    ...nameOperations(standing.subject, standing.username, standing.known, now),
  ];
}
