import type { Decision, RuleContext, SessionView } from "../access/index.ts";
import { auditEvents } from "../audit/index.ts";
import { GatehouseError, errorMessage, refusalId } from "../base/index.ts";
import { hostAdministrator, redact, resourceToJson, type Resource } from "../resources/index.ts";
import type { Context } from "./context.ts";
import type { Caller } from "./types.ts";

/** Who a call is by, for the audit log. */
export function callerName(caller: Caller): string {
  return caller.type === "person" ? caller.identity.username : hostAdministrator;
}

/** Whether the caller may do this; a resource concerned is seen by `where` without its secrets. */
export function decide(caller: Caller, kind: string, verb: string, resource?: Resource, session?: SessionView): Decision {
  return decideAbout(caller, kind, verb, { ...(resource === undefined ? {} : { resource: resourceToJson(redact(resource)) }), ...(session === undefined ? {} : { session }) });
}

/** Whether the caller may do this to an event of the audit log: a resource of kind `event`, named by its `uid`, whose `spec` are its fields. */
export function decideEvent(caller: Caller, verb: string, event: Readonly<Record<string, unknown>>): Decision {
  return decideAbout(caller, "event", verb, { resource: { kind: "event", version: "v1", metadata: { name: event["uid"], namespace: "default" }, spec: event } });
}

const everything: Decision = { allowed: true, reasons: [{ effect: "allow", role: hostAdministrator, path: "", line: undefined, text: "the administrator of the gateway's host may do everything" }] };

/** Whether there can be anything of this kind that the caller may do this to, whatever their rules' conditions ask. */
function decideEver(caller: Caller, kind: string, verb: string): Decision {
  return caller.type === "local-admin" ? everything : caller.identity.roles.ruleEver(kind, verb);
}

/** Throws `access_denied`, audited under the id that it carries, unless there can be anything that the caller may do all of these to. */
export async function authorizeEver(context: Context, caller: Caller, kind: string, verbs: readonly string[]): Promise<void> {
  for (const verb of verbs) {
    const decision = decideEver(caller, kind, verb);
    if (!decision.allowed) throw await refusal(context, caller, { kind, verb, name: undefined }, decision);
  }
}

function decideAbout(caller: Caller, kind: string, verb: string, about: Pick<RuleContext, "resource" | "session">): Decision {
  if (caller.type === "local-admin") return everything;
  const { username, roles, traits } = caller.identity;
  const context: RuleContext = {
    user: { metadata: { name: username }, spec: { roles: roles.roleNames, traits } },
    ...about,
  };
  return roles.rule(kind, verb, context);
}

/** Throws `access_denied`, audited under the id that it carries, unless the caller may do all of these. */
export async function authorize(context: Context, caller: Caller, kind: string, verbs: readonly string[], resource?: Resource): Promise<void> {
  for (const verb of verbs) {
    const decision = decide(caller, kind, verb, resource);
    if (!decision.allowed) throw await refusal(context, caller, { kind, verb, name: resource?.kind === "token" ? undefined : resource?.metadata.name }, decision);
  }
}

/** Throws `access_denied`, audited under the id that it carries, unless the caller may do this to this session. */
export async function authorizeSession(context: Context, caller: Caller, verb: string, session: SessionView): Promise<void> {
  const decision = decide(caller, "session", verb, undefined, session);
  if (!decision.allowed) throw await refusal(context, caller, { kind: "session", verb, name: session.sid }, decision);
}

async function refusal(context: Context, caller: Caller, what: { readonly kind: string; readonly verb: string; readonly name: string | undefined }, decision: Decision): Promise<GatehouseError> {
  const id = refusalId(context.random);
  const reason = decision.reasons[0]?.text ?? `access denied to perform action "${what.verb}" on "${what.kind}"`;
  try {
    await context.audit.emit({ ...auditEvents.adminDenied, user: callerName(caller), ...what, error: reason, id });
  } catch (error) {
    context.logger.error({ id, error: errorMessage(error) }, "a refused call of the admin API could not be audited");
  }
  return new GatehouseError("access_denied", reason, { id, hint: `ask an administrator for a role whose rules allow ${what.verb} on ${what.kind}` });
}
