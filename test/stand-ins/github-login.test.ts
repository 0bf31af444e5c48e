import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newTerminal, openAuthWorld, origin, stateOf, type AuthWorld, type Terminal } from "@gatehouse/core/auth/testing";
import type { User } from "@gatehouse/core/resources";
import { githubConnector, startGithub, type Github, type GithubUser } from "./github.ts";

const hour = 3_600_000;
const containing = (text: string): string => expect.stringContaining(text) as string;
const octocats = { organization: "octocats", organizationId: 1 };
const developers = { ...octocats, team: "developers", teamId: 11 };
const admins = { ...octocats, team: "admins", teamId: 13 };
const web = { ...octocats, team: "web", teamId: 14 };
const ana: GithubUser = { login: "ana", id: 1001, teams: [developers, web] };

let github: Github;
let world: AuthWorld;

function connector(spec: Record<string, unknown> = {}, name = "github"): Record<string, unknown> {
  const teams = {
    teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["ana", "deploy"], kubernetes_groups: ["developers"] }],
    teams_to_roles: [{ organization: "octocats", team: "admins", roles: ["admin"] }],
  };
  return githubConnector(github, "127.0.0.1:3080", { ...teams, ...spec }, name);
}

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

type Query = Record<string, string | undefined>;
type Cookies = Record<string, string | undefined>;

