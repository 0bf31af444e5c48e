import { auditEvents } from "../audit/index.ts";
import { GatehouseError } from "../base/index.ts";
import { missing } from "./admin-get.ts";
import { authorize, callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import { checkRequest, issueSession } from "./issue.ts";
import { identityRecord, kinds, readRecord } from "./records.ts";
import { readUser } from "./stored-resources.ts";
import type { Admin } from "./types.ts";
import { endOf, refuseLocked } from "./users.ts";

/**
 * `tctl auth sign`: a login session of a user for whoever holds the private key. It takes `create` and `update` on that user, which is what it takes to become a
 * local user by another way (an invite, a reset); a person who comes through a connector can be signed for by the administrator of the host alone.
 */
export function createSign(context: Context): Pick<Admin, "signUser"> {
  const { store } = context;
  return {
    async signUser(caller, { name, publicKey, ttl, compatibility, origin }) {
      const [stored, identity] = await Promise.all([store.get("user", name), store.get(kinds.identity, name)]);
      const user = stored && readUser(stored);
      await authorize(context, caller, "user", ["create", "update"], user);
      checkRequest({ publicKey, ttl, compatibility });
      const now = context.clock.now();
      if (!user || !identity || endOf(user) <= now) throw missing("user", name);
      const { subject } = readRecord(identityRecord, identity);
      if (caller.type === "person" && !subject.startsWith("local:")) {
        throw new GatehouseError("access_denied", `"${name}" comes in through a connector: the administrator of the gateway's host alone can sign for them`, { hint: "make a user, or a bot, of its own for what runs without a person" });
      }
      refuseLocked(user, now);
      const by = callerName(caller);
      return issueSession(context, {
        username: name,
        subjectId: subject,
        roles: user.spec.roles,
        traits: user.spec.traits,
        publicKey,
        ttl: Math.min(ttl, endOf(user) - now),
        compatibility,
        method: "sign",
        origin,
        overRoleTtl: caller.type === "local-admin",
        event: (session) => ({ ...auditEvents.authSign, user: by, name, session, "addr.remote": origin.remoteAddress }),
        alongside: () => [
          { op: "check", kind: "user", name, expect: stored.revision },
          { op: "check", kind: kinds.identity, name, expect: identity.revision },
        ],
      });
    },
  };
}
