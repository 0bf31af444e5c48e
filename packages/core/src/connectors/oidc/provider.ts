import { GatehouseError } from "../../base/index.ts";
import type { OidcConnector } from "../../resources/index.ts";
import { createProviderHttp } from "../http.ts";
import type { LoginAnswer, Provider, ProviderTimeouts, Vouched } from "../types.ts";
import { authorizationParameters } from "./authorize.ts";
import { checkAcr, mergeClaims, usernameOf } from "./claims.ts";
import { checkIssuer, discover, type ProviderMetadata } from "./discovery.ts";
import { configure, exchange } from "./exchange.ts";
import { readGoogleGroups, wantsGoogleGroups } from "./google.ts";
import { verifyIdToken } from "./id-token.ts";
import { keep } from "./kept.ts";
import { createProviderKeys, type ProviderKeys } from "./keys.ts";
import { oidcLimits } from "./limits.ts";
import { loadLibraries } from "./load.ts";
import { mapClaims } from "./mapping.ts";
import { google as realGoogle, type OidcProviderOptions } from "./options.ts";
import { explain, type Whose } from "./problems.ts";
import { attributesOf } from "./traits.ts";
import { readUserinfo } from "./userinfo.ts";

const defaultTimeouts: ProviderTimeouts = { request: 10_000, login: 30_000 };

/**
 * An OpenID Connect provider (Core 1.0, code flow with PKCE) as a connector reaches it. Nothing is asked of it, and no library loaded, before the first login.
 * A person is known by issuer and subject. Throws `bad_parameter` for an issuer that a secret must not be sent to.
 */
export function createOidcProvider(connector: OidcConnector, options: OidcProviderOptions): Provider {
  checkIssuer(connector);
  const { clock, google = realGoogle, timeouts = defaultTimeouts } = options;
  const { name } = connector.metadata;
  const whose: Whose = { connector: name, who: `the provider of connector "${name}"` };
  const { who } = whose;
  const hint = `try again; if it stays so, an administrator looks at issuer_url of connector "${name}", at the provider, and at the gateway's way out to it`;
  const http = createProviderHttp({ who, hint, timeouts, maxBody: oidcLimits.body });
  const described = keep(() => discover(connector, http, who), clock);
  let keysOf: { readonly uri: string; readonly keys: ProviderKeys } | undefined;

  async function keysFor({ jwks_uri: uri }: ProviderMetadata): Promise<ProviderKeys> {
    const libraries = await loadLibraries();
    if (keysOf?.uri !== uri) keysOf = { uri, keys: createProviderKeys(uri, http, who, libraries, clock) };
    return keysOf.keys;
  }

  async function vouch(answer: LoginAnswer, deadline: AbortSignal): Promise<Vouched> {
    const [libraries, metadata] = await Promise.all([loadLibraries(), described.get()]);
    const configuration = configure(libraries, connector, metadata, clock);
    const tokens = await exchange(libraries, configuration, answer, http, who, deadline);
    const keys = await keysFor(metadata);
    const idToken = await verifyIdToken({ ...tokens, clientId: connector.spec.client_id, who, keys, clock });
    checkAcr(connector, who, idToken);
    const { accessToken } = tokens;
    const userinfo = await readUserinfo({ connector, metadata, http, keys, who, accessToken, subject: String(idToken["sub"]), deadline });
    const known = mergeClaims(idToken, userinfo);
    const username = usernameOf(connector, who, known);
    const email = known.claims["email"];
    const groups = wantsGoogleGroups(connector, google) && typeof email === "string" && known.emailVerified ? await readGoogleGroups(google, { http, accessToken, email, deadline }) : undefined;
    const person = groups ? { ...known, claims: { ...known.claims, groups } } : known;
    const mapping = mapClaims(connector, who, username, person, attributesOf(connector, who, person));
    return { name: username, id: JSON.stringify([metadata.issuer, person.subject]), received: person.claims, mapping };
  }

  return {
    async authorizeUrl(request) {
      const [libraries, metadata] = await Promise.all([loadLibraries(), described.get()]);
      const configuration = configure(libraries, connector, metadata, clock);
      return libraries.client.buildAuthorizationUrl(configuration, authorizationParameters(connector, request)).href;
    },
    async authenticate(answer) {
      const deadline = AbortSignal.timeout(timeouts.login);
      try {
        return await Promise.race([vouch(answer, deadline), ended(deadline, timeouts, who, hint)]);
      } catch (error) {
        const problem = explain(await loadLibraries(), whose, error);
        // What is known of the provider may be what was wrong: addresses move, keys change.
        if (problem.code !== "limit_exceeded") {
          described.doubt();
          keysOf?.keys.doubt();
        }
        throw problem;
      }
    },
    close: () => http.close(),
  };
}

/** Fails with the deadline: also what the login shares with others, and so waits for, ends there. */
function ended(deadline: AbortSignal, timeouts: ProviderTimeouts, who: string, hint: string): Promise<never> {
  return new Promise((_, reject) => {
    const end = (): void => reject(new GatehouseError("internal", `${who} took longer than ${String(timeouts.login / 1000)} s over this login`, { hint }));
    deadline.addEventListener("abort", end, { once: true });
  });
}