async function begin(terminal: Terminal, options: { readonly ttl?: number; readonly connectorId?: string } = {}): Promise<string> {
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
async function browse(loginId: string): Promise<{ query: Query; cookies: Cookies; authorizeUrl: URL }> {
  const { cookie, location } = await world.auth.logins.openSso(loginId, origin);
  const response = await fetch(location, { redirect: "manual" });
  const callback = new URL(response.headers.get("location")!);
  expect(callback.origin + callback.pathname).toBe("https://127.0.0.1:3080/v1/webapi/github/callback");
  return { query: Object.fromEntries(callback.searchParams), cookies: { [cookie!.name]: cookie!.value }, authorizeUrl: new URL(location) };
}

async function logIn(options: { readonly ttl?: number; readonly connectorId?: string } = {}) {
  const terminal = newTerminal();
  const { query, cookies } = await browse(await begin(terminal, options));
  const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
  expect(location.startsWith("http://127.0.0.1:43117/callback?")).toBe(true);
  return terminal.read(location);
}

/** The stored user of this name. */
async function storedUser(name: string): Promise<User> {
  const [item] = await world.auth.admin.get({ type: "local-admin" }, { kind: "user", name }, { withSecrets: false });
  if (item?.resource.kind !== "user") throw new Error("no user");
  return item.resource;
}

/** Locks ana, as an administrator does. */
async function lock(status: Record<string, unknown>): Promise<void> {
  const user = await storedUser("ana");
  await world.put({ ...user, spec: { ...user.spec, status: { is_locked: true, ...status } } });
}

/** The failure that reached the terminal; it is in the audit log under the same id. */
async function failure(options: { readonly connectorId?: string } = {}) {
  const { error, response } = await logIn(options);
  expect(response).toBeUndefined();
  expect(world.audit.last("user.login")).toMatchObject({ code: "T1001W", method: "github", success: false, error: error!.message, id: error!.id });
  expect(error!.id).toMatch(/^[0-9a-f]{8}$/);
  return error!;
}

describe("a GitHub login", () => {
  it("gives certificates, a session and a user record that ends with it", async () => {
    const { response } = await logIn();
    expect(response!.username).toBe("ana");
    expect(response!.host_signers[0]!.domain_name).toBe("example");
    const certificate = world.certificate(response!);
    expect(certificate).toMatchObject({ username: "ana", roles: ["access"], logins: ["ana", "deploy"], subjectId: "github:github:1001" });
    expect(certificate.notAfter).toBe(world.clock.now() + hour);
    const identity = world.auth.gatekeeper.identify(certificate);
    expect(identity.traits).toEqual({ logins: ["ana", "deploy"], kubernetes_groups: ["developers"] });
    expect(world.auth.gatekeeper.kube(identity, { name: "prod", labels: {} }).groups).toEqual(["developers"]);
    const [user] = await world.auth.admin.get({ type: "local-admin" }, { kind: "user", name: "ana" }, { withSecrets: false });
    expect(user!.resource).toMatchObject({
      metadata: { expires: new Date(world.clock.now() + hour).toISOString() },
      spec: { roles: ["access"], created_by: { connector: { type: "github", id: "github", identity: "ana" } }, github_identities: [{ connector_id: "github", username: "ana" }] },
    });
    expect(world.audit.events.map(({ code }) => code)).toEqual(expect.arrayContaining(["T1001I", "G1001I"]));
  });

  it("sends PKCE, read:org and a state that the terminal never sees", async () => {
    const terminal = newTerminal();
    const loginId = await begin(terminal);
    const { authorizeUrl, query } = await browse(loginId);
    expect(Object.fromEntries(authorizeUrl.searchParams)).toMatchObject({ scope: "read:org", code_challenge_method: "S256", response_type: "code" });
    expect(authorizeUrl.searchParams.get("code_challenge")).toMatch(/^[\w-]{43}$/);
    expect(query["state"]).not.toBe(loginId);
  });

  it("keeps no key, verifier, state or secret in what the store shows, and none in the audit log", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const [item] = await world.store.list("sso_request");
    for (const secret of [query["state"]!, Object.values(cookies)[0]!, "secret="]) expect(item!.name + item!.value).not.toContain(secret);
    await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    const audited = JSON.stringify(world.audit.events);
    for (const secret of [query["state"]!, query["code"]!, github.clientSecret, "gho_"]) expect(audited).not.toContain(secret);
  });

  it("empties secret and sorts the keys of the terminal's address, as v3 does", async () => {
    const { query, cookies } = await browse(await begin(newTerminal()));
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    expect([...new URL(location).searchParams.keys()]).toEqual(["response", "secret"]);
    expect(new URL(location).searchParams.get("secret")).toBe("");
  });

  it("goes on at another gateway than it began at", async () => {
    const other = await world.another();
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const { location } = await other.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    expect(terminal.read(location).response!.username).toBe("ana");
  });

  it("gives certificates no longer than the roles allow", async () => {
    await world.put({ kind: "role", version: "v3", metadata: { name: "admin" }, spec: { options: { max_session_ttl: "30m" }, allow: {} } });
    github.setUsers([{ ...ana, teams: [admins] }]);
    expect(world.certificate((await logIn({ ttl: 10 * hour })).response!).notAfter).toBe(world.clock.now() + hour / 2);
  });

  it("sees 250 teams over pages, the last one too", async () => {
    const many = Array.from({ length: 249 }, (_, index) => ({ ...octocats, team: `team-${String(index)}`, teamId: 5000 + index }));
    github.setUsers([{ ...ana, teams: [...many, developers] }]);
    expect((await logIn()).response!.username).toBe("ana");
    expect(github.requests.filter(({ path }) => path.endsWith("/user/teams"))).toHaveLength(3);
  });

  it("leaves older sessions their traits, and takes roles away from them at once", async () => {
    github.setUsers([{ ...ana, teams: [developers, admins] }]);
    const first = world.certificate((await logIn()).response!);
    expect(world.auth.gatekeeper.identify(first).roles.roleNames).toEqual(expect.arrayContaining(["access", "admin"]));
    github.setUsers([{ ...ana, teams: [admins] }]);
    await logIn();
    const identity = world.auth.gatekeeper.identify(first);
    expect(identity.roles.roleNames).not.toContain("access");
    expect(identity.traits["kubernetes_groups"]).toEqual(["developers"]);
    expect(world.auth.gatekeeper.kube(identity, { name: "prod", labels: {} }).groups).toEqual(["developers"]);
  });

  it("succeeds twice at the same moment", async () => {
    const both = await Promise.all([logIn(), logIn()]);
    expect(both.map(({ response }) => response?.username)).toEqual(["ana", "ana"]);
  });
});

