import type { EventFields } from "../audit/index.ts";
import { GatehouseError } from "../base/index.ts";
import { stalePins } from "../connectors/index.ts";
import { expiryOf, type Resource } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { conclude, transactIfUnchanged, untilUnchanged } from "./admin-change.ts";
import { missing } from "./admin-get.ts";
import { preferenceName } from "./bootstrap.ts";
import { tokenNotes } from "./bots.ts";
import { authorize, callerName } from "./caller.ts";
import { prepareConnector } from "./connector-change.ts";
import type { Context } from "./context.ts";
import { lockFields, lockNotes, prepareLock } from "./lock-change.ts";
import { claim } from "./nodes/index.ts";
import { giveRoles } from "./role-use.ts";
import { fromStored, shownName, storedName, toStored, type StoredForm } from "./stored-resources.ts";
import type { Admin, AdminChange, Caller } from "./types.ts";
import { prepareUser } from "./user-change.ts";
import { keptUntil } from "./users.ts";

type Mode = Parameters<Admin["put"]>[2];

/** What is to be written: the resource, and what goes with it. */
interface Prepared {
  readonly resource: Resource;
  readonly operations: readonly Operation[];
  readonly fields?: EventFields;
  readonly notes?: readonly string[];
}

function verbsOf(mode: Mode): readonly string[] {
  if (mode === "create") return ["create"];
  return mode === "upsert" ? ["create", "update"] : ["update"];
}

/** Throws `bad_parameter` for what would be gone at once. */
function refuseExpired(resource: Resource, now: number): void {
  const expiry = expiryOf(resource);
  if (!expiry || keptUntil(resource) > now) return;
  throw new GatehouseError("bad_parameter", `${resource.kind} "${shownName(resource.kind, resource, resource.metadata.name)}" has expired already: ${expiry.field} is ${expiry.time}`);
}

async function prepare(context: Context, caller: Caller, resource: Resource, existing: Resource | undefined): Promise<Prepared> {
  const { name } = resource.metadata;
  switch (resource.kind) {
    case "user":
      return prepareUser(context, callerName(caller), resource, existing?.kind === "user" ? existing : undefined);
    case "github": {
      const connector = await prepareConnector(context, resource, existing?.kind === "github" ? existing : undefined);
      return { resource: connector, operations: connector.kind === "github" ? await stalePins(context.store, name, connector) : [] };
    }
    case "oidc":
      return { resource: await prepareConnector(context, resource, existing?.kind === "oidc" ? existing : undefined), operations: [] };
    case "saml":
      return { resource: await prepareConnector(context, resource, existing?.kind === "saml" ? existing : undefined), operations: [] };
    case "cluster_auth_preference":
      if (name !== preferenceName) throw new GatehouseError("bad_parameter", `the one cluster_auth_preference is called "${preferenceName}"`);
      return { resource, operations: [] };
    case "lock": {
      const lock = prepareLock(context, callerName(caller), resource, existing?.kind === "lock" ? existing : undefined);
      return { resource: lock, operations: [], fields: lockFields(lock), notes: await lockNotes(context, lock) };
    }
    case "bot":
      return { resource, operations: await giveRoles(context, resource.spec.roles, existing?.kind === "bot" ? existing.spec.roles : []) };
    case "token":
      return { resource, operations: [], notes: await tokenNotes(context, resource) };
    case "node":
      return { resource, operations: await claim(context, resource, existing?.kind === "node" ? existing : undefined) };
    case "role":
      return { resource, operations: [] };
  }
}

/** Whether the resource may be written over what is there. Throws `already_exists`, `not_found` or `compare_failed`. */
function checkMode(mode: Mode, resource: Resource, stored: StoredItem | undefined): void {
  const { kind, metadata } = resource;
  const what = kind === "token" ? "this token" : `${kind} "${metadata.name}"`;
  if (mode === "create" && stored) throw new GatehouseError("already_exists", `${what} already exists`, { hint: "overwrite it with: tctl create -f" });
  if (typeof mode !== "object") return;
  if (!stored) throw missing(kind, metadata.name);
  if (stored.revision !== mode.revision) {
    throw new GatehouseError("compare_failed", `${what} was changed by somebody else meanwhile (revision ${stored.revision}, yours is ${mode.revision})`, { hint: "read it again and repeat the change" });
  }
}

function isSame(stored: StoredItem, form: StoredForm): boolean {
  return stored.value === form.value && stored.secret === form.secret && stored.expires === form.expires;
}

/** `tctl create`, `create -f` and `edit`. */
export function createAdminPut(context: Context): Pick<Admin, "put"> {
  async function putOnce(caller: Caller, given: Resource, mode: Mode): Promise<AdminChange | undefined> {
    const stored = await context.store.get(given.kind, storedName(given.kind, given.metadata.name));
    const existing = stored && fromStored(stored, { withSecrets: true });
    // A rule with `where` has to hold for what is replaced as well as for what replaces it.
    if (existing && mode !== "create") await authorize(context, caller, given.kind, ["update"], existing);
    checkMode(mode, given, stored);
    const { resource, operations, fields, notes } = await prepare(context, caller, given, existing);
    refuseExpired(resource, context.clock.now());
    const form = toStored(resource);
    const { kind, name } = form;
    if (stored && isSame(stored, form) && operations.every((operation) => operation.op === "check")) {
      return { kind, name: shownName(kind, resource, name), outcome: "unchanged", revision: stored.revision, streams: { checked: 0, ended: 0 } };
    }
    const items = await transactIfUnchanged(context, [
      { op: "put", kind, name, value: form.value, secret: form.secret, expires: form.expires, expect: stored?.revision ?? "absent" },
      ...operations,
    ]);
    const item = items?.[0];
    return item && conclude(context, caller, { kind, name: shownName(kind, resource, resource.metadata.name), outcome: stored ? "updated" : "created", revision: item.revision, fields, notes });
  }

  return {
    async put(caller, resource, mode) {
      await authorize(context, caller, resource.kind, verbsOf(mode), resource);
      return untilUnchanged(resource.kind, () => putOnce(caller, resource, mode));
    },
  };
}
