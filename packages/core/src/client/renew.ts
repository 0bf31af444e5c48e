import { createPrivateKey } from "node:crypto";
import type { AdminClient } from "../api/index.ts";
import { GatehouseError, escapeLine, toGatehouseError, type Clock } from "../base/index.ts";
import { connectAdmin, type AdminConnection } from "./gateway.ts";
import type { LoginRecord } from "./lean/index.ts";
import { verifyLogin } from "./verify.ts";

/** What a renewal works with. */
export interface RenewTools {
  readonly clock: Clock;
  /** For tests: reaches the gateway as the login's person. */
  readonly connect?: ((record: LoginRecord, connection: AdminConnection) => Pick<AdminClient, "renew">) | undefined;
}

/**
 * What a renewal that failed means for the login: `never`, the gateway does not renew logins, and this one is good to its end; `refused`, something stands in the way that an
 * administrator may take away (a lock, a role); `over`, the session has ended, and only a new login helps; `later`, it may work yet.
 */
export type RenewalProspect = "never" | "refused" | "over" | "later";

/** {@link RenewalProspect} of what {@link renewLogin} threw. */
export function renewalProspect(thrown: unknown): RenewalProspect {
  const { code } = toGatehouseError(thrown);
  if (code === "unauthenticated") return "over";
  if (code === "access_denied") return "refused";
  // A gateway from before there were renewals has no such route.
  return code === "not_found" || code === "bad_parameter" ? "never" : "later";
}

/**
 * Asks the gateway for new certificates of a login over the same key, without the person. What comes back is checked as a login's answer is, and has to be for the same
 * person and cluster; times are judged by the gateway's clock, for an answer that is thrown away is a generation lost. The record that comes back replaces the one given, which must
 * not be renewed again: if the answer was lost on its way (`unavailable`), the same record may ask once more, but once the new certificates have been used for a minute its session ends.
 *
 * Throws `access_denied` where the gateway does not renew this login (its role, its kind, its end), `unauthenticated` where its session is over, `limit_exceeded` where it was
 * asked for too often, `unavailable` where the gateway cannot be reached, `internal` for an answer that cannot be used. See {@link renewalProspect}.
 */
export async function renewLogin(record: LoginRecord, { clock, connect = connectAdmin }: RenewTools): Promise<LoginRecord> {
  let gatewayNow: number | undefined;
  const response = await connect(record, { onDate: (date) => (gatewayNow = date) }).renew();
  const now = clock.now();
  const renewed = verifyLogin(response, { privateKey: createPrivateKey(record.privateKey), privateKeyPem: record.privateKey, proxy: record.proxy, user: record.username, now: gatewayNow ?? now, gatewayNow });
  if (renewed.cluster !== record.cluster) throw new GatehouseError("internal", `the gateway's answer cannot be used: it is for cluster ${escapeLine(renewed.cluster)}, not for ${escapeLine(record.cluster)}`, { hint: "nothing was stored; tell the gateway's operator" });
  return { ...renewed, issued: now };
}
