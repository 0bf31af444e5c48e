import { toGatehouseError } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { loadRoleSet, refuseHeadless } from "../issue.ts";
import { refuseLockedLogin } from "../locks.ts";
import { digest, kinds } from "../records.ts";
import { randomToken } from "../sso-request.ts";
import type { RequestOrigin } from "../types.ts";
import { loadPending, ticketCookie, type ProvedPerson } from "./record.ts";
import { refuse } from "./refuse.ts";
import type { HeadlessTicket } from "./types.ts";

/** Somebody who has proved who they are, with what they may have. */
export interface Prover {
  readonly person: ProvedPerson;
  readonly roles: readonly string[];
  readonly traits: Readonly<Record<string, readonly string[]>>;
}

/**
 * Gives the browser of somebody who has proved who they are a ticket to decide about a request. Throws `access_denied`, audited, for anybody but the user
 * that the request is of, and for one who may not: then the terminal is told too.
 */
export async function giveTicket(context: Context, id: string, { person, roles, traits }: Prover, origin: RequestOrigin): Promise<HeadlessTicket> {
  const request = await loadPending(context, id);
  const by = person.user;
  const address = origin.remoteAddress;
  if (by !== request.record.user) {
    throw await refuse(context, request, { code: "access_denied", message: `this login was not asked for by ${by}, so ${by} cannot approve it`, hint: "log in as the user that the terminal names", by, address, final: false });
  }
  try {
    await refuseLockedLogin(context, by, roles);
    refuseHeadless(by, await loadRoleSet(context, roles, traits));
  } catch (thrown) {
    const { code, message, hint } = toGatehouseError(thrown);
    if (code !== "access_denied") throw thrown;
    throw await refuse(context, request, { code, message, hint, by, address, final: true });
  }
  const token = randomToken(context.random);
  await context.store.transact([{ op: "put", kind: kinds.headlessTicket, name: digest(token), value: JSON.stringify({ request: id, person }), expires: request.item.expires, expect: "absent" }]);
  return { cookie: { name: ticketCookie(id), value: token, crossSite: false } };
}
