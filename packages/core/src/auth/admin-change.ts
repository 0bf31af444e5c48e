import { resourceChange, type EventFields } from "../audit/index.ts";
import { GatehouseError } from "../base/index.ts";
import { hiddenName, type Kind } from "../resources/index.ts";
import type { Operation } from "../store/index.ts";
import { callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import type { AdminChange, Caller } from "./types.ts";

const verbs = { created: "create", updated: "update", deleted: "delete" } as const;

/** A change that is in the store. */
export interface Applied {
  readonly kind: Kind;
  readonly name: string;
  readonly outcome: keyof typeof verbs;
  readonly revision: number;
  /** What the audit log is told besides. */
  readonly fields?: EventFields | undefined;
  readonly notes?: readonly string[] | undefined;
}

/** Waits until a change is in force here, audits it, and looks at the streams it concerns. Throws `unavailable`, saying that the change stands, where it cannot be audited. */
export async function conclude(context: Context, caller: Caller, applied: Applied): Promise<AdminChange> {
  const { kind, outcome, revision } = applied;
  const name = kind === "token" ? hiddenName : applied.name;
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
