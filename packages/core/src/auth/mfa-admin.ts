import { auditEvents } from "../audit/index.ts";
import { GatehouseError, didYouMean } from "../base/index.ts";
import { botPrefix } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import { missing } from "./admin-get.ts";
import { authorize, callerName } from "./caller.ts";
import type { Context } from "./context.ts";
import { newLink } from "./link-store.ts";
import { factorsOperation, loadFactors, suffices, viewOf, type Device, type Factors } from "./mfa/index.ts";
import type { MfaAdmin } from "./mfa-types.ts";
import { readPolicy } from "./policy.ts";
import { identityRecord, inviteRecord, kinds, readRecord, sessionRecord } from "./records.ts";
import { readUser } from "./stored-resources.ts";
import type { Caller, Identity } from "./types.ts";

/** ms that a person's own link works. */
const ownLinkTime = 10 * 60_000;

function noSuchDevice(user: string, name: string, { devices }: Factors): GatehouseError {
  const names = devices.map((device) => device.name);
  return new GatehouseError("not_found", `${user} has no second factor "${name}"${didYouMean(name, names)}`, { hint: names.length === 0 ? "there is none" : `there is: ${names.join(", ")}` });
}

/** Second factors for their owners and for administrators. */
export function createMfaAdmin(context: Context): MfaAdmin {
  const { store, audit } = context;

  function requireLocal(subject: string): void {
    if (subject.startsWith(botPrefix)) throw new GatehouseError("bad_parameter", "you are logged in as a bot, and bots have no second factors");
    if (!subject.startsWith("local:")) throw new GatehouseError("bad_parameter", "you log in through a connector, and its provider asks for your second factor", { hint: "only local users have second factors here" });
  }

  /** Who has a session's files is not always the person: what others made for a machine begins no change of how the person is known. */
  async function requireOwnLogin({ sessionId, username }: Identity): Promise<void> {
    const item = await store.get(kinds.session, sessionId);
    if (item && readRecord(sessionRecord, item).method === "local") return;
    throw new GatehouseError("access_denied", `second factors are changed with a login of one's own alone, and not with an identity file that was signed for ${username}`, {
      hint: "log in with the password: tsh login --auth=local",
    });
  }

  /** Deletions of the links that somebody made for their own second factors: the last one counts. */
  async function olderLinks(user: string): Promise<readonly Operation[]> {
    const isOld = (item: StoredItem): boolean => {
      const record = readRecord(inviteRecord, item);
      return record.user === user && record.purpose !== "invite" && record.purpose !== "reset";
    };
    return (await store.list(kinds.invite)).filter(isOld).map(({ name }) => ({ op: "delete", kind: kinds.invite, name }));
  }

  async function requireUser(caller: Caller, name: string, verb: "read" | "update"): Promise<{ readonly user: StoredItem; readonly identity: StoredItem }> {
    const [user, identity] = await Promise.all([store.get("user", name), store.get(kinds.identity, name)]);
    await authorize(context, caller, "user", [verb], user && readUser(user));
    if (!user) throw missing("user", name);
    if (!identity || !readRecord(identityRecord, identity).subject.startsWith("local:")) throw new GatehouseError("bad_parameter", `user "${name}" logs in through a connector and has no second factor here`);
    return { user, identity };
  }

  return {
    async own({ subjectId, username }) {
      requireLocal(subjectId);
      return viewOf((await loadFactors(store, username)).factors);
    },

    async link(identity, wanted) {
      const { subjectId, username } = identity;
      requireLocal(subjectId);
      await requireOwnLogin(identity);
      const { secondFactor } = await readPolicy(context);
      if (secondFactor === "off") throw new GatehouseError("bad_parameter", "this cluster asks for no second factor", { hint: "an administrator turns it on: auth_service.authentication.second_factor" });
      const { factors } = await loadFactors(store, username);
      const device = wanted.purpose === "remove" ? factors.devices.find(({ name }) => name === wanted.device) : undefined;
      if (wanted.purpose === "remove" && !device) throw noSuchDevice(username, wanted.device, factors);
      if (wanted.purpose === "codes" && factors.devices.length === 0) throw new GatehouseError("bad_parameter", "recovery codes stand in for a second factor, and you have none yet", { hint: "tsh mfa add" });
      const link = newLink(context, { user: username, purpose: wanted.purpose, device: device?.id }, ownLinkTime);
      await store.transact([...(await olderLinks(username)), link.operation]);
      return { token: link.token, expires: link.expires };
    },

    async of(caller, name) {
      await requireUser(caller, name, "read");
      return viewOf((await loadFactors(store, name)).factors);
    },

    async remove(caller, name, device) {
      const { user, identity } = await requireUser(caller, name, "update");
      const { factors, revision } = await loadFactors(store, name);
      const removed: readonly Device[] = factors.devices.filter((candidate) => device === undefined || candidate.name === device);
      if (device !== undefined && removed.length === 0) throw noSuchDevice(name, device, factors);
      const left: Factors = device === undefined ? { devices: [] } : { ...factors, devices: factors.devices.filter((other) => !removed.includes(other)) };
      const same: readonly Operation[] = [
        { op: "check", kind: "user", name, expect: user.revision },
        { op: "check", kind: kinds.identity, name, expect: identity.revision },
      ];
      if (revision !== undefined) await store.transact([...same, factorsOperation(name, left, revision)]);
      for (const { name: of, type } of removed) await audit.emit({ ...auditEvents.mfaRemove, user: name, device: of, method: type, by: callerName(caller) });
      return { removed: removed.map((one) => one.name), canLogIn: suffices((await readPolicy(context)).secondFactor, left) };
    },
  };
}
