import { buildRoleSet } from "../access/index.ts";
import type { SsoTestOutcome } from "../api/index.ts";
import { auditEvents } from "../audit/index.ts";
import { callbackUrl, type Vouched } from "../connectors/index.ts";
import { resourceToJson, type Role } from "../resources/index.ts";
import { GatehouseError } from "../base/index.ts";
import { authorize, callerName } from "./caller.ts";
import { prepareConnector } from "./connector-change.ts";
import type { Context } from "./context.ts";
import { parseLoopback } from "./loopback.ts";
import { hasExternalTraitsOnly } from "./records.ts";
import { randomToken, saveRequest, type SsoRequest } from "./sso-request.ts";
import { openAddress, type LoginCounter } from "./sso-start.ts";
import { readConnector, readRole } from "./stored-resources.ts";
import type { Admin } from "./types.ts";

/** The first step of a connector's test. */
export function createSsoTest(context: Context, count: LoginCounter): Pick<Admin, "testConnector"> {
  return {
    async testConnector(caller, given, { clientRedirectUrl, host, origin }) {
      const { kind, metadata } = given;
      await authorize(context, caller, kind, ["create", "update"], given);
      parseLoopback(clientRedirectUrl);
      const stored = await context.store.get(kind, metadata.name);
      const connector = await prepareConnector(context, given, stored && readConnector(stored));
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

/** What a login would have come to. Nothing is stored; who asked is in the audit log. */
export async function explainLogin(context: Context, { record }: SsoRequest, { name, id, received, mapping }: Vouched): Promise<SsoTestOutcome> {
  const { traits, rules } = mapping;
  const { roles, missing } = await findRoles(context, mapping.roles);
  const set = buildRoleSet(roles, traits, { externalTraitsOnly: hasExternalTraitsOnly(record.kind) });
  const [lost] = missing;
  const problem = mapping.problem ?? (lost === undefined ? undefined : new GatehouseError("not_found", `role "${lost}" does not exist`, { hint: "create it, or take it out of the mapping" }));
  if (record.purpose.type === "test") {
    await context.audit.emit({ ...auditEvents.connectorTest, user: record.purpose.by, connector: record.connector, method: record.kind, external_name: name, success: problem === undefined, error: problem?.message });
  }
  return {
    name,
    id,
    received: { ...received },
    rules: rules.map(({ rule, matched, gives }) => ({ rule, matched, gives: [...gives] })),
    roles: [...mapping.roles],
    missing_roles: [...missing],
    traits: Object.fromEntries(Object.entries(traits).map(([key, values]) => [key, [...values]])),
    logins: [...set.logins()],
    kubernetes: context.kubeClusters().map((target) => ({ cluster: target.name, groups: [...set.kube(target).groups] })),
    ...(problem === undefined ? {} : { problem: { message: problem.message, ...(problem.hint === undefined ? {} : { hint: problem.hint }) } }),
  };
}
