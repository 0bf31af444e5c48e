import { GatehouseError } from "../base/index.ts";
import { callbackUrl, checkSamlConnector, githubEndpoints, isLoopback, stalePins } from "../connectors/index.ts";
import type { Connector, GithubConnector, OidcConnector } from "../resources/index.ts";
import { deleteAll } from "./admin-change.ts";
import type { Context } from "./context.ts";
import { kinds } from "./records.ts";
import { prepareKeys } from "./saml-keys.ts";
import { connectorSessionDeletions, identitiesOf } from "./user-change.ts";

/** Which GitHub a connector is for: its ids are numbers, and mean other people on another one. Those of the other kinds hold whose they are. */
function place(connector: Connector): string | undefined {
  if (connector.kind !== "github") return undefined;
  const { web, api } = githubEndpoints(connector);
  const host = (url: URL): string => (isLoopback(url) ? "this machine" : url.host);
  return `${host(web)} (API: ${host(api)})`;
}

/** Where a connector's client secret, and the tokens that it is good for, are sent, and for whom. */
function recipient(connector: GithubConnector | OidcConnector): string {
  const { client_id: client } = connector.spec;
  if (connector.kind === "oidc") return JSON.stringify([client, connector.spec.issuer_url]);
  const { web, api } = githubEndpoints(connector);
  return JSON.stringify([client, web.href, api.href]);
}

/**
 * A connector as it is to be stored: with its own secrets, or those stored already. Throws `bad_parameter` where there is none, where the stored
 * one would go to another place than it was given for, and where the connector's people would become other people.
 */
export async function prepareConnector(context: Context, given: Connector, existing: Connector | undefined): Promise<Connector> {
  const { kind, metadata } = given;
  const { name } = metadata;
  const fail = (message: string, hint: string): GatehouseError => new GatehouseError("bad_parameter", `connector "${name}": ${message}`, { hint });
  callbackUrl(given);
  const to = place(given);
  if (existing && place(existing) !== to && (await identitiesOf(context, kind, name)).length > 0) {
    throw fail(`its people are those of ${String(place(existing))}, and ${String(to)} gives their ids to others`, "use another name for another provider, or remove this connector first");
  }
  if (given.kind === "saml") {
    const complete = await prepareKeys(given, existing?.kind === "saml" ? existing : undefined, context);
    checkSamlConnector(complete);
    return complete;
  }
  if (given.spec.client_secret !== undefined) return given;
  const stored = existing?.kind === "github" || existing?.kind === "oidc" ? existing : undefined;
  const secret = stored?.spec.client_secret;
  if (!stored || secret === undefined) throw fail("client_secret is required", "it is the secret of the application that is registered at the provider");
  if (recipient(stored) !== recipient(given)) {
    throw fail(`client_secret is required where ${kind === "github" ? "client_id, endpoint_url or api_endpoint_url" : "client_id or issuer_url"} changes`, "the stored one was given for the old ones");
  }
  return withClientSecret(given, secret);
}

function withClientSecret(connector: GithubConnector | OidcConnector, secret: string): Connector {
  return connector.kind === "github" ? { ...connector, spec: { ...connector.spec, client_secret: secret } } : { ...connector, spec: { ...connector.spec, client_secret: secret } };
}

/**
 * Forgets what a connector has vouched for: its people's sessions end, their user names are free, and its organizations and teams may be others next
 * time. For when the connector is gone: a login that is under way could add to it before.
 */
export async function forgetConnector(context: Context, kind: Connector["kind"], name: string): Promise<void> {
  const people = (await identitiesOf(context, kind, name)).flatMap(({ item, subject }) => [
    { op: "delete" as const, kind: kinds.identity, name: item.name },
    { op: "delete" as const, kind: kinds.subject, name: subject },
  ]);
  const pins = kind === "github" ? await stalePins(context.store, name, undefined) : [];
  // Sessions first: where this is cut short, an identity that is left lets the removal be repeated.
  await deleteAll(context, [...(await connectorSessionDeletions(context, kind, name)), ...pins, ...people]);
}
