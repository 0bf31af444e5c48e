import { auditEvents } from "../audit/index.ts";
import { GatehouseError, refusalId } from "../base/index.ts";
import type { Operation } from "../store/index.ts";
import { missing } from "./admin-get.ts";
import type { Context } from "./context.ts";
import { findLink, findOwnLink, saveLink, spendLink, type StoredLink } from "./link-store.ts";
import { NotProved, type LocalProof } from "./local-proof.ts";
import { lockoutName } from "./lockout.ts";
import { acceptedKinds, authenticationOptions, factorsOperation, liveChallenge, loadFactors, newChallenge, newRecoverySet, newTotpSecret, register, registrationOptions, suffices, totpUri, type Device } from "./mfa/index.ts";
import { partyOf, readPolicy } from "./policy.ts";
import { digest, identityRecord, kinds, readRecord } from "./records.ts";
import { randomToken } from "./sso-request.ts";
import type { LinkOutcome, LinkView, Links } from "./mfa-types.ts";
import type { RequestOrigin } from "./types.ts";

/** The local identity that the link's user still has. Throws `not_found`. */
async function localIdentity({ store }: Context, name: string): Promise<{ readonly revision: number; readonly subject: string }> {
  const identity = await store.get(kinds.identity, name);
  const subject = identity && readRecord(identityRecord, identity).subject;
  if (!identity || !subject?.startsWith("local:")) throw missing("user", name);
  return { revision: identity.revision, subject };
}

async function stillThere(context: Context, name: string): Promise<readonly Operation[]> {
  const { revision } = await localIdentity(context, name);
  return [
    { op: "check", kind: "user", name, expect: "present" },
    { op: "check", kind: kinds.identity, name, expect: revision },
  ];
}

/** What becomes true of the password with the end of an invite or a reset; nothing for the other links. */
function passwordOperations(context: Context, { record, secret }: StoredLink): readonly Operation[] {
  if (secret.passwordHash === undefined) return [];
  const name = record.user;
  return [
    { op: "put", kind: kinds.password, name, value: JSON.stringify({ changed: context.clock.now() }), secret: secret.passwordHash },
    { op: "delete", kind: kinds.attempts, name: lockoutName(name) },
  ];
}

async function viewOf(context: Context, { record, secret }: StoredLink): Promise<LinkView> {
  const { user, purpose } = record;
  const policy = await readPolicy(context);
  const party = partyOf(context, policy);
  const kindsNow = acceptedKinds(policy.secondFactor, party);
  if (record.registering !== true) {
    if (purpose === "invite" || purpose === "reset") return { user, purpose, step: "password" };
    const { factors } = await loadFactors(context.store, user);
    const device = factors.devices.find(({ id }) => id === record.device)?.name;
    const byKey = party !== undefined && factors.devices.some(({ type }) => type === "webauthn");
    return { user, purpose, step: "confirm", device, hasFactor: factors.devices.length > 0, webauthn: byKey };
  }
  const totp = kindsNow.totp && secret.totp !== undefined ? { secret: secret.totp, uri: totpUri(secret.totp, user, context.authorities.clusterName) } : undefined;
  const isOptional = purpose !== "add" && (policy.secondFactor === "off" || policy.secondFactor === "optional");
  return { user, purpose, step: "factor", totp, webauthn: kindsNow.webauthn, optional: isOptional };
}

