import type { SshLoginResponse } from "../../api/index.ts";
import { toGatehouseError } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { admitLocally } from "../local-login.ts";
import { admit } from "../sso-admit.ts";
import { readUser } from "../stored-resources.ts";
import type { RequestOrigin } from "../types.ts";
import { unknownRequest, type HeadlessRequest, type ProvedPerson } from "./record.ts";
import { refuse } from "./refuse.ts";

async function issue(context: Context, person: ProvedPerson, { id, record }: HeadlessRequest, origin: RequestOrigin): Promise<SshLoginResponse> {
  const wish = { publicKey: record.publicKey, ttl: record.ttl, compatibility: "", headless: id };
  if (person.type === "sso") {
    const { kind, connector, revision, name, id: external, roles, traits } = person;
    return admit(context, { person: { type: kind, connector, name, id: external }, revision, roles, traits }, wish, origin, () => undefined);
  }
  const user = await context.store.get("user", person.user);
  if (!user) throw unknownRequest();
  return admitLocally(context, { ...wish, user: person.user, origin }, { ...person, user: readUser(user) });
}

/**
 * Certificates for the terminal whose request somebody has approved, from what is true now: a lock, a reset password or another connector since the approval refuses. A refusal is
 * audited.
 */
export async function issueTo(context: Context, person: ProvedPerson, request: HeadlessRequest, origin: RequestOrigin): Promise<SshLoginResponse> {
  try {
    return await issue(context, person, request, origin);
  } catch (thrown) {
    const { code, message, hint } = toGatehouseError(thrown);
    if (code === "internal") throw thrown;
    throw await refuse(context, request, { code, message, hint, by: person.user, address: origin.remoteAddress, final: false });
  }
}
