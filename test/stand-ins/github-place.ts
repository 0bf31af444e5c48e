import { afterEach, beforeEach, expect } from "vitest";
import { newTerminal, openAuthWorld, origin, type AuthWorld, type Terminal } from "@gatehouse/core/auth/testing";
import type { User } from "@gatehouse/core/resources";
import { githubConnector, startGithub, type Github, type GithubUser } from "./github.ts";

export const hour = 3_600_000;
export const containing = (text: string): string => expect.stringContaining(text) as string;
export const octocats = { organization: "octocats", organizationId: 1 };
export const developers = { ...octocats, team: "developers", teamId: 11 };
export const admins = { ...octocats, team: "admins", teamId: 13 };
export const web = { ...octocats, team: "web", teamId: 14 };
export const ana: GithubUser = { login: "ana", id: 1001, teams: [developers, web] };

/** A GitHub where ana is logged in, and a gateway that logs people in there: new ones for each test of a file that calls {@link atGithub}. */
export let github: Github;
export let world: AuthWorld;

export function connector(spec: Record<string, unknown> = {}, name = "github"): Record<string, unknown> {
  const teams = {
    teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["ana", "deploy"], kubernetes_groups: ["developers"] }],
    teams_to_roles: [{ organization: "octocats", team: "admins", roles: ["admin"] }],
  };
  return githubConnector(github, "127.0.0.1:3080", { ...teams, ...spec }, name);
}

/** Makes both before each test, and ends them after it. */
export function atGithub(): void {
  beforeEach(async () => {
    github = await startGithub({ users: [ana] });
    github.setUser("ana");
    world = await openAuthWorld({ providerTimeouts: { request: 300, login: 1000 } });
    await world.put(connector());
  });
  afterEach(async () => {
    await world.close();
    await github.close();
  });
}

export type Query = Record<string, string | undefined>;
export type Cookies = Record<string, string | undefined>;

export async function begin(terminal: Terminal, options: { readonly ttl?: number; readonly connectorId?: string } = {}): Promise<string> {
  const { redirectUrl } = await world.auth.logins.startSso({
    kind: "github",
    connectorId: options.connectorId ?? "github",
    clientRedirectUrl: terminal.clientRedirectUrl,
    publicKey: terminal.publicKey,
    ttl: options.ttl ?? hour,
    compatibility: "",
    origin,
  });
  const url = new URL(redirectUrl);
  expect(url.origin + url.pathname).toBe("https://127.0.0.1:3080/v1/webapi/github/login/open");
  return url.searchParams.get("id")!;
}

/** Opens the login in a browser and goes through GitHub: what the browser brings to the callback. */
export async function browse(loginId: string): Promise<{ query: Query; cookies: Cookies; authorizeUrl: URL }> {
  const { cookie, location } = await world.auth.logins.openSso(loginId, origin);
  const response = await fetch(location, { redirect: "manual" });
  const callback = new URL(response.headers.get("location")!);
  expect(callback.origin + callback.pathname).toBe("https://127.0.0.1:3080/v1/webapi/github/callback");
  return { query: Object.fromEntries(callback.searchParams), cookies: { [cookie!.name]: cookie!.value }, authorizeUrl: new URL(location) };
}

export async function logIn(options: { readonly ttl?: number; readonly connectorId?: string } = {}) {
  const terminal = newTerminal();
  const { query, cookies } = await browse(await begin(terminal, options));
  const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
  expect(location.startsWith("http://127.0.0.1:43117/callback?")).toBe(true);
  return terminal.read(location);
}

/** The stored user of this name. */
export async function storedUser(name: string): Promise<User> {
  const [item] = await world.auth.admin.get({ type: "local-admin" }, { kind: "user", name }, { withSecrets: false });
  if (item?.resource.kind !== "user") throw new Error("no user");
  return item.resource;
}

/** Locks ana, as an administrator does. */
export async function lock(status: Record<string, unknown>): Promise<void> {
  const user = await storedUser("ana");
  await world.put({ ...user, spec: { ...user.spec, status: { is_locked: true, ...status } } });
}

/** The failure that reached the terminal; it is in the audit log under the same id. */
export async function failure(options: { readonly connectorId?: string } = {}) {
  const { error, response } = await logIn(options);
  expect(response).toBeUndefined();
  expect(world.audit.last("user.login")).toMatchObject({ code: "T1001W", method: "github", success: false, error: error!.message, id: error!.id });
  expect(error!.id).toMatch(/^[0-9a-f]{8}$/);
  return error!;
}
