import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider, interactionPolicy, type Configuration } from "oidc-provider";
import { loginForm } from "./oidc-pages.ts";

/** A person as the provider knows them. */
export interface OidcUser {
  /** `sub`, and what the person types to log in. */
  readonly sub: string;
  /** Claims beside `sub`: `email`, `email_verified`, `name`, `groups`, … */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What the provider is made of. */
export interface OidcOptions {
  readonly users: readonly OidcUser[];
  /** The callbacks that are registered. */
  readonly redirectUris: readonly string[];
  /** How the client says who it is; default by header. */
  readonly authentication?: "client_secret_basic" | "client_secret_post";
}

/** A certified OpenID provider (npm `oidc-provider`) on loopback. */
export interface Oidc {
  /** `issuer_url` of a connector. */
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Claims that come with scope `groups`: `groups`. */
  setUsers(users: readonly OidcUser[]): void;
  /** Logs this person in without a form, in a browser that runs no script; undefined shows the form again. */
  setUser(sub: string | undefined): void;
  close(): Promise<void>;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += String(chunk);
    if (body.length > 64 * 1024) throw new Error("body too large");
  }
  return new URLSearchParams(body);
}

function configuration(options: OidcOptions, clientId: string, clientSecret: string, find: (sub: string) => OidcUser | undefined): Configuration {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const policy = interactionPolicy.base();
  policy.add(new interactionPolicy.Prompt({ name: "select_account", requestable: true }), 0);
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [...options.redirectUris],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        token_endpoint_auth_method: options.authentication ?? "client_secret_basic",
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomBytes(6).toString("hex") }] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    scopes: ["openid", "email", "profile", "groups"],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "preferred_username"], groups: ["groups"] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 3600, Grant: 3600 },
    findAccount: (_, sub) => {
      const user = find(sub);
      return user && { accountId: sub, claims: () => ({ ...user.claims, sub }) };
    },
    // Nobody is asked for consent: what the client asks for is granted.
    async loadExistingGrant(context) {
      const { session, client, provider } = context.oidc;
      const grant = new provider.Grant({ clientId: client?.clientId, accountId: session?.accountId });
      grant.addOIDCScope("openid email profile groups");
      await grant.save();
      return grant;
    },
  };
}

/** Starts the provider on 127.0.0.1. */
export async function startOidc(options: OidcOptions): Promise<Oidc> {
  const clientId = `client-${randomBytes(6).toString("hex")}`;
  const clientSecret = randomBytes(20).toString("hex");
  let users = new Map(options.users.map((user) => [user.sub, user]));
  let current: string | undefined;

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else response.writeHead(400, { "content-type": "text/plain" }).end(error instanceof Error ? error.message : "bad request");
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const provider = new Provider(url, configuration(options, clientId, clientSecret, (sub) => users.get(sub)));
  const callback = provider.callback();

  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt } = await provider.interactionDetails(request, response);
    const typed = request.method === "POST" ? ((await readForm(request)).get("login") ?? "") : current;
    if (typed === undefined || !users.has(typed)) {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(loginForm(request.url ?? "/", typed === undefined ? undefined : "There is no such account here."));
      return;
    }
    await provider.interactionFinished(request, response, prompt.name === "select_account" ? { select_account: {}, login: { accountId: typed } } : { login: { accountId: typed } });
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith("/interaction/")) await interact(request, response);
    else await callback(request, response);
  }

  return {
    url,
    clientId,
    clientSecret,
    setUsers(next) {
      users = new Map(next.map((user) => [user.sub, user]));
    },
    setUser(sub) {
      current = sub;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
