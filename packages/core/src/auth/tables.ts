import type { ActiveLock } from "../access/index.ts";
import { GatehouseError, errorMessage, type Logger } from "../base/index.ts";
import { botPrefix, type Role, type User } from "../resources/index.ts";
import type { StoredItem } from "../store/index.ts";
import { asUser, botSubject } from "./bots.ts";
import { enforce, sortLocks, type LockLists } from "./locks.ts";
import { identityRecord, kinds, readRecord, sessionRecord, type SessionRecord } from "./records.ts";
import type { NodeEntry } from "./nodes/types.ts";
import { nodeEntry } from "./nodes/entry.ts";
import { readNode, readRole, readUser } from "./stored-resources.ts";
import { endOf } from "./users.ts";

export const snapshotKinds = ["user", "role", "lock", "bot", "node", kinds.identity, kinds.session, kinds.revokedHost] as const;
export type SnapshotKind = (typeof snapshotKinds)[number];

export function isSnapshotKind(kind: string): kind is SnapshotKind {
  return (snapshotKinds as readonly string[]).includes(kind);
}

/** A login session as the gatekeeper needs it. */
export interface Session extends SessionRecord {
  /** ms since the epoch. */
  readonly expires: number;
}

/** What the gatekeeper decides by. */
export interface Tables {
  user(name: string): User | undefined;
  /** Throws `access_denied` for one that is stored but cannot be read: what it denies is not known. */
  role(name: string): Role | undefined;
  /** Subject id that a user name belongs to. */
  identity(name: string): string | undefined;
  session(id: string): Session | undefined;
  /** Every lock there is, those that have ended since included. */
  locks(): LockLists;
  /** Login sessions by id, those included that have ended and were not swept yet. */
  sessions(): Iterable<readonly [string, Session]>;
  /** Sessions that were taken away in the last ten minutes, by id: what was minted for them may still be out. */
  endedSessions(now: number): ReadonlyMap<string, { readonly user: string }>;
  /** Serials of host certificates that count no more. */
  revokedHosts(): ReadonlySet<bigint>;
  /** Every host; the same array until one changes. */
  nodes(): readonly NodeEntry[];
  /** Takes over what is stored now under a name. True where a decision already made may come out otherwise. */
  apply(kind: SnapshotKind, name: string, item: StoredItem | undefined, now: number): boolean;
  /** Takes over all of a kind. */
  replace(kind: SnapshotKind, items: readonly StoredItem[], now: number): boolean;
}

/** A table of one kind: how an item is read, and which changes matter. */
class Table<T> {
  readonly entries = new Map<string, T>();
  readonly #read: (item: StoredItem) => T;
  readonly #matters: (before: T | undefined, after: T | undefined, now: number) => boolean;

  constructor(read: (item: StoredItem) => T, matters: (before: T | undefined, after: T | undefined, now: number) => boolean) {
    this.#read = read;
    this.#matters = matters;
  }

  apply(name: string, item: StoredItem | undefined, now: number): boolean {
    const before = this.entries.get(name);
    const after = item && this.#read(item);
    if (after === undefined) this.entries.delete(name);
    else this.entries.set(name, after);
    return this.#matters(before, after, now);
  }

  replace(items: readonly StoredItem[], now: number): boolean {
    const present = new Set(items.map((item) => item.name));
    const gone = [...this.entries.keys()].filter((name) => !present.has(name));
    let matters = false;
    for (const name of gone) matters = this.apply(name, undefined, now) || matters;
    for (const item of items) matters = this.apply(item.name, item, now) || matters;
    return matters;
  }
}

interface StoredRole {
  readonly value: string;
  /** Absent for one that cannot be read. */
  readonly role: Role | undefined;
}

interface StoredNode {
  readonly value: string;
  /** Absent for one that cannot be read. */
  readonly entry: NodeEntry | undefined;
}

interface StoredLock {
  readonly value: string;
  readonly lock: ActiveLock;
}

/** What the change feed does to a table. */
type Changes = Pick<Table<unknown>, "apply" | "replace">;

/** A table from which something is derived: `forget` is called before each change. */
function forgetting(table: Changes, forget: () => void): Changes {
  return {
    apply(name, item, now) {
      forget();
      return table.apply(name, item, now);
    },
    replace(items, now) {
      forget();
      return table.replace(items, now);
    },
  };
}

/** ms: certificates for one connection live five minutes, and clocks of hosts may be behind. */
const endedFor = 10 * 60_000;

/** Sessions that ended lately, the first ended first. */
function createEnded(): { add(id: string, user: string, now: number): void; read(now: number): ReadonlyMap<string, { readonly user: string }> } {
  const entries = new Map<string, { readonly user: string; readonly at: number }>();
  const forget = (now: number): void => {
    for (const [id, { at }] of entries) {
      if (now - at < endedFor) return;
      entries.delete(id);
    }
  };
  return {
    add(id, user, now) {
      forget(now);
      entries.set(id, { user, at: now });
    },
    read(now) {
      forget(now);
      return entries;
    },
  };
}

