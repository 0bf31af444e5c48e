import { describe, expect, it } from "vitest";
import { newTerminal, origin } from "@gatehouse/core/auth/testing";
import { atGithub, hour, containing, octocats, developers, admins, ana, github, world, begin, browse, logIn } from "./github-place.ts";

atGithub();

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
