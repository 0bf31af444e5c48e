import { auditEvents } from "../audit/index.ts";
import { GatehouseError, describeDuration, randomHex } from "../base/index.ts";
import { parseResource, type Traits, type User } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { missing } from "./admin-get.ts";
import { authorize, callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import { lockoutName } from "./lockout.ts";
import { digest, identityRecord, inviteRecord, kinds, readRecord, type InviteRecord } from "./records.ts";
import { readUser, toStored } from "./stored-resources.ts";
import type { Admin } from "./types.ts";
import { checkRoles, endLateSessions, endUser, localIdentity } from "./user-change.ts";

const minTtl = 60_000;
const maxTtl = 48 * 3_600_000;

/** A one-use token and the operation that stores its hash. */
interface NewInvite {
  readonly token: string;
  readonly expires: number;
  readonly operation: Operation;
}

function newInvite(context: Context, user: string, purpose: InviteRecord["purpose"], ttl: number): NewInvite {
  if (!(ttl >= minTtl && ttl <= maxTtl)) throw new GatehouseError("bad_parameter", `a sign-up link lives ${describeDuration(minTtl)} to ${String(maxTtl / 3_600_000)} h`);
  const token = randomHex(context.random, 16);
  const created = context.clock.now();
  const record: InviteRecord = { user, purpose, created };
  const expires = created + ttl;
  return { token, expires, operation: { op: "put", kind: kinds.invite, name: digest(token), value: JSON.stringify(record), expires, expect: "absent" } };
}

function newUser(context: Context, by: string, name: string, roles: readonly string[], traits: Traits): User {
  const created_by = { time: new Date(context.clock.now()).toISOString(), user: { name: by } };
  const user = parseResource({ kind: "user", version: "v2", metadata: { name }, spec: { roles, traits, created_by } });
  if (user.kind !== "user") throw new GatehouseError("internal", "a user was read as something else");
  return user;
}

/** Sign-up and reset links of local users. */
export function createInvites(context: Context): Pick<Admin, "inviteUser" | "resetUser" | "readInvite" | "acceptInvite"> {
  const { store, audit } = context;

  async function find(token: string): Promise<{ readonly item: StoredItem; readonly record: InviteRecord }> {
    const item = /^[0-9a-f]{32}$/.test(token) ? await store.get(kinds.invite, digest(token)) : undefined;
    if (!item) throw new GatehouseError("not_found", "this link was used already, or has expired", { hint: "ask an administrator for a new one" });
    return { item, record: readRecord(inviteRecord, item) };
  }

  return {
    async inviteUser(caller, { name, roles, traits, ttl }) {
      const by = callerName(caller);
      const user = newUser(context, by, name, roles, traits);
      await authorize(context, caller, "user", ["create"], user);
      await checkRoles(context, roles);
      const invite = newInvite(context, name, "invite", ttl);
      const form = toStored(user);
      try {
        await store.transact([{ op: "put", kind: form.kind, name, value: form.value, expect: "absent" }, localIdentity(context, name), invite.operation]);
      } catch (error) {
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
      const invite = newInvite(context, name, "reset", ttl);
      await endUser(context, name);
      await store.transact([
        { op: "check", kind: "user", name, expect: stored.revision },
        { op: "check", kind: kinds.identity, name, expect: identity.revision },
        { op: "delete", kind: kinds.password, name },
        { op: "delete", kind: kinds.mfa, name },
        { op: "delete", kind: kinds.attempts, name: lockoutName(name) },
        invite.operation,
      ]);
      await endLateSessions(context, name);
      await context.snapshot.settled();
      await audit.emit({ ...auditEvents.userReset, user: callerName(caller), name, expires: new Date(invite.expires).toISOString() });
      return { token: invite.token, expires: invite.expires };
    },

    async readInvite(token) {
      const { record } = await find(token);
      return { user: record.user };
    },

    async acceptInvite(token, password, origin) {
      const { item, record } = await find(token);
      const { user: name } = record;
      const hash = await context.passwords.hash(password);
      const identity = await store.get(kinds.identity, name);
      if (!identity || !readRecord(identityRecord, identity).subject.startsWith("local:")) throw missing("user", name);
      try {
        await store.transact([
          { op: "delete", kind: kinds.invite, name: item.name, expect: item.revision },
          { op: "check", kind: "user", name, expect: "present" },
          { op: "check", kind: kinds.identity, name, expect: identity.revision },
          { op: "put", kind: kinds.password, name, value: JSON.stringify({ changed: context.clock.now() }), secret: hash },
          { op: "delete", kind: kinds.attempts, name: lockoutName(name) },
        ]);
      } catch (error) {
        if (error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code)) await find(token);
        throw error;
      }
      await audit.emit({ ...auditEvents.userPassword, user: name, purpose: record.purpose, "addr.remote": origin.remoteAddress });
    },
  };
}