/** What of a session a decision depends on besides its end: a renewal changes none of it. */
function substance(session: Session): string {
  return JSON.stringify({ ...session, renewal: undefined, expires: undefined });
}

/** What of a user a decision depends on. */
function weight(user: User): string {
  return JSON.stringify([user.spec.roles, user.spec.status ?? null]);
}

/**
 * Empty tables. New users, identities and sessions alter no decision already made, for nobody was let in without them; a new role may, for
 * certificates can name it already.
 */
export function createTables(logger: Logger): Tables {
  const tryRead = <T>(item: StoredItem, read: (item: StoredItem) => T): T | undefined => {
    try {
      return read(item);
    } catch (error) {
      logger.error({ kind: item.kind, name: item.name, error: errorMessage(error) }, "a stored item cannot be read; whoever depends on it is refused");
      return undefined;
    }
  };

  const users = new Table<User | undefined>(
    (item) => tryRead(item, readUser),
    (before, after) => before !== undefined && (after === undefined || weight(before) !== weight(after) || endOf(after) < endOf(before)),
  );
  const bots = new Table<User | undefined>(
    (item) => tryRead(item, asUser),
    (before, after) => before !== undefined && (after === undefined || weight(before) !== weight(after) || endOf(after) < endOf(before)),
  );
  const roles = new Table<StoredRole>(
    (item) => ({ value: item.value, role: tryRead(item, readRole) }),
    (before, after) => before?.value !== after?.value,
  );
  const identities = new Table<string | undefined>(
    (item) => tryRead(item, () => readRecord(identityRecord, item).subject),
    (before, after) => before !== undefined && before !== after,
  );
  const sessions = new Table<Session | undefined>(
    (item) => tryRead(item, () => ({ ...readRecord(sessionRecord, item), expires: item.expires ?? 0 })),
    (before, after, now) => before !== undefined && before.expires > now && (after === undefined || after.expires < before.expires || substance(before) !== substance(after)),
  );
  const locks = new Table<StoredLock>(
    (item) => ({ value: item.value, lock: enforce(item, logger) }),
    (before, after) => before?.value !== after?.value,
  );
  let sorted: LockLists | undefined;
  const lockTable = forgetting(locks, () => (sorted = undefined));
  const nodes = new Table<StoredNode>(
    (item) => ({ value: item.value, entry: tryRead(item, () => nodeEntry(readNode(item))) }),
    (before, after) => before?.value !== after?.value,
  );
  let listed: readonly NodeEntry[] | undefined;
  const nodeTable = forgetting(nodes, () => (listed = undefined));
  const ended = createEnded();
  const sessionTable: Changes = {
    apply(name, item, now) {
      const before = sessions.entries.get(name);
      if (before && !item) ended.add(name, before.user, now);
      return sessions.apply(name, item, now);
    },
    replace(items, now) {
      const present = new Set(items.map(({ name }) => name));
      for (const [name, before] of sessions.entries) if (before && !present.has(name)) ended.add(name, before.user, now);
      return sessions.replace(items, now);
    },
  };
  const revoked = new Set<bigint>();
  const revokedTable: Changes = {
    apply(name, item) {
      const serial = BigInt(name);
      const isKnown = revoked.has(serial);
      if (item) revoked.add(serial);
      else revoked.delete(serial);
      return isKnown !== (item !== undefined);
    },
    replace(items) {
      const before = [...revoked].join();
      revoked.clear();
      for (const { name } of items) revoked.add(BigInt(name));
      return before !== [...revoked].join();
    },
  };
  const byKind: Readonly<Record<SnapshotKind, Changes>> = { user: users, bot: bots, role: roles, lock: lockTable, node: nodeTable, identity: identities, session: sessionTable, [kinds.revokedHost]: revokedTable };

  return {
    user: (name) => (name.startsWith(botPrefix) ? bots.entries.get(name.slice(botPrefix.length)) : users.entries.get(name)),
    role(name) {
      const stored = roles.entries.get(name);
      if (stored && !stored.role) throw new GatehouseError("access_denied", `role "${name}" cannot be read by this gateway, so nobody who has it is let in`);
      return stored?.role;
    },
    identity: (name) => (name.startsWith(botPrefix) ? botSubject(name.slice(botPrefix.length)) : identities.entries.get(name)),
    session: (id) => sessions.entries.get(id),
    locks: () => (sorted ??= sortLocks([...locks.entries.values()].map(({ lock }) => lock))),
    *sessions() {
      for (const [id, session] of sessions.entries) if (session) yield [id, session] as const;
    },
    endedSessions: (now) => ended.read(now),
    revokedHosts: () => revoked,
    nodes: () => (listed ??= [...nodes.entries.values()].flatMap(({ entry }) => (entry ? [entry] : []))),
    apply: (kind, name, item, now) => byKind[kind].apply(name, item, now),
    replace: (kind, items, now) => byKind[kind].replace(items, now),
  };
}
