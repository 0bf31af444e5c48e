import { auditEvents } from "../audit/index.ts";
import { GatehouseError } from "../base/index.ts";
import { parseResource, type Traits, type User } from "../resources/index.ts";
import { missing } from "./admin-get.ts";
import { authorize, callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import { newLink } from "./link-store.ts";
import { lockoutName } from "./lockout.ts";
import { identityRecord, kinds, readRecord } from "./records.ts";
import { giveRoles } from "./role-use.ts";
import { readUser, toStored } from "./stored-resources.ts";
import type { Admin } from "./types.ts";
import { endLate, endUser, localIdentity } from "./user-change.ts";

function newUser(context: Context, by: string, name: string, roles: readonly string[], traits: Traits): User {
  const created_by = { time: new Date(context.clock.now()).toISOString(), user: { name: by } };
  const user = parseResource({ kind: "user", version: "v2", metadata: { name }, spec: { roles, traits, created_by } });
  if (user.kind !== "user") throw new GatehouseError("internal", "a user was read as something else");
  return user;
}

/** Sign-up and reset links of local users. */
export function createInvites(context: Context): Pick<Admin, "inviteUser" | "resetUser"> {
  const { store, audit } = context;

  return {
    async inviteUser(caller, { name, roles, traits, ttl }) {
      const by = callerName(caller);
      const user = newUser(context, by, name, roles, traits);
      await authorize(context, caller, "user", ["create"], user);
      const given = await giveRoles(context, roles, []);
      const invite = newLink(context, { user: name, purpose: "invite" }, ttl);
      const form = toStored(user);
      try {
        await store.transact([{ op: "put", kind: form.kind, name, value: form.value, expect: "absent" }, localIdentity(context, name), ...given, invite.operation]);
      } catch (error) {
        // A role was removed meanwhile.
        if (error instanceof GatehouseError && error.code === "not_found") await giveRoles(context, roles, []);
        if (!(error instanceof GatehouseError && error.code === "already_exists")) throw error;
        throw new GatehouseError("already_exists", `user "${name}" already exists, or the name belongs to somebody who came through a connector`, { hint: "a new link for a local user: tctl users reset" });
      }
      await audit.emit({ ...auditEvents.userInvite, user: by, name, roles, traits, expires: new Date(invite.expires).toISOString() });
      return { token: invite.token, expires: invite.expires };
    },

    async resetUser(caller, name, ttl) {
      const [stored, identity] = await Promise.all([store.get("user", name), store.get(kinds.identity, name)]);
      await authorize(context, caller, "user", ["update"], stored && readUser(stored));
      if (!stored) throw missing("user", name);
      if (!identity || !readRecord(identityRecord, identity).subject.startsWith("local:")) {
        const connector = readUser(stored).spec.created_by?.connector?.id;
        throw new GatehouseError("bad_parameter", `user "${name}" logs in through a connector and has no password here`, { hint: connector === undefined ? undefined : `they log in with: tsh login --auth=${connector}` });
      }
      const invite = newLink(context, { user: name, purpose: "reset" }, ttl);
      await endUser(context, name);
      await store.transact([
        { op: "check", kind: "user", name, expect: stored.revision },
        { op: "check", kind: kinds.identity, name, expect: identity.revision },
        { op: "delete", kind: kinds.password, name },
        { op: "delete", kind: kinds.mfa, name },
        { op: "delete", kind: kinds.attempts, name: lockoutName(name) },
        invite.operation,
      ]);
      await endLate(context, name, invite.operation.name);
      await context.snapshot.settled();
      await audit.emit({ ...auditEvents.userReset, user: callerName(caller), name, expires: new Date(invite.expires).toISOString() });
      return { token: invite.token, expires: invite.expires };
    },
  };
}
