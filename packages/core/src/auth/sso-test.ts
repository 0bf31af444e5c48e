import { buildRoleSet } from "../access/index.ts";
import type { SsoTestOutcome } from "../api/index.ts";
import { callbackUrl, comparePins, type Vouched } from "../connectors/index.ts";
import { resourceToJson, type Connector, type Role } from "../resources/index.ts";
import { GatehouseError } from "../base/index.ts";
import { authorize, callerName } from "./caller.ts";
import { prepareConnector } from "./connector-change.ts";
import type { Context } from "./context.ts";
import { parseLoopback } from "./loopback.ts";
import { hasExternalTraitsOnly } from "./records.ts";
import { boundReceived } from "./sso-received.ts";
import { testEvent } from "./sso-refusal.ts";
import { randomToken, saveRequest, type SsoRequest } from "./sso-request.ts";
import { openAddress, type LoginCounter } from "./sso-start.ts";
import { readConnector, readRole } from "./stored-resources.ts";
import { findStanding } from "./sso-user.ts";
import { subjectId } from "./subjects.ts";
import type { Admin } from "./types.ts";
import { refuseLocked } from "./users.ts";

/** The first step of a connector's test. */
export function createSsoTest(context: Context, count: LoginCounter): Pick<Admin, "testConnector"> {
  return {
    async testConnector(caller, given, { clientRedirectUrl, host, origin }) {
      const { kind, metadata } = given;
      await authorize(context, caller, kind, ["create", "update"], given);
      parseLoopback(clientRedirectUrl);
      const stored = await context.store.get(kind, metadata.name);
      const existing = stored && readConnector(stored);
      // Its secrets may be used: a rule with `where` has to hold for it too.
      if (existing) await authorize(context, caller, kind, ["update"], existing);
      const connector = await prepareConnector(context, given, existing);
      count(origin.remoteAddress);
      const callback = callbackUrl(connector, host);
      const loginId = await saveRequest(
        context,
        { kind, connector: metadata.name, callbackUrl: callback, purpose: { type: "test", by: callerName(caller) } },
        { verifier: randomToken(context.random), clientRedirectUrl, connector: resourceToJson(connector) },
      );
      return { redirectUrl: openAddress(kind, callback, loginId) };
    },
  };
}

async function findRoles(context: Context, names: readonly string[]): Promise<{ readonly roles: readonly Role[]; readonly missing: readonly string[] }> {
  const items = await Promise.all(names.map((name) => context.store.get("role", name)));
  return { roles: items.flatMap((item) => (item ? [readRole(item)] : [])), missing: names.filter((_, index) => items[index] === undefined) };
}

/** Why a login of this person would be refused now, in the order in which a login would find it. */
async function refusalOf(context: Context, connector: Connector, person: Vouched, missing: readonly string[]): Promise<GatehouseError | undefined> {
  const { kind, metadata } = connector;
  try {
    if (kind === "github") await comparePins(context.store, connector, person.memberships ?? { teams: [] });
    if (person.mapping.problem) return person.mapping.problem;
    const { user } = await findStanding(context, { type: kind, connector: metadata.name, name: person.name, id: person.id });
    if (user) refuseLocked(user, context.clock.now());
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "access_denied") return error;
    throw error;
  }
  const [lost] = missing;
  return lost === undefined ? undefined : new GatehouseError("not_found", `role "${lost}" does not exist`, { hint: "create it, or take it out of the mapping" });
}

/** What a login would have come to. Nothing is stored; who asked is in the audit log. */
export async function explainLogin(context: Context, { record }: SsoRequest, connector: Connector, person: Vouched): Promise<SsoTestOutcome> {
  const { name, id, received, mapping } = person;
  const { traits, rules } = mapping;
  const { roles, missing } = await findRoles(context, mapping.roles);
  const set = buildRoleSet(roles, traits, { externalTraitsOnly: hasExternalTraitsOnly(subjectId({ type: record.kind, connector: record.connector, id })), userName: name });
  const problem = await refusalOf(context, connector, person, missing);
  if (record.purpose.type === "test") await context.audit.emit(testEvent(record, record.purpose.by, name, problem));
  return {
    name,
    id,
    received: boundReceived(received),
    rules: rules.map(({ rule, matched, gives }) => ({ rule, matched, gives: [...gives] })),
    roles: [...mapping.roles],
    missing_roles: [...missing],
    traits: Object.fromEntries(Object.entries(traits).map(([key, values]) => [key, [...values]])),
    logins: [...set.logins()],
    kubernetes: context.kubeClusters().map((target) => ({ cluster: target.name, groups: [...set.kube(target).groups] })),
    ...(problem === undefined ? {} : { problem: { code: problem.code, message: problem.message, ...(problem.hint === undefined ? {} : { hint: problem.hint }) } }),
  };
}