describe("who a login belongs to", () => {
  it("refuses a state that nobody began, and one used before", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    const sessions = await world.store.list("session");
    for (const state of [query["state"], "A".repeat(43), "", undefined]) {
      await expect(world.auth.logins.finishSso({ kind: "github", parameters: { ...query, state }, cookies, origin })).rejects.toMatchObject({ code: "access_denied", message: containing("used already") });
      expect(world.audit.last("user.login")).toMatchObject({ code: "T1001W", success: false });
    }
    expect(await world.store.list("session")).toHaveLength(sessions.length);
  });

  it("lets one of two callbacks at the same moment through", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const outcomes = await Promise.allSettled([1, 2].map(() => world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin })));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await world.store.list("session")).toHaveLength(1);
  });

  it.each([
    ["no cookie", (): Cookies => ({})],
    ["another cookie", (cookies: Cookies): Cookies => Object.fromEntries(Object.keys(cookies).map((name) => [name, "A".repeat(43)]))],
    ["the cookie of another login", (cookies: Cookies): Cookies => ({ "__Host-gatehouse-login-0000000000000000": Object.values(cookies)[0] })],
  ])("tells the terminal of a callback with %s, without asking GitHub for a token", async (_, change) => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies: change(cookies), origin });
    expect(terminal.read(location).error).toMatchObject({ code: "access_denied", message: containing("cookie") });
    expect(github.requests.some(({ path }) => path.endsWith("/access_token"))).toBe(false);
    await expect(world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin })).rejects.toMatchObject({ code: "access_denied" });
    expect(await world.store.list("session")).toHaveLength(0);
  });

  it("refuses a callback for a login that no browser has opened", async () => {
    const terminal = newTerminal();
    const opened = await browse(await begin(terminal));
    const second = newTerminal();
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: { ...opened.query, state: stateOf(await begin(second)) }, cookies: opened.cookies, origin });
    expect(second.read(location).error!.code).toBe("access_denied");
  });

  it("lets one browser open a login, and that one again", async () => {
    const loginId = await begin(newTerminal());
    const { cookie, location } = await world.auth.logins.openSso(loginId, origin);
    expect(cookie!.name).toMatch(/^__Host-gatehouse-login-[0-9a-f]{16}$/);
    await expect(world.auth.logins.openSso(loginId, origin)).rejects.toMatchObject({ code: "access_denied" });
    await expect(world.auth.logins.openSso(loginId, origin, { [cookie!.name]: "A".repeat(43) })).rejects.toMatchObject({ code: "access_denied" });
    expect(await world.auth.logins.openSso(loginId, origin, { [cookie!.name]: cookie!.value })).toEqual({ cookie, location });
  });

  it("forgets a login after 180 s", async () => {
    const { query, cookies } = await browse(await begin(newTerminal()));
    const late = await begin(newTerminal());
    world.clock.advance(180_000);
    await expect(world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin })).rejects.toMatchObject({ code: "access_denied" });
    await expect(world.auth.logins.openSso(late, origin)).rejects.toMatchObject({ code: "access_denied" });
  });

  it("refuses a stolen code in a login of the thief's own: the verifier is another", async () => {
    const stolen = await browse(await begin(newTerminal()));
    const thief = newTerminal();
    const own = await browse(await begin(thief));
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: { ...own.query, code: stolen.query["code"] }, cookies: own.cookies, origin });
    expect(thief.read(location).error).toMatchObject({ code: "access_denied", message: containing("bad_verification_code") });
  });

  it("refuses a code that was used", async () => {
    const terminal = newTerminal();
    const first = await browse(await begin(newTerminal()));
    await world.auth.logins.finishSso({ kind: "github", parameters: first.query, cookies: first.cookies, origin });
    const own = await browse(await begin(terminal));
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: { ...own.query, code: first.query["code"] }, cookies: own.cookies, origin });
    expect(terminal.read(location).error!.code).toBe("access_denied");
  });
});

