import { GatehouseError } from "../base/index.ts";
import type { Kind, Resource, ResourceRef } from "../resources/index.ts";
import type { StoredItem } from "../store/index.ts";
import { authorize, decide } from "./caller.ts";
import type { Context } from "./context.ts";
import { fromStored, storedName } from "./stored-resources.ts";
import type { Admin, AdminItem, Caller } from "./types.ts";

/** Verbs that reading needs (reference §9.3). */
function readVerbs(kind: Kind, withSecrets: boolean): readonly string[] {
  if (kind !== "github") return ["read"];
  return withSecrets ? ["readnosecrets", "read"] : ["readnosecrets"];
}

/** The kind that a reference means: `connectors` are all of GitHub's, so far. */
export function kindOf(ref: ResourceRef): Kind {
  return ref.kind === "connectors" ? "github" : ref.kind;
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

/** `tctl get`: one resource, or all of a kind that the caller may read. */
export function createAdminGet(context: Context): Pick<Admin, "get"> {
  const toItem = (item: StoredItem, withSecrets: boolean): AdminItem => ({ resource: readStored(item, withSecrets), revision: item.revision });

  async function getOne(caller: Caller, kind: Kind, name: string, withSecrets: boolean): Promise<readonly AdminItem[]> {
    const stored = await context.store.get(kind, storedName(kind, name));
    const item = stored && toItem(stored, withSecrets);
    await authorize(context, caller, kind, readVerbs(kind, withSecrets), item?.resource);
    if (!item) throw missing(kind, name);
    return [item];
  }

  async function getAll(caller: Caller, kind: Kind, withSecrets: boolean): Promise<readonly AdminItem[]> {
    await authorize(context, caller, kind, ["list"]);
    const verbs = readVerbs(kind, withSecrets);
    const items = (await context.store.list(kind)).map((item) => toItem(item, withSecrets));
    const readable = items.filter(({ resource }) => verbs.every((verb) => decide(caller, kind, verb, resource).allowed));
    if (readable.length === 0) await authorize(context, caller, kind, verbs, items[0]?.resource);
    return readable;
  }

  return {
    get: (caller, ref, { withSecrets }) => (ref.name === undefined ? getAll(caller, kindOf(ref), withSecrets) : getOne(caller, kindOf(ref), ref.name, withSecrets)),
  };
}
