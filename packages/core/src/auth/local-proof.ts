import { auditEvents } from "../audit/index.ts";
import { GatehouseError } from "../base/index.ts";
import type { SecondFactor, User } from "../resources/index.ts";
import type { Context } from "./context.ts";
import { createLockout, type Lockout } from "./lockout.ts";
import { checkProof, factorsOperation, loadFactors, needsFactor, readFactors, type Policy, type Proof, type Used } from "./mfa/index.ts";
import { partyOf } from "./policy.ts";
import { identityRecord, kinds, passwordRecord, readRecord } from "./records.ts";
import { readUser } from "./stored-resources.ts";
import type { RequestOrigin } from "./types.ts";

/** Longest name that is looked up. */
export const maxUserName = 256;

/** A local user who has shown that it is them. */
export interface Proved {
  readonly user: User;
  readonly subject: string;
  readonly passwordHash: string;
  readonly passwordRevision: number;
  readonly identityRevision: number;
}

/** What somebody says to be let in. */
export interface Claim {
  readonly user: string;
  readonly password: string;
  readonly proof: Proof;
  readonly policy: Policy;
  readonly origin: RequestOrigin;
}

/** It was not them. `reason` is for the audit log alone, and there only where the password was right. */
export class NotProved extends GatehouseError {
  readonly reason: string | undefined;

  constructor(policy: SecondFactor, reason: string | undefined) {
    if (policy === "off") super("access_denied", "invalid username or password");
    else super("access_denied", "invalid username, password or second factor", { hint: "a security key is asked in the browser: tsh login --mfa=browser. No second factor yet, or lost it? An administrator makes a link: tctl users reset" });
    this.reason = reason;
  }
}

/** Proves local users (reference §1.6). */
export interface LocalProof {
  /**
   * Looks at the password and the second factor, in work that tells nothing of who exists and which of the two was wrong; uses the factor up.
   * Counts for the lockout. Throws {@link NotProved}, or `access_denied` while the user is locked out.
   */
  prove(claim: Claim): Promise<Proved>;
}

const maxTries = 5;

/** The local user of this name, if there is one with a password; and their factors, or none. */
async function find({ store }: Context, name: string) {
  const [user, identity, password, mfa] = await Promise.all([store.get("user", name), store.get(kinds.identity, name), store.get(kinds.password, name), store.get(kinds.mfa, name)]);
  const factors = readFactors(mfa);
  if (!user || !identity || password?.secret === undefined) return { factors };
  const { subject } = readRecord(identityRecord, identity);
  if (!subject.startsWith("local:")) return { factors };
  readRecord(passwordRecord, password);
  const proved: Proved = { user: readUser(user), subject, passwordHash: password.secret, passwordRevision: password.revision, identityRevision: identity.revision };
  return { proved, factors };
}

/** One lockout for all ways in, over the store. */
export function createLocalProof(context: Context): LocalProof {
  const lockout: Lockout = createLockout(context.store, context.clock, context.sharedKey);
  const check = (claim: Claim, factors: Parameters<typeof checkProof>[1]): ReturnType<typeof checkProof> =>
    checkProof(claim.policy.secondFactor, factors, claim.proof, { hashes: context.mfaHashes, now: context.clock.now(), party: partyOf(context, claim.policy) });

  /** Of two who show the same code at once, one gets past this. */
  async function useUp(claim: Claim, name: string, first: Used, revision: number | undefined): Promise<Used> {
    let [used, read] = [first, revision];
    for (let tries = 1; ; tries++) {
      try {
        await context.store.transact([factorsOperation(name, used.factors, read)]);
        return used;
      } catch (error) {
        if (!(error instanceof GatehouseError && ["compare_failed", "not_found", "already_exists"].includes(error.code)) || tries >= maxTries) throw error;
      }
      const now = await loadFactors(context.store, name);
      const again = await check(claim, now.factors);
      if (!("factors" in again)) throw new NotProved(claim.policy.secondFactor, again.reason);
      [used, read] = [again, now.revision];
    }
  }

  return {
    async prove(claim) {
      const { secondFactor } = claim.policy;
      const found = claim.user.length > maxUserName ? { factors: readFactors(undefined) } : await find(context, claim.user);
      const proved = "proved" in found ? found.proved : undefined;
      const { factors, revision } = found.factors;
      await lockout.begin(claim.user, proved !== undefined);
      const matches = await context.passwords.verify(proved?.passwordHash, claim.password);
      const outcome = secondFactor === "off" ? undefined : await check(claim, factors);
      if (!matches || !proved) throw new NotProved(secondFactor, undefined);
      const name = proved.user.metadata.name;
      if (outcome && needsFactor(secondFactor, factors)) {
        if (!("factors" in outcome)) throw new NotProved(secondFactor, outcome.reason);
        const used = await useUp(claim, name, outcome, revision);
        await context.audit.emit({ ...auditEvents.mfaUse, user: name, method: used.method, device: used.device, recovery_codes: used.factors.recovery?.digests.length, "addr.remote": claim.origin.remoteAddress });
      }
      await lockout.succeeded(claim.user);
      return proved;
    },
  };
}