describe("what the start refuses", () => {
  const start = (change: Record<string, unknown>) => {
    const terminal = newTerminal();
    const request = { kind: "github" as const, connectorId: "github", clientRedirectUrl: terminal.clientRedirectUrl, publicKey: terminal.publicKey, ttl: hour, compatibility: "", origin, ...change };
    return world.auth.logins.startSso(request);
  };
  const key = encodeURIComponent(Buffer.alloc(32, 1).toString("base64"));

  it("is a flood from one address, and not the logins of others meanwhile", async () => {
    for (let count = 0; count < 128; count++) await start({});
    await expect(start({})).rejects.toMatchObject({ code: "limit_exceeded" });
    await start({ origin: { remoteAddress: "192.0.2.7:4711" } });
  });

  it.each([
    [{ clientRedirectUrl: "" }, "missing redirect_url"],
    [{ publicKey: "" }, "missing public_key"],
    [{ connectorId: "" }, "missing connector_id"],
    [{ ttl: 59_999 }, "wrong certificate TTL"],
    [{ ttl: 30 * hour + 1 }, "wrong certificate TTL"],
    [{ ttl: Number.NaN }, "wrong certificate TTL"],
    [{ compatibility: "newssh" }, "compatibility"],
    [{ clientRedirectUrl: "http://127.0.0.1:4000/callback" }, "missing secret"],
    [{ clientRedirectUrl: "http://127.0.0.1:4000/callback?secret=" }, "missing secret"],
    [{ clientRedirectUrl: "http://127.0.0.1:4000/callback?secret=AAAA" }, "bad secret"],
    [{ clientRedirectUrl: `http://127.0.0.1:4000/callback?secret=${key}&secret=${key}` }, "bad secret"],
    ...[
      "https://127.0.0.1:4000/callback",
      "http://127.0.0.1/callback",
      "http://evil.example:4000/callback",
      "http://127.0.0.1.evil.example:4000/callback",
      "http://evil.example@127.0.0.1:4000/callback",
      "http://127.0.0.1:4000@evil.example/callback",
      "http://127.0.0.1:4000/elsewhere",
      "http://127.0.0.1:4000/callback/..",
      "http://0.0.0.0:4000/callback",
      "http://[::]:4000/callback",
      "javascript:alert(1)//callback",
      "//127.0.0.1:4000/callback",
    ].map((url) => [{ clientRedirectUrl: `${url}?secret=${key}` }, "redirect_url"] as const),
  ] as const)("%j", async (change, message) => {
    await expect(start(change)).rejects.toMatchObject({ code: "bad_parameter", message: containing(message) });
    expect(await world.store.list("sso_request")).toHaveLength(0);
  });

  it.each(["http://[::1]:4000/callback", "http://localhost:4000/callback"])("%s is on this machine", async (url) => {
    expect((await start({ clientRedirectUrl: `${url}?secret=${key}` })).redirectUrl).toContain("?id=");
  });

  it("a connector that does not exist, and a key that is none", async () => {
    await expect(start({ connectorId: "nosuch" })).rejects.toMatchObject({ code: "not_found" });
    await expect(start({ publicKey: "ssh-rsa AAAA" })).rejects.toMatchObject({ code: "bad_parameter" });
  });
});

