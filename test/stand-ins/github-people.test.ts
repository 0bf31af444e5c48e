import { describe, expect, it } from "vitest";
import { newTerminal, origin, stateOf } from "@gatehouse/core/auth/testing";
import { atGithub, hour, containing, octocats, developers, admins, web, ana, github, world, connector, type Cookies, begin, browse, logIn, storedUser, lock, failure } from "./github-place.ts";

atGithub();

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
