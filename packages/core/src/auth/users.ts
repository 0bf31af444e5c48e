import { GatehouseError } from "../base/index.ts";
import { expiryOf, type Resource, type User } from "../resources/index.ts";

/** Why a user may not come in now, or undefined. An administrator's lock, with its own end if it has one. */
export function lockOf(user: User, now: number): string | undefined {
  const { status } = user.spec;
  if (status?.is_locked !== true) return undefined;
  if (status.lock_expires !== undefined && isPast(status.lock_expires, now)) return undefined;
  const message = status.locked_message === undefined || status.locked_message === "" ? "" : `: ${status.locked_message}`;
  return `user "${user.metadata.name}" is locked${message}`;
}

/** A lock without an end is written by some as the zero time. */
function isPast(time: string, now: number): boolean {
  const end = Date.parse(time);
  return end > 0 && end <= now;
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
