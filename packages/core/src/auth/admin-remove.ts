import { GatehouseError } from "../base/index.ts";
import { accessRole } from "../connectors/index.ts";
import { botUserName, connectorKinds, isConnectorKind, type Connector, type Kind, type Resource, type ResourceRef } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { conclude, transactIfUnchanged, untilUnchanged } from "./admin-change.ts";
import { kindsOf, missing } from "./admin-get.ts";
import { asUser, botDeletions, findTokenById, joinedDeletions } from "./bots.ts";
import { authorize } from "./caller.ts";
import { forgetConnector } from "./connector-change.ts";
import type { Context } from "./context.ts";
import { lockFields } from "./lock-change.ts";
import { unclaim } from "./nodes/index.ts";
import { kinds } from "./records.ts";
import { roleUnused } from "./role-use.ts";
import { fromStored, readConnector, readUser, shownName, storedName } from "./stored-resources.ts";
import type { Admin, AdminChange, Caller } from "./types.ts";
import { endLate, identitiesOf, userDeletions } from "./user-change.ts";

const maxNamed = 10;

function nameSome(names: readonly string[]): string {
  const rest = names.length - maxNamed;
  return rest > 0 ? `${names.slice(0, maxNamed).join(", ")} and ${String(rest)} more` : names.join(", ");
}

/** Whether a connector names the role; what an expansion like `$1` may come to is not known. */
function gives(connector: Connector, role: string): boolean {
  switch (connector.kind) {
    case "github":
      return connector.spec.teams_to_roles.some((entry) => entry.roles.includes(role)) || (role === accessRole && connector.spec.teams_to_logins.length > 0);
    case "oidc":
      return connector.spec.claims_to_roles.some((entry) => entry.roles.includes(role));
    case "saml":
      return connector.spec.attributes_to_roles.some((entry) => entry.roles.includes(role));
  }
}

/** Refuses to remove a role that somebody has or would get (reference §8.14). */
async function refuseUsedRole(context: Context, role: string): Promise<void> {
  const users = [...(await context.store.list("user")).map(readUser), ...(await context.store.list("bot")).map(asUser)].filter((user) => user.spec.roles.includes(role));
  const stored = await Promise.all(connectorKinds.map((kind) => context.store.list(kind)));
  const connectors = stored.flat().map(readConnector).filter((connector) => gives(connector, role));
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
    if (kind === "role") {
      const unused = await roleUnused(context, name);
      await refuseUsedRole(context, name);
      return [unused];
    }
    if (kind === "node") return unclaim(context, name);
    if (kind === "bot") return botDeletions(context, name);
    if (kind === "token") return joinedDeletions(context, name);
    return kind === "user" ? userDeletions(context, name) : [];
  }

  async function find(kind: Kind, name: string): Promise<StoredItem | undefined> {
    const stored = await store.get(kind, storedName(kind, name));
    if (stored) return stored;
    if (kind === "token") return findTokenById(context, name);
    // A user who came through a connector has gone by themselves, but the name is still theirs.
    if (kind === "user") return store.get(kinds.identity, name);
    // A removal that was cut short has left the connector's people behind.
    return isConnectorKind(kind) ? (await identitiesOf(context, kind, name))[0]?.item : undefined;
  }

  /** Of `connectors/NAME` the kind that has one of this name. Throws `bad_parameter` where several have. */
  async function theKind(ref: ResourceRef, name: string): Promise<Kind> {
    const [first, ...others] = kindsOf(ref);
    if (others.length === 0) return first;
    const found = await Promise.all([first, ...others].map(async (kind) => ((await find(kind, name)) ? [kind] : [])));
    const [kind, ...more] = found.flat();
    if (more.length > 0) throw new GatehouseError("bad_parameter", `several connectors are called "${name}"`, { hint: `say which: ${found.flat().map((one) => `${one}/${name}`).join(", ")}` });
    return kind ?? first;
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
    if (isConnectorKind(kind)) await forgetConnector(context, kind, name);
    try {
      return await conclude(context, caller, { kind, name: shownName(kind, resource, name), outcome: "deleted", revision: found.revision, fields: resource?.kind === "lock" ? lockFields(resource) : undefined });
    } finally {
      if (kind === "user") await endLate(context, name);
      if (kind === "bot") await endLate(context, botUserName(name));
    }
  }

  return {
    async remove(caller, ref) {
      const { name } = ref;
      if (name === undefined) throw new GatehouseError("bad_parameter", `name what to remove: ${ref.kind}/…`);
      const kind = await theKind(ref, name);
      return untilUnchanged(kind, () => removeOnce(caller, kind, name));
    },
  };
}
