import type { Configuration, ServerMetadata } from "openid-client";
import { GatehouseError, type Clock } from "../../base/index.ts";
import type { OidcConnector } from "../../resources/index.ts";
import type { ProviderHttp } from "../http.ts";
import type { LoginAnswer } from "../types.ts";
import { nonceOf } from "./authorize.ts";
import { isPlainIssuer, type ProviderMetadata } from "./discovery.ts";
import { oidcLimits } from "./limits.ts";
import type { Libraries } from "./load.ts";

/** The tokens of a login. They stay inside the provider. */
export interface Tokens {
  readonly accessToken: string;
  readonly idToken: string;
}

/** How the gateway says who it is: by header where the provider says nothing or takes it, in the form where it takes that alone (reference §1.9). */
function authentication(client: Libraries["client"], connector: OidcConnector, metadata: ProviderMetadata) {
  const secret = connector.spec.client_secret;
  const { name } = connector.metadata;
  if (secret === undefined) throw new GatehouseError("internal", `connector "${name}" has no client secret`);
  const methods = metadata.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  if (methods.includes("client_secret_basic")) return client.ClientSecretBasic(secret);
  if (methods.includes("client_secret_post")) return client.ClientSecretPost(secret);
  throw new GatehouseError("internal", `the provider of connector "${name}" takes no client secret (it wants ${methods.length === 0 ? "none" : "another proof"})`, {
    hint: "an administrator chooses client_secret_basic or client_secret_post for the application at the provider",
  });
}

/** What is undefined, left out: the library's types tell the two apart. */
function withoutAbsent(metadata: ProviderMetadata): ServerMetadata {
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as unknown as ServerMetadata;
}

/** The provider for `openid-client`. */
export function configure({ client }: Libraries, connector: OidcConnector, metadata: ProviderMetadata, clock: Clock): Configuration {
  const settings = {
    // The library's clock is the machine's; what differs from it is the injected one's.
    [client.clockSkew]: Math.round((clock.now() - Date.now()) / 1000),
    [client.clockTolerance]: oidcLimits.clockSkew,
  };
  const configuration = new client.Configuration(withoutAbsent(metadata), connector.spec.client_id, settings, authentication(client, connector, metadata));
  // Marked as deprecated so that it stands out. An issuer without TLS is on this machine itself.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  if (isPlainIssuer(connector)) client.allowInsecureRequests(configuration);
  return configuration;
}

/** The answer as the address that the browser called. Throws `access_denied` for one that holds no answer. */
function answerUrl(answer: LoginAnswer, who: string): URL {
  const url = new URL(answer.callbackUrl);
  const given = Object.entries(answer.parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const { code, error } = answer.parameters;
  if (given.some(([, value]) => value.length > oidcLimits.parameter)) throw new GatehouseError("access_denied", `the answer of ${who} is too long`, { hint: "log in again" });
  if (code === undefined && error === undefined) throw new GatehouseError("access_denied", `the answer of ${who} holds no code`, { hint: "log in again" });
  url.search = new URLSearchParams(given).toString();
  return url;
}

/**
 * Checks the answer (state, RFC 9207's `iss`, refusals) and trades its code for tokens. The claims of the ID token are checked by the library, its signature
 * is not yet. Throws what the library throws, and `access_denied`.
 */
export async function exchange(libraries: Libraries, configuration: Configuration, answer: LoginAnswer, http: ProviderHttp, who: string, deadline: AbortSignal): Promise<Tokens> {
  const { client } = libraries;
  configuration[client.customFetch] = async (url, { method, headers, body }) => {
    const form = body instanceof URLSearchParams ? body.toString() : undefined;
    const { status, headers: answered, body: bytes } = await http.send({ what: "the token request", url, method, headers, body: form }, deadline);
    if (status >= 500) throw new GatehouseError("internal", `${who} answered ${String(status)} to the token request`, { hint: "try again in a moment; if it stays so, tell an administrator of the provider" });
    const { "content-type": type, "www-authenticate": challenge } = answered;
    const kept = { ...(type === undefined ? {} : { "content-type": String(type) }), ...(challenge === undefined ? {} : { "www-authenticate": String(challenge) }) };
    return new Response(new Uint8Array(bytes), { status: status === 204 || status === 205 ? 400 : status, headers: kept });
  };
  const url = answerUrl(answer, who);
  const tokens = await client.authorizationCodeGrant(configuration, url, {
    expectedState: answer.state,
    expectedNonce: nonceOf(answer.state),
    pkceCodeVerifier: answer.codeVerifier,
    idTokenExpected: true,
  });
  if (tokens.id_token === undefined) throw new GatehouseError("access_denied", `${who} sent no ID token`);
  return { accessToken: tokens.access_token, idToken: tokens.id_token };
}
