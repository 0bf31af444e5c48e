import { createHmac } from "node:crypto";
import { GatehouseError, type Clock } from "../base/index.ts";
import type { Store, StoredItem } from "../store/index.ts";
import { attemptsRecord, kinds, readRecord, type AttemptsRecord } from "./records.ts";

const maxAttempts = 5;
const window = 30 * 60_000;
const lockTime = 20 * 60_000;
/** Names that nobody has share this many records, so that guessing names fills no store and looks as guessing passwords does. */
const strangers = 4096;
const maxTries = 50;

/** Counts failed logins (reference §13.4). */
export interface Lockout {
  /** Takes an attempt before its password is looked at, so that attempts in parallel count too. Throws `access_denied` while the user is locked. */
  begin(user: string, known: boolean): Promise<void>;
  /** The attempt was good: forgets those before it. */
  succeeded(user: string): Promise<void>;
}

/**
 * Which names share a record depends on a key that all gateways know and nobody else: who could work it out would lock one stranger, and learn
 * from a name that should be locked by it and is not that somebody has that name.
 */
function strangerName(key: string, user: string): string {
  return `stranger/${String(createHmac("sha256", key).update(user).digest().readUInt32BE(0) % strangers)}`;
}

/** The record's name of a known user, for whoever removes the user. */
export function lockoutName(user: string): string {
  return `user/${user}`;
}

/** `Tue 24 15:04 UTC`. */
function formatEnd(time: number): string {
  const date = new Date(time);
  const day = date.toLocaleDateString("en-US", { weekday: "short", timeZone: "UTC" });
  return `${day} ${String(date.getUTCDate()).padStart(2, " ")} ${date.toISOString().slice(11, 16)} UTC`;
}

/** The record after one more attempt, or the end of the lock that forbids it. */
function attempt(item: StoredItem | undefined, now: number): AttemptsRecord | { readonly lockedUntil: number; readonly attempts?: never } {
  const before: AttemptsRecord = item ? readRecord(attemptsRecord, item) : { attempts: [] };
  if (before.lockedUntil !== undefined && before.lockedUntil > now) return { lockedUntil: before.lockedUntil };
  const attempts = [...before.attempts.filter((time) => time > now - window), now].slice(-maxAttempts);
  // Locked before the outcome is known: success takes the lock away again.
  return attempts.length >= maxAttempts ? { attempts, lockedUntil: now + lockTime } : { attempts };
}

/** Lockout over the store, so that all gateways count together. */
export function createLockout(store: Store, clock: Clock, sharedKey: () => Promise<string>): Lockout {
  const kind = kinds.attempts;
  return {
    async begin(user, known) {
      const shared = strangerName(await sharedKey(), user);
      const name = known ? lockoutName(user) : shared;
      for (let tries = 1; ; tries++) {
        const now = clock.now();
        const item = await store.get(kind, name);
        const next = attempt(item, now);
        if (!next.attempts) {
          throw new GatehouseError("access_denied", `${user} exceeds ${maxAttempts} failed login attempts, locked until ${formatEnd(next.lockedUntil)}`);
        }
        try {
          await store.transact([{ op: "put", kind, name, value: JSON.stringify(next), expires: now + window + lockTime, expect: item?.revision ?? "absent" }]);
          return;
        } catch (error) {
          const raced = error instanceof GatehouseError && ["already_exists", "compare_failed"].includes(error.code);
          if (!raced) throw error;
          if (tries >= maxTries) throw new GatehouseError("limit_exceeded", `too many attempts to log in as ${user} at this moment`, { hint: "try again in a few seconds" });
        }
      }
    },
    async succeeded(user) {
      await store.transact([{ op: "delete", kind, name: lockoutName(user) }]);
    },
  };
}