/** Sign-up, reset and second-factor links, step by step. */
export function createLinks(context: Context, proof: LocalProof): Links {
  const { store, audit, random, clock } = context;

  async function auditPassword({ record, secret }: StoredLink, origin: RequestOrigin): Promise<void> {
    if (secret.passwordHash === undefined) return;
    await audit.emit({ ...auditEvents.userPassword, user: record.user, purpose: record.purpose, "addr.remote": origin.remoteAddress });
  }

  async function auditFactors(user: string, added: readonly Device[], newCodes: boolean, origin: RequestOrigin): Promise<void> {
    for (const { name, type } of added) await audit.emit({ ...auditEvents.mfaAdd, user, device: name, method: type, by: user, "addr.remote": origin.remoteAddress });
    if (newCodes) await audit.emit({ ...auditEvents.mfaRecoveryCodes, user, "addr.remote": origin.remoteAddress });
  }

  /** Takes the challenge out, so that no second answer to it counts. */
  async function takeChallenge(link: StoredLink): Promise<{ readonly link: StoredLink; readonly challenge: string }> {
    const { challenge, ...secret } = link.secret;
    if (!challenge) return { link, challenge: "" };
    return { link: await saveLink(context, link, link.record, secret), challenge: liveChallenge(challenge, clock.now()) };
  }

  /** An address may be known to others: it is in a mail, or among a browser's arguments. What comes next is for this browser alone. */
  async function startRegistering(link: StoredLink, secret: StoredLink["secret"]): Promise<LinkOutcome> {
    const pass = randomToken(random);
    const next = await viewOf(context, await saveLink(context, link, { ...link.record, registering: true, passHash: digest(pass) }, { ...secret, totp: newTotpSecret(random) }));
    return { next, pass };
  }

  async function removeDevice(token: string, link: StoredLink, origin: RequestOrigin): Promise<LinkOutcome> {
    const { user, device: id } = link.record;
    const { factors, revision } = await loadFactors(store, user);
    const device = factors.devices.find((candidate) => candidate.id === id);
    if (!device) throw new GatehouseError("not_found", "this second factor is gone already");
    const left = { ...factors, devices: factors.devices.filter((other) => other !== device) };
    if (!suffices((await readPolicy(context)).secondFactor, left)) throw new GatehouseError("bad_parameter", `"${device.name}" is the last one that you can log in with: add another first.`);
    await spendLink(context, token, link, [...(await stillThere(context, user)), factorsOperation(user, left, revision)]);
    await audit.emit({ ...auditEvents.mfaRemove, user, device: device.name, method: device.type, by: user, "addr.remote": origin.remoteAddress });
    return { done: { user, purpose: "remove", device: device.name } };
  }

  async function renewCodes(token: string, link: StoredLink, origin: RequestOrigin): Promise<LinkOutcome> {
    const { user } = link.record;
    const { factors, revision } = await loadFactors(store, user);
    const { codes, set } = newRecoverySet(random, clock.now());
    await spendLink(context, token, link, [...(await stillThere(context, user)), factorsOperation(user, { ...factors, recovery: set }, revision)]);
    await auditFactors(user, [], true, origin);
    return { done: { user, purpose: "codes", recoveryCodes: codes } };
  }

  return {
    read: async (token, pass) => viewOf(context, await findOwnLink(context, token, pass)),

    async setPassword(token, password, origin) {
      const found = await findLink(context, token);
      const { user, purpose } = found.record;
      if (purpose !== "invite" && purpose !== "reset") throw new GatehouseError("bad_parameter", "this link is not one to choose a password with");
      const passwordHash = await context.passwords.hash(password);
      const { secondFactor } = await readPolicy(context);
      const link: StoredLink = { ...found, secret: { passwordHash } };
      if (secondFactor !== "off") return startRegistering(found, link.secret);
      await spendLink(context, token, link, [...(await stillThere(context, user)), ...passwordOperations(context, link)]);
      await auditPassword(link, origin);
      return { done: { user, purpose } };
    },

    async confirm(token, { password, code, answer }, origin) {
      const { link, challenge } = await takeChallenge(await findOwnLink(context, token, undefined));
      const { user, purpose } = link.record;
      if (purpose === "invite" || purpose === "reset") throw new GatehouseError("bad_parameter", "this link asks for something else now: open it again");
      const policy = await readPolicy(context);
      try {
        // Whatever the policy takes for a login, any factor of theirs shows who they are.
        await proof.prove({ user, password, policy: { ...policy, secondFactor: "optional" }, origin, proof: { code, ...(answer === undefined ? {} : { assertion: { response: answer, challenge } }) } });
      } catch (error) {
        if (!(error instanceof NotProved)) throw error;
        const id = refusalId(random);
        await audit.emit({ ...auditEvents.mfaRefused, user, purpose, error: error.message, second_factor: error.reason, id, "addr.remote": origin.remoteAddress });
        throw new GatehouseError("access_denied", "The password or the second factor is wrong.", { id });
      }
      if (purpose === "remove") return removeDevice(token, link, origin);
      if (purpose === "codes") return renewCodes(token, link, origin);
      return startRegistering(link, link.secret);
    },

    async keyOptions(token, pass) {
      const link = await findOwnLink(context, token, pass);
      const { user } = link.record;
      const party = partyOf(context, await readPolicy(context));
      if (!party) throw new GatehouseError("bad_parameter", "this gateway is reached by an address, and security keys need a host name");
      const { subject } = await localIdentity(context, user);
      const challenge = newChallenge(random, clock.now());
      await saveLink(context, link, link.record, { ...link.secret, challenge });
      const keys = (await loadFactors(store, user)).factors.devices.filter((device) => device.type === "webauthn");
      if (link.record.registering === true) return registrationOptions(party, { name: user, handle: subject }, keys, challenge.value);
      return authenticationOptions(party, keys.map(({ credentialId: id, transports }) => ({ id, transports })), challenge.value);
    },

    async finish(token, given, origin, pass) {
      const found = await findOwnLink(context, token, pass);
      if (found.record.registering !== true) throw new GatehouseError("bad_parameter", "this link asks for something else first: open it again");
      const { link, challenge } = given.credential === undefined ? { link: found, challenge: "" } : await takeChallenge(found);
      const { user, purpose } = link.record;
      const view = await viewOf(context, link);
      const policy = await readPolicy(context);
      const { factors, revision } = await loadFactors(store, user);
      const wanted = { ...given, code: view.totp ? given.code : "" };
      const made = await register(factors, wanted, { party: view.webauthn === true ? partyOf(context, policy) : undefined, totp: link.secret.totp, challenge, random, now: clock.now() });
      if (made.added.length === 0 && view.optional !== true) throw new GatehouseError("bad_parameter", "Nothing was registered yet: type the code of your app, or add a key.");
      const operations = made.added.length === 0 ? [] : [factorsOperation(user, made.factors, revision)];
      await spendLink(context, token, link, [...(await stillThere(context, user)), ...passwordOperations(context, link), ...operations]);
      await auditPassword(link, origin);
      await auditFactors(user, made.added, made.recoveryCodes !== undefined, origin);
      return { user, purpose, device: made.added[0]?.name, recoveryCodes: made.recoveryCodes };
    },
  };
}
