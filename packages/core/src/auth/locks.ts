import { activeLock, describeLock, findLock, type ActiveLock } from "../access/index.ts";
import { GatehouseError, type Logger } from "../base/index.ts";
import type { LockTarget } from "../resources/index.ts";
import type { StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { readLock } from "./stored-resources.ts";

/** Somebody or something is locked. */
export class Locked extends GatehouseError {
  /** Name of the lock. */
  readonly lock: string;

  constructor(lock: ActiveLock) {
    super("access_denied", describeLock(lock), { hint: "ask an administrator to remove the lock" });
    this.lock = lock.name;
  }
}

const targetFields: readonly (keyof LockTarget)[] = ["user", "role", "login", "node", "kube_cluster", "session"];

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
}

/** As much of a lock as can be read. What cannot (a field of a later version, a value that is no text) narrows nothing: it is taken to match. */
function salvage(item: StoredItem): ActiveLock {
  let spec: unknown;
  try {
    spec = field(JSON.parse(item.value), "spec");
  } catch {
    // Not even JSON: then nothing narrows it, and it concerns everybody.
  }
  const target = Object.fromEntries(targetFields.map((key) => [key, field(field(spec, "target"), key)]).filter(([, value]) => typeof value === "string")) as LockTarget;
  const message = field(spec, "message");
  return { name: item.name, target, message: typeof message === "string" ? message : undefined, expires: item.expires ?? Number.POSITIVE_INFINITY, unreadable: true };
}

/** A stored lock as it is enforced. One that cannot be read counts for everybody whom it could concern, and is logged. */
export function enforce(item: StoredItem, logger: Logger): ActiveLock {
  try {
    return activeLock(readLock(item));
  } catch (error) {
    const lock = salvage(item);
    logger.error({ lock: item.name, target: { ...lock.target }, err: error }, "a stored lock cannot be read; it refuses everybody whom it could concern until it is removed: tctl locks rm");
    return lock;
  }
}

/** Throws {@link Locked} for a login of somebody who is locked, or who would get a role that is, or for one that is locked itself (`sessions`); from the store, so that no login slips past a lock that is being told. */
export async function refuseLockedLogin(context: Context, user: string, roles: readonly string[], sessions: readonly string[] = []): Promise<void> {
  const locks = (await context.store.list("lock")).map((item) => enforce(item, context.logger));
  const lock = findLock(locks, { user, roles, sessions }, context.clock.now());
  if (lock) throw new Locked(lock);
}

/** Locks by what they are about. */
export interface LockLists {
  /** About people, roles and sessions alone. */
  readonly people: readonly ActiveLock[];
  /** Those, of `people` and `clusters`, that name a session. */
  readonly sessions: readonly ActiveLock[];
  /** Also about a Kubernetes cluster. */
  readonly clusters: readonly ActiveLock[];
  /** Also about a host, or an account on hosts. */
  readonly hosts: readonly ActiveLock[];
}

/** Sorts locks into {@link LockLists}. */
export function sortLocks(locks: readonly ActiveLock[]): LockLists {
  const ofHost = ({ target }: ActiveLock): boolean => target.login !== undefined || target.node !== undefined;
  const hosts = locks.filter(ofHost);
  const clusters = locks.filter((lock) => !ofHost(lock) && lock.target.kube_cluster !== undefined);
  const people = locks.filter((lock) => !ofHost(lock) && lock.target.kube_cluster === undefined);
  return { people, hosts, clusters, sessions: locks.filter((lock) => !ofHost(lock) && lock.target.session !== undefined) };
}
