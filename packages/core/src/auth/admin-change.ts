import { resourceChange, type EventFields } from "../audit/index.ts";
import { GatehouseError } from "../base/index.ts";
import type { Kind } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import { raceCodes } from "./issue.ts";
import type { AdminChange, Caller } from "./types.ts";

const verbs = { created: "create", updated: "update", deleted: "delete" } as const;

/** A change that is in the store. */
export interface Applied {
  readonly kind: Kind;
  /** As it may be told: a secret one is hidden. */
  readonly name: string;
  readonly outcome: keyof typeof verbs;
  readonly revision: number;
  /** What the audit log is told besides. */
  readonly fields?: EventFields | undefined;
  readonly notes?: readonly string[] | undefined;
}

/** Waits until a change is in force here, audits it, and looks at the streams it concerns. Throws `unavailable`, saying that the change stands, where it cannot be audited. */
export async function conclude(context: Context, caller: Caller, applied: Applied): Promise<AdminChange> {
  const { kind, name, outcome, revision } = applied;
  await context.snapshot.settled();
  const streams = await context.onApplied();
  try {
    await context.audit.emit(resourceChange({ kind, verb: verbs[outcome], name, user: callerName(caller), revision, fields: applied.fields }));
  } catch (error) {
    throw new GatehouseError("unavailable", `${kind} "${name}" was ${outcome}, but that could not be written to the audit log`, { hint: "look at the gateway's disk", cause: error });
  }
  const { notes = [] } = applied;
  return { kind, name, outcome, revision, streams, ...(notes.length > 0 ? { notes } : {}) };
}

const chunk = 500;

/** Deletions, some hundred at a time. */
export async function deleteAll(context: Context, operations: readonly Operation[]): Promise<void> {
  for (let start = 0; start < operations.length; start += chunk) await context.store.transact(operations.slice(start, start + chunk));
}

const maxTries = 10;

/** {@link Context.store}'s `transact`, or undefined where an expectation did not hold. */
export async function transactIfUnchanged(context: Context, operations: readonly Operation[]): Promise<readonly StoredItem[] | undefined> {
  try {
    return await context.store.transact(operations);
  } catch (error) {
    if (error instanceof GatehouseError && raceCodes.includes(error.code)) return undefined;
    throw error;
  }
}

/** Does it again, looking at everything anew, where what it stands on changed on the way (undefined). Throws `compare_failed` after some times. */
export async function untilUnchanged<T>(kind: string, once: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 1; tries <= maxTries; tries++) {
    const done = await once();
    if (done !== undefined) return done;
  }
  throw new GatehouseError("compare_failed", `${kind} is being changed by others all the time`, { hint: "try again" });
}
