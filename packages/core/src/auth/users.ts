import { GatehouseError } from "../base/index.ts";
import { expiryOf, type Resource, type User } from "../resources/index.ts";

/** When an administrator's lock of the user ends, ms since the epoch: infinity for one without an end, 0 where there is none. */
export function lockEnd(user: User): number {
  const { status } = user.spec;
  if (status?.is_locked !== true) return 0;
  const end = status.lock_expires === undefined ? 0 : Date.parse(status.lock_expires);
  // A lock without an end is written by some as the zero time.
  return end > 0 ? end : Number.POSITIVE_INFINITY;
}

/** Why a user may not come in now, or undefined. An administrator's lock, with its own end if it has one. */
export function lockOf(user: User, now: number): string | undefined {
  if (lockEnd(user) <= now) return undefined;
  const { status } = user.spec;
  const message = status?.locked_message === undefined || status.locked_message === "" ? "" : `: ${status.locked_message}`;
  return `user "${user.metadata.name}" is locked${message}`;
}

/** Throws `access_denied` for a locked user. */
export function refuseLocked(user: User, now: number): void {
  const lock = lockOf(user, now);
  if (lock !== undefined) throw new GatehouseError("access_denied", lock, { hint: "ask an administrator to unlock it" });
}

/** When the resource ends, ms since the epoch; infinity for one that stays. */
export function endOf(resource: Resource): number {
  const expiry = expiryOf(resource);
  return expiry === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiry.time);
}

/**
 * Until when the resource is kept in the store, ms since the epoch: until its end, but a locked user no shorter than the lock holds. A user of a
 * connector ends with the last session and is made anew by the next login, which must find the lock.
 */
export function keptUntil(resource: Resource): number {
  if (resource.kind === "lock") return resource.spec.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(resource.spec.expires);
  return resource.kind === "user" ? Math.max(endOf(resource), lockEnd(resource)) : endOf(resource);
}
