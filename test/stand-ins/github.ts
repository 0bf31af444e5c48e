import { once } from "node:events";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { loginPage, consentPage, messagePage } from "./github-pages.ts";

/** A team as GitHub reports it to one of its members. */
export interface GithubTeam {
  readonly organization: string;
  readonly organizationId: number;
  /** Slug. */
  readonly team: string;
  readonly teamId: number;
}

/** A person's place in an organization; `pending` is an invitation that they have not accepted. */
export interface GithubMembership {
  readonly organization: string;
  readonly organizationId: number;
  readonly state: "active" | "pending";
}

/** An account with its teams. */
export interface GithubUser {
  readonly login: string;
  readonly id: number;
  readonly teams: readonly GithubTeam[];
  /** Beside the organizations of the teams, of which everybody in a team is an active member. */
  readonly memberships?: readonly GithubMembership[];
}

/** Where a fault strikes. */
export type GithubRoute = "authorize" | "token" | "user" | "teams" | "memberships";

/** `hang` never answers, `slow` answers after 2 s, `garbage` is HTML with status 200, `redirect` points elsewhere, `huge` never stops sending. */
export type GithubFault = "500" | "refused" | "hang" | "slow" | "garbage" | "redirect" | "huge";

/** One request that arrived, without secrets. */
export interface GithubRequest {
  readonly method: string;
  readonly path: string;
  readonly userAgent: string;
}

/** What the stand-in is made of. */
export interface GithubOptions {
  readonly users: readonly GithubUser[];
  /** Loopback address to bind; default `127.0.0.1`. */
  readonly host?: string;
  readonly port?: number;
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** The registered callback: same host and port, and a path below it. Default: any loopback address. */
  readonly callbackUrl?: string;
  /** Whether a logged-in person is asked before the login goes on: `auto` (default) never, `button` by a page, `deny` says no at once. */
  readonly approve?: "auto" | "button" | "deny";
  /** ms since the epoch; for the ten minutes of a code. */
  readonly now?: () => number;
}

/** A stand-in for GitHub's OAuth pages and the three API routes that a login needs. */
export interface Github {
  /** `endpoint_url` of a connector. */
  readonly url: string;
  /** `api_endpoint_url` of a connector. */
  readonly apiUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly requests: readonly GithubRequest[];
  /** Who a browser without a session of its own is; a browser has one after `/login?as=<login>`, or says it by header `x-stand-in-user`. */
  setUser(login: string | undefined): void;
  setUsers(users: readonly GithubUser[]): void;
  setApproval(approve: "auto" | "button" | "deny"): void;
  setCallback(url: string | undefined): void;
  /** Makes a route fail for `times` requests (default: until told otherwise); `undefined` heals it. */
  setFault(route: GithubRoute, fault: GithubFault | undefined, times?: number): void;
  close(): Promise<void>;
}

interface Grant {
  readonly login: string;
  readonly redirectUri: string;
  readonly challenge: string | undefined;
  readonly scope: string;
  readonly expires: number;
}

const codeLife = 10 * 60_000;
const loopback = new Set(["127.0.0.1", "::1", "localhost"]);

function same(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function isLoopbackUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  return loopback.has(new URL(text).hostname.replace(/^\[|\]$/g, ""));
}

async function readBody(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) {
    body += String(chunk);
    if (body.length > 64 * 1024) throw new Error("body too large");
  }
  return body;
}

function cookie(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? "").split(";")) {
    const at = part.indexOf("=");
    if (part.slice(0, at).trim() === name) return decodeURIComponent(part.slice(at + 1).trim());
  }
  return undefined;
}

