import type { Context } from "../context.ts";
import type { VouchedPerson } from "../sso-admit.ts";
import { findStanding } from "../sso-user.ts";
import type { RequestOrigin } from "../types.ts";
import { refuseLocked } from "../users.ts";
import { giveTicket } from "./prove.ts";
import type { HeadlessTicket } from "./types.ts";

/** What becomes of somebody who logs in through a connector to decide about a login elsewhere: a ticket. `known` is told their user name before anything of theirs is refused. */
export function createSsoApprover(context: Context) {
  return async (id: string, { person, revision, roles, traits }: VouchedPerson, known: (user: string) => void, origin: RequestOrigin): Promise<HeadlessTicket> => {
    const { username, user } = await findStanding(context, person);
    known(username);
    if (user) refuseLocked(user, context.clock.now());
    const plain = Object.fromEntries(Object.entries(traits).map(([name, values]) => [name, [...values]]));
    return giveTicket(context, id, { person: { type: "sso", user: username, kind: person.type, connector: person.connector, revision, name: person.name, id: person.id, roles: [...roles], traits: plain }, roles, traits }, origin);
  };
}
