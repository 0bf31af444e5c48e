/** Renewing a login without logging in again: the next certificates of a session for whoever has its newest. */
import type { SshLoginResponse } from "../../api/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import type { CertificatePair } from "../../ca/index.ts";
import type { StoredItem } from "../../store/index.ts";
import { transactIfUnchanged, untilUnchanged } from "../admin-change.ts";
import { auditCertificates, certify, loginAnswer, type CertificateWish } from "../certificates.ts";
import type { Context } from "../context.ts";
import type { SeenCertificates } from "../gatekeeper.ts";
import { kinds, type RenewalRecord, type SessionRecord } from "../records.ts";
import type { Gatekeeper, Logins } from "../types.ts";
import { Replayed, refuse } from "./refuse.ts";
import { readRenewable, standingOf, type RenewableSession, type Standing } from "./standing.ts";
import { turnOf } from "./turn.ts";

type RenewRequest = Parameters<Logins["renew"]>[0];

/** Ends the session of a login that is in two hands. Undefined where it was changed meanwhile. */
async function endReplayed(context: Context, { id, item, renewal }: RenewableSession): Promise<undefined> {
  if (!(await transactIfUnchanged(context, [{ op: "delete", kind: kinds.session, name: id, expect: item.revision }]))) return undefined;
  await context.snapshot.settled();
  await context.onApplied();
  throw new Replayed(renewal.generation);
}

/** Renewals of logins. */
export function createRenew(context: Context, gatekeeper: Pick<Gatekeeper, "identify"> & SeenCertificates): Pick<Logins, "renew"> {
  const { store, clock, snapshot, logger } = context;

  function wishFor({ id, session, renewal }: RenewableSession, standing: Standing, publicKey: string, next: Pick<CertificateWish, "generation" | "ttl" | "latest">): CertificateWish {
    const { roles, roleSet } = standing;
    return { username: session.user, subjectId: session.subject, sessionId: id, roles, roleSet, traits: session.traits, publicKey, compatibility: renewal.compatibility, ...next };
  }

  async function handOut(request: RenewRequest, wish: CertificateWish, pair: CertificatePair, latest: number): Promise<SshLoginResponse> {
    await auditCertificates(context, wish, pair, request.origin, { renewed: true, generation: wish.generation });
    await snapshot.settled();
    return loginAnswer(context, wish.username, pair, latest);
  }

  /** What was not handed out never was: whoever asked has the newest certificate still. */
  async function takeBack({ id, item }: RenewableSession, written: StoredItem | undefined): Promise<void> {
    if (!written) return;
    try {
      await store.transact([{ op: "put", kind: kinds.session, name: id, value: item.value, expires: item.expires, expect: written.revision }]);
    } catch (error) {
      logger.error({ session: id, error: errorMessage(error) }, "a renewal that was not handed out could not be taken back");
    }
  }

  /** The next generation. Undefined where what it stands on changed meanwhile. */
  async function advance(request: RenewRequest, found: RenewableSession, standing: Standing): Promise<SshLoginResponse | undefined> {
    const { id, item, session, renewal } = found;
    const now = clock.now();
    const { latest } = standing;
    const current = item.expires ?? 0;
    if (latest <= current) throw new GatehouseError("access_denied", `this login lasts until ${new Date(latest).toISOString()} at most, and no renewal moves that`, { hint: "log in again when it ends: tsh login" });
    const wish = wishFor(found, standing, request.publicKey, { generation: renewal.generation + 1, ttl: renewal.ttl, latest });
    const pair = certify(context, wish);
    const next: RenewalRecord = { ...renewal, generation: wish.generation, at: now };
    const record: SessionRecord = { ...session, renewal: next };
    const written = await transactIfUnchanged(context, [
      { op: "put", kind: kinds.session, name: id, value: JSON.stringify(record), expires: Math.max(pair.expires, current), expect: item.revision },
      ...standing.operations(pair.expires),
    ]);
    if (!written) return undefined;
    try {
      return await handOut(request, wish, pair, latest);
    } catch (error) {
      await takeBack(found, written[0]);
      throw error;
    }
  }

  /** The newest generation once more, for whoever has the one before. */
  async function repeat(request: RenewRequest, found: RenewableSession, standing: Standing): Promise<SshLoginResponse | undefined> {
    const { id, item, renewal } = found;
    const end = Math.min(item.expires ?? 0, standing.latest);
    const wish = wishFor(found, standing, request.publicKey, { generation: renewal.generation, ttl: renewal.ttl, latest: end });
    const pair = certify(context, wish);
    const isStill = await transactIfUnchanged(context, [{ op: "check", kind: kinds.session, name: id, expect: item.revision }, ...standing.operations(pair.expires)]);
    return isStill && handOut(request, wish, pair, standing.latest);
  }

  async function renewOnce(request: RenewRequest): Promise<SshLoginResponse | undefined> {
    const { certificate } = request;
    const found = await readRenewable(context, certificate);
    const turn = turnOf(found.renewal, certificate.generation, { now: clock.now(), newestUsed: gatekeeper.newestUsed(found.id) });
    if (turn === "replayed") return endReplayed(context, found);
    if (turn === "unknown") throw new GatehouseError("access_denied", "the gateway does not know that this login was renewed before, as if its store were of an earlier day", { hint: "log in again: tsh login" });
    const standing = await standingOf(context, found);
    return turn === "next" ? advance(request, found, standing) : repeat(request, found, standing);
  }

  return {
    async renew(request) {
      const { certificate, origin } = request;
      try {
        gatekeeper.identify(certificate);
        return await untilUnchanged("login session", () => renewOnce(request));
      } catch (error) {
        throw await refuse(context, certificate, origin, error);
      }
    },
  };
}