/** Starts the stand-in. Throws for an address that is not loopback. */
export async function startGithub(options: GithubOptions): Promise<Github> {
  const host = options.host ?? "127.0.0.1";
  if (!loopback.has(host)) throw new Error(`the stand-in GitHub binds to loopback alone, not to ${host}`);
  const now = options.now ?? Date.now;
  const clientId = options.clientId ?? `Iv1.${randomBytes(8).toString("hex")}`;
  const clientSecret = options.clientSecret ?? randomBytes(20).toString("hex");
  const requests: GithubRequest[] = [];
  const grants = new Map<string, Grant>();
  const tokens = new Map<string, { readonly login: string; readonly scope: string }>();
  const faults = new Map<GithubRoute, { readonly fault: GithubFault; left: number }>();
  let users = new Map(options.users.map((user) => [user.login, user]));
  let current: string | undefined;
  let approve = options.approve ?? "auto";
  let callbackUrl = options.callbackUrl;
  let url = "";

  const json = (response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers }).end(JSON.stringify(value));
  };
  const html = (response: ServerResponse, status: number, page: string, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "content-type": "text/html; charset=utf-8", "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'", ...headers }).end(page);
  };
  const go = (response: ServerResponse, to: string, query: Record<string, string | undefined>): void => {
    const target = new URL(to);
    for (const [key, value] of Object.entries(query)) if (value !== undefined) target.searchParams.set(key, value);
    response.writeHead(302, { location: target.href }).end();
  };

  /** Plays a fault; true when the request has had its answer (or never gets one). */
  async function strike(route: GithubRoute, response: ServerResponse): Promise<boolean> {
    const entry = faults.get(route);
    if (!entry) return false;
    entry.left -= 1;
    if (entry.left <= 0) faults.delete(route);
    switch (entry.fault) {
      case "hang":
        return true;
      case "slow":
        await new Promise((resolve) => setTimeout(resolve, 2000));
        return false;
      case "500":
        json(response, 500, { message: "Server Error" });
        return true;
      case "refused":
        // GitHub's token endpoint says no with a 200.
        json(response, 200, { error: "bad_verification_code", error_description: "The code passed is incorrect or expired." });
        return true;
      case "garbage":
        html(response, 200, "<!DOCTYPE html><title>Unicorn!</title>");
        return true;
      case "redirect":
        response.writeHead(302, { location: `${url}/elsewhere` }).end();
        return true;
      case "huge": {
        response.writeHead(200, { "content-type": "application/json" });
        const chunk = " ".repeat(64 * 1024);
        const pump = (): void => {
          while (!response.destroyed && response.write(chunk));
          if (!response.destroyed) response.once("drain", pump);
        };
        pump();
        return true;
      }
    }
  }

  function whoIs(request: IncomingMessage): GithubUser | undefined {
    const said = request.headers["x-stand-in-user"];
    const login = (typeof said === "string" ? said : undefined) ?? cookie(request, "user_session") ?? current;
    return login === undefined ? undefined : users.get(login);
  }

  async function authorize(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    if (query.get("client_id") !== clientId) return html(response, 404, messagePage("Page not found"));
    const state = query.get("state") ?? undefined;
    const redirectUri = query.get("redirect_uri") ?? callbackUrl;
    const fits = redirectUri !== undefined && (callbackUrl === undefined ? isLoopbackUrl(redirectUri) : belongs(redirectUri, callbackUrl));
    if (!fits) {
      if (callbackUrl === undefined) return html(response, 400, messagePage("The redirect_uri is not associated with this application."));
      return go(response, callbackUrl, {
        error: "redirect_uri_mismatch",
        error_description: "The redirect_uri MUST match the registered callback URL for this application.",
        state,
      });
    }
    const method = query.get("code_challenge_method");
    const challenge = query.get("code_challenge") ?? undefined;
    if (challenge !== undefined && (method !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(challenge))) {
      return go(response, redirectUri, { error: "invalid_request", error_description: "The code_challenge_method must be S256.", state });
    }
    const user = whoIs(request);
    if (!user) return html(response, 200, loginPage([...users.keys()], request.url ?? "/"));
    const answer = request.method === "POST" ? new URLSearchParams(await readBody(request)).get("authorize") : undefined;
    if (approve === "deny" || answer === "0") {
      return go(response, redirectUri, { error: "access_denied", error_description: "The user has denied your application access.", state });
    }
    if (approve === "button" && answer !== "1") return html(response, 200, consentPage(user.login, request.url ?? "/", query.get("scope") ?? ""));
    const code = randomBytes(10).toString("hex");
    grants.set(code, { login: user.login, redirectUri, challenge, scope: query.get("scope") ?? "", expires: now() + codeLife });
    return go(response, redirectUri, { code, state });
  }

  function exchange(fields: URLSearchParams): Record<string, string> {
    const bad = (error: string, error_description: string): Record<string, string> => ({ error, error_description, error_uri: "https://docs.github.com/" });
    if (!same(fields.get("client_secret") ?? "", clientSecret)) {
      return bad("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.");
    }
    const code = fields.get("code") ?? "";
    const grant = grants.get(code);
    // Whatever comes of it, a code is spent by its first use.
    grants.delete(code);
    if (!grant || grant.expires <= now()) return bad("bad_verification_code", "The code passed is incorrect or expired.");
    const redirectUri = fields.get("redirect_uri");
    if (redirectUri !== null && redirectUri !== grant.redirectUri) {
      return bad("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application.");
    }
    if (grant.challenge !== undefined) {
      const verifier = fields.get("code_verifier") ?? "";
      const challenge = createHash("sha256").update(verifier).digest("base64url");
      if (verifier.length < 43 || verifier.length > 128 || !same(challenge, grant.challenge)) {
        return bad("bad_verification_code", "The code passed is incorrect or expired.");
      }
    }
    const token = `gho_${randomBytes(18).toString("hex")}`;
    tokens.set(token, { login: grant.login, scope: grant.scope });
    return { access_token: token, scope: grant.scope, token_type: "bearer" };
  }

  async function token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST") return html(response, 404, messagePage("Page not found"));
    const body = await readBody(request);
    const type = request.headers["content-type"] ?? "";
    const fields = type.startsWith("application/json")
      ? new URLSearchParams(JSON.parse(body) as Record<string, string>)
      : new URLSearchParams(body);
    if (fields.get("client_id") !== clientId) return json(response, 404, { error: "Not Found" });
    const answer = exchange(fields);
    if ((request.headers.accept ?? "").includes("json")) return json(response, 200, answer);
    response.writeHead(200, { "content-type": "application/x-www-form-urlencoded; charset=utf-8" }).end(new URLSearchParams(answer).toString());
  }

  function caller(request: IncomingMessage, response: ServerResponse): { readonly user: GithubUser; readonly scope: string } | undefined {
    if ((request.headers["user-agent"] ?? "") === "") {
      html(response, 403, messagePage("Request forbidden by administrative rules. Please make sure your request has a User-Agent header"));
      return undefined;
    }
    const match = /^(?:bearer|token) (\S+)$/i.exec(request.headers.authorization ?? "");
    const entry = tokens.get(match?.[1] ?? "");
    const user = entry && users.get(entry.login);
    if (!entry || !user) {
      json(response, 401, { message: match ? "Bad credentials" : "Requires authentication", documentation_url: "https://docs.github.com/rest", status: "401" });
      return undefined;
    }
    return { user, scope: entry.scope };
  }

  const hasScope = (given: string, ...enough: readonly string[]): boolean => given.split(/[ ,]/).some((scope) => enough.includes(scope));

  /** A page of a list, 30 items where nothing is said, with links to the others. */
  function page(response: ServerResponse, path: string, query: URLSearchParams, all: readonly unknown[]): void {
    const perPage = Math.min(Math.max(Number(query.get("per_page") ?? 30) || 30, 1), 100);
    const at = Math.max(Number(query.get("page") ?? 1) || 1, 1);
    const last = Math.max(Math.ceil(all.length / perPage), 1);
    const link = (to: number, rel: string): string => {
      const next = new URLSearchParams(query);
      next.set("per_page", String(perPage));
      next.set("page", String(to));
      return `<${url}${path}?${next.toString()}>; rel="${rel}"`;
    };
    const links = [
      ...(at > 1 ? [link(at - 1, "prev"), link(1, "first")] : []),
      ...(at < last ? [link(at + 1, "next"), link(last, "last")] : []),
    ];
    json(response, 200, all.slice((at - 1) * perPage, at * perPage), links.length > 0 ? { link: links.join(", ") } : {});
  }

  function teams(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const who = caller(request, response);
    if (!who) return;
    if (!hasScope(who.scope, "read:org", "write:org", "admin:org", "repo", "user")) {
      return json(response, 404, { message: "Not Found", documentation_url: "https://docs.github.com/rest", status: "404" });
    }
    const items = who.user.teams.map((team) => ({
      id: team.teamId,
      node_id: Buffer.from(`04:Team${String(team.teamId)}`).toString("base64"),
      name: team.team,
      slug: team.team,
      privacy: "closed",
      permission: "pull",
      organization: { login: team.organization, id: team.organizationId },
    }));
    page(response, "/api/v3/user/teams", query, items);
  }

  function memberships(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    const who = caller(request, response);
    if (!who) return;
    if (!hasScope(who.scope, "read:org", "write:org", "admin:org")) {
      return json(response, 403, { message: "You need at least read:org scope to list your organization memberships.", documentation_url: "https://docs.github.com/rest", status: "403" });
    }
    const state = query.get("state");
    if (state !== null && state !== "active" && state !== "pending") return json(response, 422, { message: "Validation Failed", documentation_url: "https://docs.github.com/rest", status: "422" });
    const places: readonly GithubMembership[] = [...(who.user.memberships ?? []), ...who.user.teams.map((team) => ({ ...team, state: "active" as const }))];
    const items = [...new Map(places.map((place) => [place.organizationId, place])).values()]
      .filter((place) => state === null || place.state === state)
      .map((place) => ({
        url: `${url}/api/v3/orgs/${place.organization}/memberships/${who.user.login}`,
        state: place.state,
        role: "member",
        organization_url: `${url}/api/v3/orgs/${place.organization}`,
        organization: { login: place.organization, id: place.organizationId },
        user: { login: who.user.login, id: who.user.id },
      }));
    page(response, "/api/v3/user/memberships/orgs", query, items);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", url);
    requests.push({ method: request.method ?? "", path: pathname, userAgent: request.headers["user-agent"] ?? "" });
    if (requests.length > 10_000) requests.shift();
    switch (pathname) {
      case "/login": {
        const login = searchParams.get("as") ?? "";
        if (!users.has(login)) return html(response, 404, messagePage("There is no such account here."));
        const back = searchParams.get("return_to") ?? "/";
        const safe = back.startsWith("/") && !back.startsWith("//") && !back.startsWith("/\\") ? back : "/";
        response.writeHead(302, { location: `${url}${safe}`, "set-cookie": `user_session=${encodeURIComponent(login)}; Path=/; HttpOnly; SameSite=Lax` }).end();
        return;
      }
      case "/login/oauth/authorize":
        if (!(await strike("authorize", response))) await authorize(request, response, searchParams);
        return;
      case "/login/oauth/access_token":
        if (!(await strike("token", response))) await token(request, response);
        return;
      case "/api/v3/user": {
        if (await strike("user", response)) return;
        const who = caller(request, response);
        if (who) json(response, 200, { login: who.user.login, id: who.user.id, type: "User", site_admin: false });
        return;
      }
      case "/api/v3/user/teams":
        if (!(await strike("teams", response))) teams(request, response, searchParams);
        return;
      case "/api/v3/user/memberships/orgs":
        if (!(await strike("memberships", response))) memberships(request, response, searchParams);
        return;
      default:
        html(response, pathname === "/" ? 200 : 404, messagePage(pathname === "/" ? "A stand-in for GitHub, on this machine alone." : "Page not found"));
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else json(response, 400, { message: error instanceof Error ? error.message : "bad request" });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  url = `http://${host.includes(":") ? `[${host}]` : host}:${String(port)}`;

  return {
    url,
    apiUrl: `${url}/api/v3`,
    clientId,
    clientSecret,
    requests,
    setUser: (login) => void (current = login),
    setUsers: (next) => void (users = new Map(next.map((user) => [user.login, user]))),
    setApproval: (next) => void (approve = next),
    setCallback: (next) => void (callbackUrl = next),
    setFault(route, fault, times = Number.POSITIVE_INFINITY) {
      if (fault === undefined) faults.delete(route);
      else faults.set(route, { fault, left: times });
    },
    async close() {
      // A test may have taken it away already.
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close().closeAllConnections();
      await closed;
    },
  };
}

/** GitHub's rule: same host and port, and the path at or below the registered one. */
function belongs(redirectUri: string, registered: string): boolean {
  if (!URL.canParse(redirectUri)) return false;
  const [asked, known] = [new URL(redirectUri), new URL(registered)];
  const base = known.pathname.endsWith("/") ? known.pathname : `${known.pathname}/`;
  return asked.origin === known.origin && (asked.pathname === known.pathname || asked.pathname.startsWith(base));
}

/** The connector by which a gateway whose web listener is at `proxy` (`host:port`) logs people in there; `spec` adds to it. */
export function githubConnector(github: Github, proxy: string, spec: Readonly<Record<string, unknown>>, name = "github") {
  return {
    kind: "github",
    version: "v3",
    metadata: { name },
    spec: {
      client_id: github.clientId,
      client_secret: github.clientSecret,
      display: "GitHub",
      redirect_url: `https://${proxy}/v1/webapi/github/callback`,
      endpoint_url: github.url,
      api_endpoint_url: github.apiUrl,
      ...spec,
    },
  } as const;
}
