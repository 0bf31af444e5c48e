import { GatehouseError, toGatehouseError, type ErrorCode } from "../base/index.ts";
import { connectorKinds, implicitRoleName, isConnectorKind, type Kind, type Resource, type ResourceRef } from "../resources/index.ts";
import type { StoredItem } from "../store/index.ts";
import { authorize, decide } from "./caller.ts";
import type { Context } from "./context.ts";
import { fromStored, storedName } from "./stored-resources.ts";
import type { Admin, AdminItem, Caller } from "./types.ts";

/** Verbs that reading needs (reference §9.3). */
function readVerbs(kind: Kind, withSecrets: boolean): readonly string[] {
  if (!isConnectorKind(kind)) return ["read"];
  return withSecrets ? ["readnosecrets", "read"] : ["readnosecrets"];
}

/** The kinds that a reference means: `connectors` are of several. */
export function kindsOf(ref: ResourceRef): readonly [Kind, ...Kind[]] {
  return ref.kind === "connectors" ? connectorKinds : [ref.kind];
}

/** The error for a resource that is not there. */
export function missing(kind: Kind, name: string): GatehouseError {
  return new GatehouseError("not_found", kind === "token" ? "this token does not exist" : `${kind} "${name}" does not exist`);
}

/** {@link fromStored}; what cannot be read is named, so that an administrator knows what to remove. */
function readStored(item: StoredItem, withSecrets: boolean): Resource {
  try {
    return fromStored(item, { withSecrets });
  } catch (error) {
    const shown = item.kind === "token" ? "a stored token" : `the stored ${item.kind} "${item.name}"`;
    const hint = item.kind === "token" ? undefined : `on the gateway's machine it can be removed: tctl rm ${item.kind}/${item.name}`;
    throw new GatehouseError("not_implemented", `${shown} cannot be read by this version`, { hint, cause: error });
  }
}

/**
 * Whether the caller may know of a host. Everybody's implicit role may list and read hosts (reference §8.6), and means those that they may log in to; a rule that
 * somebody wrote means all that it is about.
 */
function isShown(caller: Caller, resource: Resource): boolean {
  if (resource.kind !== "node" || caller.type !== "person") return true;
  const { roles } = caller.identity;
  const { reasons } = decide(caller, "node", "read", resource);
  return reasons[0]?.role !== implicitRoleName || roles.logins().some((login) => roles.node(resource.metadata.labels ?? {}, login).allowed);
}

/** `tctl get`: one resource, or all of a kind that the caller may read. */
export function createAdminGet(context: Context): Pick<Admin, "get"> {
  const toItem = (item: StoredItem, withSecrets: boolean): AdminItem => ({ resource: readStored(item, withSecrets), revision: item.revision, ...(item.kind === "token" ? { id: item.name } : {}) });

  async function getOne(caller: Caller, kind: Kind, name: string, withSecrets: boolean): Promise<readonly AdminItem[]> {
    const stored = await context.store.get(kind, storedName(kind, name));
    const item = stored && toItem(stored, withSecrets);
    await authorize(context, caller, kind, readVerbs(kind, withSecrets), item?.resource);
    if (!item || !isShown(caller, item.resource)) throw missing(kind, name);
    return [item];
  }

  async function getAll(caller: Caller, kind: Kind, withSecrets: boolean): Promise<readonly AdminItem[]> {
    await authorize(context, caller, kind, ["list"]);
    const verbs = readVerbs(kind, withSecrets);
    const items = (await context.store.list(kind)).map((item) => toItem(item, withSecrets));
    const readable = items.filter(({ resource }) => verbs.every((verb) => decide(caller, kind, verb, resource).allowed));
    if (readable.length === 0) await authorize(context, caller, kind, verbs, items[0]?.resource);
    return readable.filter(({ resource }) => isShown(caller, resource));
  }

  /** All of several kinds, but for those kinds that the caller may read nothing of, unless that is each of them. */
  async function getEach(kinds: readonly Kind[], read: (kind: Kind) => Promise<readonly AdminItem[]>, passed: ErrorCode, name: string | undefined): Promise<readonly AdminItem[]> {
    const outcomes = await Promise.allSettled(kinds.map(read));
    const found = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [toGatehouseError(outcome.reason)] : []));
    const decisive = refusals.find(({ code }) => code !== passed) ?? (found.length === 0 ? refusals[0] : undefined);
    if (decisive) throw decisive.code === "not_found" && name !== undefined ? new GatehouseError("not_found", `connector "${name}" does not exist`) : decisive;
    return found.flat();
  }

  return {
    async get(caller, ref, { withSecrets }) {
      const { name } = ref;
      const kinds = kindsOf(ref);
      const read = (kind: Kind): Promise<readonly AdminItem[]> => (name === undefined ? getAll(caller, kind, withSecrets) : getOne(caller, kind, name, withSecrets));
      return kinds.length === 1 ? read(kinds[0]) : getEach(kinds, read, name === undefined ? "access_denied" : "not_found", name);
    },
  };
}
