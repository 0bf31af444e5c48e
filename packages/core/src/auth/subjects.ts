import type { Operation, StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import type { Connector } from "../resources/index.ts";
import { digest, identityRecord, kinds, readRecord, subjectRecord, type IdentityRecord, type SubjectRecord } from "./records.ts";
import { readUser } from "./stored-resources.ts";
import { lockOf } from "./users.ts";

/**
 * How a connector's person is known here. GitHub's ids are numbers and stand as they are; others are texts of any kind and length, and their hash stands
 * in, so that no id can be taken for a part of a connector's name.
 */
export function subjectId(person: { readonly type: Connector["kind"]; readonly connector: string; readonly id: string }): string {
  return `${person.type}:${person.connector}:${person.type === "github" ? person.id : digest(person.id)}`;
}

/** Whether a subject is somebody of this connector. Its name may hold colons: "corp:eu" is not "corp". */
export function isOfConnector(subject: string, kind: Connector["kind"], connector: string): boolean {
  const prefix = `${kind}:${connector}:`;
  return subject.startsWith(prefix) && /^[0-9a-f]+$/.test(subject.slice(prefix.length));
}

/** The user name that a subject has, and what says so in the store. */
export interface KnownName {
  /** Absent for a subject that has none yet. */
  readonly identity: StoredItem | undefined;
  /** The record that leads from the subject to the name; absent or out of date for one from before there were such records. */
  readonly record: StoredItem | undefined;
}

const subjectOf = (item: StoredItem): string => readRecord(identityRecord, item).subject;

/**
 * The subject's identity, by looking at all of them. Where a person got several user names, from before names stayed, it is one that an
 * administrator has locked, or else the oldest.
 */
async function searchIdentity({ store, clock }: Context, subject: string): Promise<StoredItem | undefined> {
  const items = (await store.list(kinds.identity)).filter((item) => subjectOf(item) === subject);
  const users = await Promise.all(items.map(({ name }) => store.get("user", name)));
  const locked = items.find((_, index) => {
    const user = users[index];
    return user !== undefined && lockOf(readUser(user), clock.now()) !== undefined;
  });
  return locked ?? items.toSorted((a, b) => readRecord(identityRecord, a).created - readRecord(identityRecord, b).created)[0];
}

/** Under which user name a subject is known. */
export async function findKnownName(context: Context, subject: string): Promise<KnownName> {
  const { store } = context;
  const record = await store.get(kinds.subject, subject);
  const identity = record && (await store.get(kinds.identity, readRecord(subjectRecord, record).user));
  if (identity && subjectOf(identity) === subject) return { identity, record };
  return { identity: await searchIdentity(context, subject), record };
}

/** Gives the user name to the subject for good, or goes on if it has it still. */
export function nameOperations(subject: string, username: string, known: KnownName, now: number): readonly Operation[] {
  const { identity, record } = known;
  const name: IdentityRecord = { subject, created: now };
  const back: SubjectRecord = { user: username };
  return [
    identity
      ? { op: "check", kind: kinds.identity, name: username, expect: identity.revision }
      : { op: "put", kind: kinds.identity, name: username, value: JSON.stringify(name), expect: "absent" },
    identity && record && readRecord(subjectRecord, record).user === username
      ? { op: "check", kind: kinds.subject, name: subject, expect: record.revision }
      : { op: "put", kind: kinds.subject, name: subject, value: JSON.stringify(back), expect: record?.revision ?? "absent" },
  ];
}

/** Takes the user name from whoever has it, if that is still who has it. */
export async function nameDeletions({ store }: Context, username: string): Promise<readonly Operation[]> {
  const identity = await store.get(kinds.identity, username);
  if (!identity) return [{ op: "check", kind: kinds.identity, name: username, expect: "absent" }];
  const record = await store.get(kinds.subject, subjectOf(identity));
  const leadsHere = record && readRecord(subjectRecord, record).user === username;
  return [
    { op: "delete", kind: kinds.identity, name: username, expect: identity.revision },
    ...(leadsHere ? [{ op: "delete" as const, kind: kinds.subject, name: record.name, expect: record.revision }] : []),
  ];
}