describe("who GitHub says it is", () => {
  it("in no mapped team: says which are mapped and which GitHub reported", async () => {
    github.setUsers([{ ...ana, teams: [web, { ...octocats, organization: "Octocats", team: "developers", teamId: 99 }] }]);
    const error = await failure();
    expect(error).toMatchObject({ code: "access_denied", message: 'ana is in none of the teams that connector "github" maps (octocats/admins, octocats/developers)' });
    expect(error.hint).toContain("GitHub reported: Octocats/developers, octocats/web");
    github.setUsers([{ ...ana, teams: [] }]);
    expect((await failure()).hint).toContain("approve");
    expect(await world.store.list("user")).toHaveLength(0);
  });

  it("an organization whose name another one took is refused, whichever team it is", async () => {
    await logIn();
    github.setUsers([{ ...ana, teams: [{ ...developers, organizationId: 666 }] }]);
    expect(await failure()).toMatchObject({ code: "access_denied", message: containing("octocats") });
    expect(world.audit.last("identity.refused")).toMatchObject({ user: "ana", connector: "github" });
    // One honest team does not carry a false one along.
    github.setUsers([{ ...ana, teams: [admins, { ...developers, organizationId: 666 }] }]);
    expect((await failure()).code).toBe("access_denied");
    github.setUsers([ana]);
    expect((await logIn()).response!.username).toBe("ana");
  });

  it("a team whose name another one took is refused", async () => {
    await logIn();
    github.setUsers([{ ...ana, teams: [{ ...developers, teamId: 777 }] }]);
    expect((await failure()).message).toContain("octocats/developers");
  });

  it("teams that nobody maps pin nothing: they cannot be used to take a name before it is mapped", async () => {
    github.setUsers([{ ...ana, teams: [developers, { organization: "later", organizationId: 5, team: "ops", teamId: 50 }] }]);
    await logIn();
    expect((await world.store.list("github_pin")).map(({ name }) => name).sort()).toEqual(["github/octocats", "github/octocats/developers"]);
  });

  it("a mapping without a team is for every active member of the organization, whose id is pinned", async () => {
    const acme = { organization: "acme", organizationId: 7 };
    await world.put(connector({ teams_to_logins: [], teams_to_roles: [{ organization: "acme", roles: ["access"] }] }));
    github.setUsers([{ ...ana, teams: [], memberships: [{ ...acme, state: "pending" }] }]);
    expect((await logIn()).error).toMatchObject({ code: "access_denied", message: containing("none of the teams and organizations that connector \"github\" maps (acme/*)"), hint: containing("no team and no organization") });
    github.setUsers([{ ...ana, teams: [web], memberships: [{ ...acme, state: "active" }, { organization: "later", organizationId: 5, state: "active" }] }]);
    expect((await logIn()).response).toBeDefined();
    expect((await world.store.list("github_pin")).map(({ name }) => name)).toEqual(["github/acme"]);
    github.setUsers([{ ...ana, teams: [web], memberships: [{ organization: "acme", organizationId: 666, state: "active" }] }]);
    expect((await logIn()).error).toMatchObject({ code: "access_denied", message: containing('organization acme is not the one that connector "github" knows') });
    github.setFault("memberships", "500");
    expect((await logIn()).error).toMatchObject({ code: "internal", message: containing("GitHub answered 500 to the organizations request") });
  });

  it("taking a team out of the mapping and putting it back forgets its id", async () => {
    await logIn();
    await world.put(connector({ teams_to_logins: [] }));
    await world.put(connector());
    github.setUsers([{ ...ana, teams: [{ ...developers, teamId: 777 }] }]);
    expect((await logIn()).response!.username).toBe("ana");
  });

  it("another person under a known login name is refused, until an administrator frees the name", async () => {
    const before = world.certificate((await logIn()).response!);
    github.setUsers([{ ...ana, id: 9999 }]);
    expect(await failure()).toMatchObject({ code: "access_denied", message: containing("another identity") });
    expect(world.audit.last("identity.refused")).toMatchObject({ user: "ana" });
    // The name outlives the user record.
    world.clock.advance(2 * hour);
    expect((await failure()).code).toBe("access_denied");
    await world.auth.admin.remove({ type: "local-admin" }, { kind: "user", name: "ana" });
    const after = world.certificate((await logIn()).response!);
    expect(after.subjectId).toBe("github:github:9999");
    expect(() => world.auth.gatekeeper.identify({ ...before, notAfter: after.notAfter })).toThrow();
  });

  it("a person who is called otherwise at GitHub keeps the user name, and with it a lock", async () => {
    const before = world.certificate((await logIn()).response!);
    github.setUsers([{ ...ana, login: "Ana" }]);
    github.setUser("Ana");
    const after = await logIn();
    expect(after.response!.username).toBe("ana");
    expect(world.certificate(after.response!)).toMatchObject({ username: "ana", subjectId: before.subjectId });
    expect(world.audit.last("user.login")).toMatchObject({ user: "ana", external_name: "Ana", success: true });
    expect((await storedUser("ana")).spec.github_identities).toEqual([{ connector_id: "github", username: "Ana" }]);
    expect(world.auth.gatekeeper.identify(before).username).toBe("ana");
    await lock({ locked_message: "laptop stolen" });
    expect((await failure()).message).toContain("laptop stolen");
    expect(world.audit.last("user.login")).toMatchObject({ user: "ana", external_name: "Ana", success: false });
    for (const kind of ["user", "identity", "subject"]) expect([kind, await world.store.list(kind)]).toEqual([kind, [expect.anything()]]);
  });

  it("whoever takes the login name that a known person left is refused", async () => {
    await logIn();
    github.setUsers([{ ...ana, login: "ana2" }]);
    github.setUser("ana2");
    expect((await logIn()).response!.username).toBe("ana");
    github.setUsers([{ ...ana, id: 9999 }]);
    github.setUser("ana");
    expect((await failure()).message).toContain("another identity");
    expect(world.audit.last("identity.refused")).toMatchObject({ user: "ana", external_name: "ana" });
  });

  it("a person gets a new user name once an administrator has removed the old one, or the connector", async () => {
    await logIn();
    github.setUsers([{ ...ana, login: "ana2" }]);
    github.setUser("ana2");
    await world.auth.admin.remove({ type: "local-admin" }, { kind: "user", name: "ana" });
    expect(await world.store.list("subject")).toEqual([]);
    expect((await logIn()).response!.username).toBe("ana2");
    await world.auth.admin.remove({ type: "local-admin" }, { kind: "github", name: "github" });
    expect(await world.store.list("subject")).toEqual([]);
  });

  it("two first logins under two names at the same moment give one user name", async () => {
    const terminal = newTerminal();
    const first = await browse(await begin(terminal));
    const { store } = world;
    let renamed: ReturnType<typeof logIn> | undefined;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!renamed && operations.some(({ kind }) => kind === "identity")) {
            github.setUsers([{ ...ana, login: "ana2" }]);
            github.setUser("ana2");
            renamed = logIn();
            await renamed;
          }
          return store.transact(operations);
        },
      },
    });
    const { location } = await slow.logins.finishSso({ kind: "github", parameters: first.query, cookies: first.cookies, origin });
    expect((await renamed!).response!.username).toBe("ana2");
    expect(terminal.read(location).response!.username).toBe("ana2");
    expect(await world.store.list("identity")).toHaveLength(1);
  });

  it("a person known from before user names stayed keeps theirs; of several, one that is locked, or the oldest", async () => {
    const identity = (name: string, created: number) => ({ op: "put" as const, kind: "identity", name, value: JSON.stringify({ subject: "github:github:1001", created }) });
    await world.store.transact([identity("ana", 3), identity("Ana", 2), identity("ana2", 4)]);
    await world.put({ kind: "user", version: "v2", metadata: { name: "ana2" }, spec: { roles: ["access"], status: { is_locked: true } } });
    expect((await failure()).message).toContain('user "ana2" is locked');
    await world.put({ kind: "user", version: "v2", metadata: { name: "ana2" }, spec: { roles: ["access"] } });
    expect((await logIn()).response!.username).toBe("Ana");
    expect((await world.store.get("subject", "github:github:1001"))!.value).toBe(JSON.stringify({ user: "Ana" }));
    await world.auth.admin.remove({ type: "local-admin" }, { kind: "user", name: "ana2" });
    expect((await logIn()).response!.username).toBe("Ana");
    await world.auth.admin.remove({ type: "local-admin" }, { kind: "user", name: "Ana" });
    expect((await logIn()).response!.username).toBe("ana");
  });

  it.each(["local-admin", "Local-Admin"])("%s is refused: the audit log calls the administrator of the host so", async (login) => {
    github.setUsers([{ ...ana, login }]);
    github.setUser(login);
    expect(await failure()).toMatchObject({ code: "access_denied", message: containing("the administrator of the gateway's host") });
    for (const kind of ["user", "identity", "session"]) expect(await world.store.list(kind)).toEqual([]);
  });

  it("a name that a local user has is refused, and so is one of another connector", async () => {
    await world.auth.admin.inviteUser({ type: "local-admin" }, { name: "ana", roles: ["access"], traits: {}, ttl: hour });
    expect((await failure()).message).toContain("another identity");
    await world.auth.admin.remove({ type: "local-admin" }, { kind: "user", name: "ana" });
    await logIn();
    await world.put(connector({}, "second"));
    expect((await failure({ connectorId: "second" })).message).toContain("another identity");
  });

  it("a locked user is refused, and stays locked", async () => {
    await logIn();
    await lock({ locked_message: "laptop stolen" });
    expect((await failure()).message).toContain("laptop stolen");
    expect((await failure()).message).toContain("laptop stolen");
  });

  it("a lock without an end outlives the sessions, until an administrator takes it away", async () => {
    await logIn();
    await lock({ locked_message: "laptop stolen" });
    world.clock.advance(100 * hour);
    expect((await failure()).message).toContain("laptop stolen");
    // What get prints can be loaded again, however long ago the last session ended.
    expect((await world.auth.admin.put({ type: "local-admin" }, await storedUser("ana"), "upsert")).outcome).toBe("unchanged");
    const user = await storedUser("ana");
    await world.put({ ...user, spec: { ...user.spec, status: undefined } });
    expect((await storedUser("ana")).spec.status).toBeUndefined();
    await logIn();
    expect((await storedUser("ana")).metadata.expires).toBeDefined();
    world.clock.advance(31 * hour);
    await expect(storedUser("ana")).rejects.toMatchObject({ code: "not_found" });
  });

  it("a lock with an end outlives the sessions, until that end", async () => {
    await logIn();
    await lock({ lock_expires: new Date(world.clock.now() + 50 * hour).toISOString() });
    world.clock.advance(50 * hour - 1);
    expect((await failure()).message).toContain("locked");
    world.clock.advance(1);
    await logIn();
    expect((await storedUser("ana")).metadata.expires).toBe(new Date(world.clock.now() + hour).toISOString());
  });

  it("a lock that ends before the sessions do takes nothing from them", async () => {
    await logIn({ ttl: 5 * hour });
    await lock({ lock_expires: new Date(world.clock.now() + hour).toISOString() });
    world.clock.advance(2 * hour);
    expect((await storedUser("ana")).metadata.expires).toBe(new Date(world.clock.now() + 3 * hour).toISOString());
    expect((await logIn()).response!.username).toBe("ana");
    expect((await storedUser("ana")).metadata.expires).toBe(new Date(world.clock.now() + 3 * hour).toISOString());
  });

  it("a lock from before the store kept locked users is kept from the next start on", async () => {
    await logIn();
    await lock({});
    const stored = await world.store.get("user", "ana");
    await world.store.transact([{ op: "put", kind: "user", name: "ana", value: stored!.value, expires: world.clock.now() + hour }]);
    await world.another();
    world.clock.advance(2 * hour);
    expect((await failure()).message).toContain("locked");
  });

  it("the end that an administrator gave a user holds for the next login too", async () => {
    await logIn();
    const user = await storedUser("ana");
    const end = world.clock.now() + hour / 2;
    await world.put({ ...user, spec: { ...user.spec, expires: new Date(end).toISOString() } });
    expect(world.certificate((await logIn()).response!).notAfter).toBe(end);
    expect((await storedUser("ana")).spec.expires).toBe(new Date(end).toISOString());
  });

  it("a role that does not exist is named", async () => {
    await world.put(connector({ teams_to_roles: [{ organization: "octocats", team: "developers", roles: ["nosuch"] }] }));
    expect((await failure()).message).toContain('role "nosuch" does not exist');
  });
});

