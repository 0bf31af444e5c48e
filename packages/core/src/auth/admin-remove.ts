import { GatehouseError } from "../base/index.ts";
import { accessRole } from "../connectors/index.ts";
import type { Kind, Resource } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { conclude, transactIfUnchanged, untilUnchanged } from "./admin-change.ts";
import { kindOf, missing } from "./admin-get.ts";
import { authorize } from "./caller.ts";
import { forgetConnector } from "./connector-change.ts";
import type { Context } from "./context.ts";
import { lockFields } from "./lock-change.ts";
import { kinds } from "./records.ts";
import { fromStored, readConnector, readUser, storedName } from "./stored-resources.ts";
import type { Admin, AdminChange, Caller } from "./types.ts";
import { endLateSessions, identitiesOf, userDeletions } from "./user-change.ts";

const maxNamed = 10;

function nameSome(names: readonly string[]): string {
  const rest = names.length - maxNamed;
  return rest > 0 ? `${names.slice(0, maxNamed).join(", ")} and ${String(rest)} more` : names.join(", ");
}

/** Refuses to remove a role that somebody has or would get (reference §8.14). */
async function refuseUsedRole(context: Context, role: string): Promise<void> {
  const users = (await context.store.list("user")).map(readUser).filter((user) => user.spec.roles.includes(role));
  const connectors = (await context.store.list("github")).map(readConnector).filter(({ spec }) => {
    const given = spec.teams_to_roles.some((entry) => entry.roles.includes(role));
    return given || (role === accessRole && spec.teams_to_logins.length > 0);
  });
  if (users.length > 0) {
    throw new GatehouseError("bad_parameter", `failed to delete role "${role}" that is still in use by ${nameSome(users.map((user) => user.metadata.name))}`, { hint: "take it from them first" });
  }
  if (connectors.length > 0) {
    throw new GatehouseError("bad_parameter", `failed to delete role "${role}" that connector ${nameSome(connectors.map((connector) => `"${connector.metadata.name}"`))} gives`, {
      hint: "take it out of the connector first",
    });
  }
}

/** What is stored. What this version cannot read, the administrator of the host may still remove: no rule of theirs looks into it. */
function readable(caller: Caller, stored: StoredItem): Resource | undefined {
  try {
    return fromStored(stored, { withSecrets: false });
  } catch (error) {
    if (caller.type === "local-admin") return undefined;
    throw error;
  }
}

/** `tctl rm`. */
export function createAdminRemove(context: Context): Pick<Admin, "remove"> {
  const { store } = context;

  /** Removes what hangs on the resource; returns what goes in one transaction with it. */
  async function prepare(kind: Kind, name: string) {
    if (kind === "cluster_auth_preference") throw new GatehouseError("bad_parameter", "the cluster's auth preference cannot be removed", { hint: "change it in the gateway's configuration" });
    if (kind === "role") await refuseUsedRole(context, name);
    return kind === "user" ? userDeletions(context, name) : [];
  }

  async function find(kind: Kind, name: string): Promise<StoredItem | undefined> {
    const stored = await store.get(kind, storedName(kind, name));
    if (stored) return stored;
    // A user who came through a connector has gone by themselves, but the name is still theirs.
    if (kind === "user") return store.get(kinds.identity, name);
    // A removal that was cut short has left the connector's people behind.
    return kind === "github" ? (await identitiesOf(context, name))[0]?.item : undefined;
  }

  async function removeOnce(caller: Caller, kind: Kind, name: string): Promise<AdminChange | undefined> {
    const found = await find(kind, name);
    const stored = found?.kind === kind ? found : undefined;
    const resource = stored && readable(caller, stored);
    await authorize(context, caller, kind, ["delete"], resource);
    if (!found) throw missing(kind, name);
    const others = await prepare(kind, name);
    // What the rule was asked about, and nothing that took its place since.
    const removal: Operation = stored ? { op: "delete", kind, name: stored.name, expect: stored.revision } : { op: "check", kind, name: storedName(kind, name), expect: "absent" };
    if (!(await transactIfUnchanged(context, [removal, ...others]))) return undefined;
    // Nobody comes in through it any more: whoever did so far is found.
    if (kind === "github") await forgetConnector(context, name);
    const change = await conclude(context, caller, { kind, name, outcome: "deleted", revision: found.revision, fields: resource?.kind === "lock" ? lockFields(resource) : undefined });
    if (kind === "user") await endLateSessions(context, name);
    return change;
  }

  return {
    async remove(caller, ref) {
      const kind = kindOf(ref);
      const { name } = ref;
      if (name === undefined) throw new GatehouseError("bad_parameter", `name what to remove: ${kind}/…`);
      return untilUnchanged(kind, () => removeOnce(caller, kind, name));
    },
  };
}
