import { GatehouseError } from "../base/index.ts";
import { callbackUrl, githubEndpoints, isLoopback, stalePins } from "../connectors/index.ts";
import type { GithubConnector } from "../resources/index.ts";
import { deleteAll } from "./admin-change.ts";
import type { Context } from "./context.ts";
import { kinds } from "./records.ts";
import { connectorSessionDeletions, identitiesOf } from "./user-change.ts";

/** Which GitHub a connector is for: ids mean other people on another one. */
function place(connector: GithubConnector): string {
  const { web, api } = githubEndpoints(connector);
  const host = (url: URL): string => (isLoopback(url) ? "this machine" : url.host);
  return `${host(web)} (API: ${host(api)})`;
}

/** Where a connector's client secret is sent, and for whom. */
function recipient(connector: GithubConnector): string {
  const { web } = githubEndpoints(connector);
  return JSON.stringify([connector.spec.client_id, web.href]);
}

/**
 * A connector as it is to be stored: with its own secret, or the one stored already. Throws `bad_parameter` where there is none, where the stored
 * one would go to another place than it was given for, and where the connector's people would become other people.
 */
export async function prepareConnector(context: Context, given: GithubConnector, existing: GithubConnector | undefined): Promise<GithubConnector> {
  const { name } = given.metadata;
  const fail = (message: string, hint: string): GatehouseError => new GatehouseError("bad_parameter", `connector "${name}": ${message}`, { hint });
  callbackUrl(given);
  const to = place(given);
  if (existing && place(existing) !== to && (await identitiesOf(context, name)).length > 0) {
    throw fail(`its people are those of ${place(existing)}, and ${to} gives their ids to others`, "use another name for another GitHub, or remove this connector first");
  }
  if (given.spec.client_secret !== undefined) return given;
  const secret = existing?.spec.client_secret;
  if (!existing || secret === undefined) throw fail("client_secret is required", "it is the secret of the OAuth application at GitHub");
  if (recipient(existing) !== recipient(given)) throw fail("client_secret is required where client_id or endpoint_url changes", "the stored one was given for the old ones");
  return { ...given, spec: { ...given.spec, client_secret: secret } };
}

/**
 * Forgets what a connector has vouched for: its people's sessions end, their user names are free, and its organizations and teams may be others next
 * time. For when the connector is gone: a login that is under way could add to it before.
 */
export async function forgetConnector(context: Context, name: string): Promise<void> {
  const people = (await identitiesOf(context, name)).flatMap(({ item, subject }) => [
    { op: "delete" as const, kind: kinds.identity, name: item.name },
    { op: "delete" as const, kind: kinds.subject, name: subject },
  ]);
  // Sessions first: where this is cut short, an identity that is left lets the removal be repeated.
  await deleteAll(context, [...(await connectorSessionDeletions(context, name)), ...(await stalePins(context.store, name, undefined)), ...people]);
}