describe("a connector that changes while somebody logs in", () => {
  const localAdmin = { type: "local-admin" } as const;

  /** A login at a gateway whose next write of this kind is preceded by what an administrator does. */
  async function logInAround(kind: string, change: () => Promise<unknown>) {
    const { store } = world;
    let done = false;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!done && operations.some((operation) => operation.kind === kind)) {
            done = true;
            await change();
          }
          return store.transact(operations);
        },
      },
    });
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const { location } = await slow.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    expect(done).toBe(true);
    return terminal.read(location);
  }
  const changed = { code: "compare_failed", message: 'connector "github" was changed by an administrator during this login', hint: containing("log in again") };

  it.each(["session", "github_pin"])("is removed before the %s is written: the login leaves nothing", async (kind) => {
    const { error, response } = await logInAround(kind, () => world.auth.admin.remove(localAdmin, { kind: "github", name: "github" }));
    expect([response, error]).toEqual([undefined, expect.objectContaining(changed)]);
    for (const left of ["session", "user", "identity", "subject", "github_pin"]) expect([left, await world.store.list(left)]).toEqual([left, []]);
    expect(world.audit.last("user.login")).toMatchObject({ success: false, error: changed.message });
  });

  it("maps otherwise: the login does not get what it got by the old mapping", async () => {
    const { error } = await logInAround("session", () => world.put(connector({ teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["guest"] }] })));
    expect(error).toMatchObject(changed);
    expect(await world.store.list("session")).toHaveLength(0);
    expect(world.certificate((await logIn()).response!).logins).toEqual(["guest"]);
  });

  it("is removed and made again: a login before the removal is worth nothing, one that came between included", async () => {
    const first = world.certificate((await logIn()).response!);
    const { store } = world;
    let late: Awaited<ReturnType<typeof logIn>> | undefined;
    const slow = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (!late && operations.some(({ op, kind }) => op === "delete" && ["github", "identity"].includes(kind))) late = await logIn();
          return store.transact(operations);
        },
      },
    });
    await slow.admin.remove(localAdmin, { kind: "github", name: "github" });
    expect(late!.response!.username).toBe("ana");
    expect(await world.store.list("session")).toEqual([]);
    await world.put(connector());
    const again = world.certificate((await logIn()).response!);
    expect(world.auth.gatekeeper.identify(again).username).toBe("ana");
    for (const certificate of [first, world.certificate(late!.response!)]) expect(() => world.auth.gatekeeper.identify(certificate)).toThrow("your login session has ended");
  });

  it("a removal that was cut short can be repeated", async () => {
    await logIn();
    const { store } = world;
    const dying = await world.another({
      store: {
        ...store,
        async transact(operations) {
          if (operations.some(({ kind }) => kind === "identity")) throw new Error("power cut");
          return store.transact(operations);
        },
      },
    });
    await expect(dying.admin.remove(localAdmin, { kind: "github", name: "github" })).rejects.toThrow("power cut");
    expect(await world.store.list("identity")).toHaveLength(1);
    await world.auth.admin.remove(localAdmin, { kind: "github", name: "github" });
    for (const left of ["github", "session", "identity", "subject", "github_pin"]) expect([left, await world.store.list(left)]).toEqual([left, []]);
    await expect(world.auth.admin.remove(localAdmin, { kind: "github", name: "github" })).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("what GitHub does wrong", () => {
  it.each([
    ["token", "500", "GitHub answered 500 to the token request"],
    ["user", "500", "GitHub answered 500 to the user request"],
    ["teams", "500", "GitHub answered 500 to the teams request"],
    ["token", "garbage", "GitHub answered the token request with something that is not JSON"],
    ["user", "garbage", "GitHub answered the user request with something that is not JSON"],
    ["token", "hang", "GitHub did not answer the token request within 0.3 s"],
    ["teams", "hang", "GitHub did not answer the teams request within 0.3 s"],
    ["token", "redirect", "GitHub answered the token request with a redirect"],
    ["user", "huge", "the answer of GitHub to the user request is larger"],
  ] as const)("the %s request: %s", async (route, fault, message) => {
    github.setFault(route, fault);
    const error = await failure();
    expect(error.message).toContain(message);
    expect(error.code).not.toBe("access_denied");
    expect(github.requests.some(({ path }) => path === "/elsewhere")).toBe(false);
  });

  it("is not there at all", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const gone = github;
    github = await startGithub({ users: [ana] });
    await gone.close();
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: query, cookies, origin });
    expect(terminal.read(location).error!.message).toBe(`GitHub cannot be reached for the token request (${new URL(gone.url).host}): ECONNREFUSED`);
  });

  it("the person says no", async () => {
    github.setApproval("deny");
    expect(await failure()).toMatchObject({ code: "access_denied", message: "GitHub refused the login: The user has denied your application access." });
  });

  it("a wrong client secret is the administrator's to mend", async () => {
    await world.put(connector({ client_secret: "0".repeat(40) }));
    const error = await failure();
    expect(error.message).toContain("incorrect_client_credentials");
    expect(error.hint).toContain("client_secret");
  });

  it("text from GitHub cannot act on a terminal", async () => {
    const terminal = newTerminal();
    const { query, cookies } = await browse(await begin(terminal));
    const { location } = await world.auth.logins.finishSso({ kind: "github", parameters: { state: query["state"], error: "x\u001b]0;owned\u0007", error_description: `\u202e${"y".repeat(5000)}` }, cookies, origin });
    const { message } = terminal.read(location).error!;
    expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202e]/);
    expect(message.length).toBeLessThan(1000);
  });

  it("a login that cannot be audited gives nothing", async () => {
    world.audit.before = (event) => {
      if (event["success"] === true) throw new Error("disk full at /var/lib/secret");
    };
    const { error, response } = await logIn();
    // What nobody foresaw is for the gateway's log, not for the terminal.
    expect([response, error!.code, error!.message, error!.hint]).toEqual([undefined, "internal", "the gateway failed in the middle of this login", expect.stringMatching(/log as [0-9a-f]{8}$/)]);
    expect(await world.store.list("session")).toHaveLength(0);
  });
});
