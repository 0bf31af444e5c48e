import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startGithub, type Github } from "./github.ts";

const callback = "http://127.0.0.1:3080/v1/webapi/github/callback";
const verifier = "v".repeat(43);
const challenge = createHash("sha256").update(verifier).digest("base64url");

let github: Github;
let now = 0;
beforeEach(async () => {
  now = 1_000_000;
  const teams = Array.from({ length: 35 }, (_, index) => ({ organization: "octocats", organizationId: 1, team: `t${String(index)}`, teamId: index }));
  github = await startGithub({ users: [{ login: "ana", id: 1001, teams }], callbackUrl: callback, now: () => now });
  github.setUser("ana");
});
afterEach(() => github.close());

async function authorize(query: Record<string, string> = {}, headers: Record<string, string> = {}): Promise<{ status: number; location: URL | undefined; body: string }> {
  const all = { client_id: github.clientId, redirect_uri: callback, scope: "read:org", state: "s", code_challenge: challenge, code_challenge_method: "S256", ...query };
  const response = await fetch(`${github.url}/login/oauth/authorize?${new URLSearchParams(all).toString()}`, { redirect: "manual", headers });
  const location = response.headers.get("location");
  return { status: response.status, location: location === null ? undefined : new URL(location), body: await response.text() };
}

async function exchange(fields: Record<string, string>): Promise<Record<string, string>> {
  const body = new URLSearchParams({ client_id: github.clientId, client_secret: github.clientSecret, redirect_uri: callback, code_verifier: verifier, ...fields });
  const response = await fetch(`${github.url}/login/oauth/access_token`, { method: "POST", body, headers: { accept: "application/json" } });
  return (await response.json()) as Record<string, string>;
}

async function newCode(query: Record<string, string> = {}): Promise<string> {
  return (await authorize(query)).location!.searchParams.get("code")!;
}

async function api(path: string, token: string | undefined): Promise<Response> {
  return fetch(`${github.apiUrl}${path}`, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } });
}

describe("the stand-in GitHub refuses what the real one refuses", () => {
  it("is on this machine alone", async () => {
    for (const host of ["0.0.0.0", "::", "192.0.2.1"]) await expect(startGithub({ users: [], host })).rejects.toThrow("loopback");
  });

  it("an application that it does not know", async () => {
    expect((await authorize({ client_id: "other" })).status).toBe(404);
  });

  it.each(["http://127.0.0.1:3081/v1/webapi/github/callback", "http://evil.example/v1/webapi/github/callback", "http://127.0.0.1:3080/v1/webapi/github/callbackx"])("to send a code to %s", async (redirect_uri) => {
    const { location } = await authorize({ redirect_uri });
    expect(location!.href.startsWith(callback)).toBe(true);
    expect([location!.searchParams.get("error"), location!.searchParams.get("code")]).toEqual(["redirect_uri_mismatch", null]);
  });

  it.each([
    ["a wrong secret", { client_secret: "x" }, "incorrect_client_credentials"],
    ["an unknown code", { code: "x" }, "bad_verification_code"],
    ["another callback", { redirect_uri: "http://127.0.0.1:3080/other" }, "redirect_uri_mismatch"],
    ["another verifier", { code_verifier: "w".repeat(43) }, "bad_verification_code"],
    ["no verifier", { code_verifier: "" }, "bad_verification_code"],
  ])("%s, with status 200", async (_, change, error) => {
    expect(await exchange({ code: await newCode(), ...change })).toMatchObject({ error });
  });

  it("a code used before, or older than ten minutes", async () => {
    const code = await newCode();
    expect(await exchange({ code })).toHaveProperty("access_token");
    expect(await exchange({ code })).toMatchObject({ error: "bad_verification_code" });
    const old = await newCode();
    now += 10 * 60_000;
    expect(await exchange({ code: old })).toMatchObject({ error: "bad_verification_code" });
  });

  it("a token that it never gave, none at all, and one that may not see organizations", async () => {
    expect((await api("/user", "gho_x")).status).toBe(401);
    expect((await api("/user", undefined)).status).toBe(401);
    const { access_token } = await exchange({ code: await newCode({ scope: "" }) });
    expect([(await api("/user", access_token)).status, (await api("/user/teams", access_token)).status, (await api("/user/memberships/orgs", access_token)).status]).toEqual([200, 404, 403]);
  });
});

describe("the stand-in GitHub", () => {
  it("gives teams by pages, 30 where nothing is said, with the links of the real one", async () => {
    const { access_token } = await exchange({ code: await newCode() });
    const first = await api("/user/teams", access_token);
    expect(await first.json()).toHaveLength(30);
    const next = /<([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "")![1]!;
    const second = await fetch(next, { headers: { authorization: `Bearer ${access_token!}` } });
    expect(await second.json()).toHaveLength(5);
    expect(second.headers.get("link")).not.toContain('rel="next"');
  });

  it("gives memberships of organizations: those of teams, those without, and invitations apart", async () => {
    const beside = [{ organization: "acme", organizationId: 2, state: "active" as const }, { organization: "later", organizationId: 3, state: "pending" as const }];
    github.setUsers([{ login: "ana", id: 1001, teams: [{ organization: "octocats", organizationId: 1, team: "t", teamId: 1 }], memberships: beside }]);
    const { access_token } = await exchange({ code: await newCode() });
    const list = async (query: string): Promise<readonly string[]> =>
      ((await (await api(`/user/memberships/orgs${query}`, access_token)).json()) as { state: string; organization: { login: string; id: number } }[]).map(({ state, organization }) => `${organization.login} ${String(organization.id)} ${state}`);
    expect(await list("")).toEqual(["acme 2 active", "later 3 pending", "octocats 1 active"]);
    expect(await list("?state=active")).toEqual(["acme 2 active", "octocats 1 active"]);
    const page = await api("/user/memberships/orgs?state=active&per_page=1", access_token);
    expect(page.headers.get("link")).toContain(`<${github.apiUrl}/user/memberships/orgs?state=active&per_page=1&page=2>; rel="next"`);
    expect((await api("/user/memberships/orgs?state=gone", access_token)).status).toBe(422);
  });

  it("asks who one is, then whether one agrees", async () => {
    github.setUser(undefined);
    github.setApproval("button");
    expect((await authorize()).body).toContain("/login?as=ana");
    const signedIn = await fetch(`${github.url}/login?as=ana&return_to=//evil.example`, { redirect: "manual" });
    expect(signedIn.headers.get("location")).toBe(`${github.url}/`);
    const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
    expect((await authorize({}, { cookie })).body).toContain("Signed in as <b>ana</b>");
    const query = new URLSearchParams({ client_id: github.clientId, redirect_uri: callback, state: "s" }).toString();
    const post = async (value: string): Promise<URL> => {
      const answer = await fetch(`${github.url}/login/oauth/authorize?${query}`, { method: "POST", redirect: "manual", headers: { cookie }, body: new URLSearchParams({ authorize: value }) });
      return new URL(answer.headers.get("location")!);
    };
    expect((await post("1")).searchParams.get("code")).toMatch(/^[0-9a-f]{20}$/);
    expect((await post("0")).searchParams.get("error")).toBe("access_denied");
  });

  it("answers a token request as a form where JSON is not asked for", async () => {
    const body = new URLSearchParams({ client_id: github.clientId, client_secret: github.clientSecret, code: await newCode(), code_verifier: verifier });
    const response = await fetch(`${github.url}/login/oauth/access_token`, { method: "POST", body, headers: { accept: "*/*" } });
    expect(new URLSearchParams(await response.text()).get("access_token")).toMatch(/^gho_/);
  });
});
