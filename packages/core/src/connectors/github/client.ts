import { GatehouseError, limits } from "../../base/index.ts";
import type { GithubConnector } from "../../resources/index.ts";
import type { LoginAnswer, Provider, ProviderOptions, ProviderTimeouts } from "../types.ts";
import { tokenAnswer } from "./answers.ts";
import { createProviderHttp } from "../http.ts";
import { codeChallenge, readCode } from "../oauth.ts";
import { below, githubEndpoints, type GithubEndpoints } from "./endpoints.ts";
import { mapTeams, mapsOrganizations, nameMapping } from "./map-teams.ts";
import { readPerson } from "./person.ts";
import { quote } from "../quote.ts";
import { ask, type AskOptions } from "./request.ts";

const defaultTimeouts: ProviderTimeouts = { request: 10_000, login: 30_000 };

/** GitHub as this connector reaches it. Throws `bad_parameter` for an address that a secret must not be sent to. */
export function createGithubProvider(connector: GithubConnector, options: Pick<ProviderOptions, "timeouts"> = {}): Provider {
  const endpoints = githubEndpoints(connector);
  const timeouts = options.timeouts ?? defaultTimeouts;
  const http = createProviderHttp({ who: "GitHub", hint: "try again; if it stays so, look at https://www.githubstatus.com or at the gateway's way out to GitHub", timeouts, maxBody: limits.apiBody });
  const { client_id: clientId } = connector.spec;

  return {
    authorizeUrl({ state, codeVerifier, callbackUrl }) {
      const url = below(endpoints.web, "/login/oauth/authorize");
      const query = {
        client_id: clientId,
        redirect_uri: callbackUrl,
        response_type: "code",
        scope: "read:org",
        state,
        code_challenge: codeChallenge(codeVerifier),
        code_challenge_method: "S256",
        allow_signup: "false",
      };
      url.search = new URLSearchParams(query).toString();
      return Promise.resolve(url.href);
    },
    async authenticate({ parameters, codeVerifier, callbackUrl }: LoginAnswer) {
      const code = readCode("GitHub", parameters);
      const secret = connector.spec.client_secret;
      if (secret === undefined) throw new GatehouseError("internal", `connector "${connector.metadata.name}" has no client secret`);
      const asking: AskOptions = { http, deadline: AbortSignal.timeout(timeouts.login) };
      const form = new URLSearchParams({ client_id: clientId, client_secret: secret, code, redirect_uri: callbackUrl, code_verifier: codeVerifier });
      const token = await exchange(connector, endpoints, form, asking);
      const person = await readPerson(endpoints, token, { organizations: mapsOrganizations(connector) }, asking);
      const { login, id, teams, organizations } = person;
      const received = { login, id, teams: teams.map(nameMapping), ...(organizations && { organizations: organizations.map(({ organization }) => organization) }) };
      return { name: login, id: String(id), received, mapping: mapTeams(connector, person), memberships: { teams, organizations } };
    },
    close: () => http.close(),
  };
}

async function exchange(connector: GithubConnector, endpoints: GithubEndpoints, form: URLSearchParams, asking: AskOptions): Promise<string> {
  const url = below(endpoints.web, "/login/oauth/access_token");
  const { value } = await ask({ what: "the token request", url, headers: { accept: "application/json" }, form }, tokenAnswer, asking);
  if ("access_token" in value) return value.access_token;
  throw tokenError(connector.metadata.name, value.error, value.error_description);
}

/** GitHub's refusal of a code, told apart by whose fault it is. */
function tokenError(connector: string, error: string, description: string | undefined): GatehouseError {
  const message = `GitHub refused the login: ${quote(description ?? error)} (${quote(error)})`;
  switch (error) {
    case "bad_verification_code":
    case "access_denied":
    case "unverified_user_email":
      return new GatehouseError("access_denied", message, { hint: "log in again" });
    case "incorrect_client_credentials":
      return new GatehouseError("internal", message, { hint: `an administrator checks client_id and client_secret of connector "${connector}"` });
    case "redirect_uri_mismatch":
      return new GatehouseError("internal", message, { hint: `an administrator checks that redirect_url of connector "${connector}" is the callback registered at GitHub` });
    default:
      return new GatehouseError("internal", message);
  }
}
