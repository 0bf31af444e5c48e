/** Logins that are approved in a browser elsewhere. */
import type { Context } from "../context.ts";
import { proveLocally } from "../local-login.ts";
import type { LocalProof } from "../local-proof.ts";
import type { BeginSso } from "../sso-start.ts";
import { createHeadlessAsk } from "./ask.ts";
import { createHeadlessDecide } from "./decide.ts";
import { giveTicket } from "./prove.ts";
import { loadPending } from "./record.ts";
import type { Headless } from "./types.ts";

export type * from "./types.ts";
export { createSsoApprover } from "./sso.ts";

/** See {@link Headless}. */
export function createHeadless(context: Context, proof: LocalProof, begin: BeginSso): Headless {
  return {
    ...createHeadlessAsk(context),
    ...createHeadlessDecide(context),
    async find(id) {
      await loadPending(context, id);
    },
    async startSso({ id, ...wish }) {
      await loadPending(context, id);
      return begin(wish, { type: "headless", request: id });
    },
    async proveLocally({ id, user, password, code, origin }) {
      await loadPending(context, id);
      const proved = await proveLocally(context, proof, { user, password, proof: { code }, origin });
      const { spec, metadata } = proved.user;
      const { subject, passwordRevision, identityRevision } = proved;
      return giveTicket(context, id, { person: { type: "local", user: metadata.name, subject, passwordRevision, identityRevision }, roles: spec.roles, traits: spec.traits }, origin);
    },
  };
}
