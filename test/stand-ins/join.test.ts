import { SignJWT, UnsecuredJWT, exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { localAdmin, newPublicKey, openAuthWorld, origin, type AuthWorld } from "@gatehouse/core/auth/testing";
import type { Logins } from "@gatehouse/core/auth";
import { systemClock } from "@gatehouse/core/base";
import { createIssuerKeys } from "@gatehouse/core/connectors";
import { startIssuer, type Issuer } from "./issuer.ts";

type Request = Parameters<Logins["join"]>[0];

/** Claims of a job as GitHub's documentation shows them. */
const job = {
  sub: "repo:acme/app:ref:refs/heads/main",
  repository: "acme/app",
  repository_owner: "acme",
  repository_id: "74",
  ref: "refs/heads/main",
  ref_type: "branch",
  environment: "production",
  workflow: "deploy",
  actor: "ana",
  event_name: "push",
  aud: "example",
};

it("an issuer that does not answer is given up in time", async () => {
  const slow = await startIssuer();
  slow.failure = "silent";
  const keys = createIssuerKeys(systemClock, { timeout: 50, freshFor: 0, staleFor: 0, cooldown: 0 });
  await expect(keys.keys(slow.url, false)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("within 0.05 s") as string });
  await slow.close();
});

describe("joining", () => {
  let world: AuthWorld;
  let issuer: Issuer;
  let other: Issuer;

  beforeAll(async () => {
    world = await openAuthWorld({ publicUrls: () => ["https://gateway.example.com:3080"] });
    const now = (): number => world.clock.now();
    [issuer, other] = await Promise.all([startIssuer({ now }), startIssuer({ now })]);
    await world.put({ kind: "role", version: "v3", metadata: { name: "deployer" }, spec: { allow: { logins: ["{{internal.logins}}"], kubernetes_groups: ["developers"] } } });
    await world.put({ kind: "bot", version: "v1", metadata: { name: "ci" }, spec: { roles: ["deployer"], traits: { logins: ["deploy"] } } });
    await token("gh", { join_method: "github-actions", issuer: issuer.url, allow: [{ repository: "acme/app", branch: ["main", "release-*"] }, { repository: "acme/tools", environment: "production" }] });
  });
  afterAll(async () => {
    await Promise.all([issuer.close(), other.close()]);
    await world.close();
  });
  beforeEach(() => {
    issuer.failure = "none";
    world.clock.advance(60_000);
  });

  const token = (name: string, spec: Record<string, unknown>): Promise<unknown> => world.put({ kind: "token", version: "v2", metadata: { name }, spec: { bot_name: "ci", ...spec } });
  const ask = (jwt: string | undefined, more: Partial<Request> = {}): ReturnType<Logins["join"]> =>
    world.auth.logins.join({ method: "github-actions", token: "gh", jwt, publicKey: newPublicKey(), ttl: 12 * 3_600_000, compatibility: "", origin, ...more });
  const refused = async (jwt: string | undefined, rule: string, message: RegExp, more: Partial<Request> = {}): Promise<void> => {
    await expect(ask(jwt, more)).rejects.toMatchObject({ code: "access_denied", message: expect.stringMatching(message) as string, id: expect.stringMatching(/^[0-9a-f]{8}$/) as string });
    expect(world.audit.last("bot.join")).toMatchObject({ code: "G1007W", success: false, rule });
  };
  const jwt = (claims: Record<string, unknown> = {}, header?: Record<string, unknown>): Promise<string> => issuer.sign({ ...job, ...claims }, header);

  it("gives an hour at most of the bot's roles, audited with what the job said", async () => {
    const certificate = world.certificate(await ask(await jwt()));
    expect(certificate).toMatchObject({ username: "bot:ci", roles: ["deployer"], logins: ["deploy"], subjectId: "bot:ci" });
    expect(certificate.notAfter - world.clock.now()).toBe(3_600_000);
    expect(world.auth.gatekeeper.identify(certificate)).toMatchObject({ username: "bot:ci" });
    expect(world.audit.last("bot.join")).toMatchObject({
      code: "G1007I", user: "bot:ci", bot: "ci", method: "github-actions", token: "gh", rule: 0, session: certificate.sessionId,
      matched: { repository: ["acme/app"], branch: ["main"] }, claims: { sub: job.sub, actor: "ana" },
    });
    expect(world.audit.last("cert.create")).toMatchObject({ user: "bot:ci", session: certificate.sessionId });
    expect(world.certificate(await ask(await jwt({ ref: "refs/heads/release-1" }))).username).toBe("bot:ci");
    expect(world.certificate(await ask(await jwt({ aud: ["other", "https://gateway.example.com:3080"] }), { ttl: 600_000 })).notAfter - world.clock.now()).toBe(600_000);
  });

  describe("is refused, with the rule that failed, for a JWT", () => {
    it("for another audience", async () => refused(await jwt({ aud: "https://github.com/acme" }), "audience", /is for https:\/\/github.com\/acme, not for this cluster/));
    it("for no audience", async () => refused(await jwt({ aud: undefined }), "audience", /is for nothing, not/));
    it("of another repository", async () => refused(await jwt({ repository: "evil/app" }), "allow[0].repository, allow[1].repository", /repository is "evil\/app" \(rule 1\)/));
    it("of another branch", async () => refused(await jwt({ ref: "refs/heads/mine" }), "allow[0].branch, allow[1].repository", /branch is "mine" \(rule 1\)/));
    it("of a tag that is called as the branch is", async () => refused(await jwt({ ref: "refs/tags/main", ref_type: "tag" }), "allow[0].branch, allow[1].repository", /branch is missing/));
    it("of a pull request", async () => refused(await jwt({ ref: "refs/pull/1/merge" }), "allow[0].branch, allow[1].repository", /branch is "refs\/pull\/1\/merge"/));
    it("of a repository whose environment is another", async () => refused(await jwt({ repository: "acme/tools", environment: "staging" }), "allow[0].repository, allow[1].environment", /environment is "staging" \(rule 2\)/));
    it("whose claim only looks like the right one", async () => {
      for (const repository of ["acme/app\n", "acme/app2", "ACME/app", ["acme/app2"], { "acme/app": true }]) await refused(await jwt({ repository }), "allow[0].repository, allow[1].repository", /repository is/);
    });
    it("that has expired", async () => refused(await jwt({ exp: Math.floor(world.clock.now() / 1000) - 31 }), "expired", /ended at 2026-/));
    it("that does not end", async () => refused(await jwt({ exp: undefined }), "exp", /does not say when it ends/));
    it("that is not valid yet", async () => refused(await jwt({ nbf: Math.floor(world.clock.now() / 1000) + 40 }), "not_before", /not valid before/));
    it("that was made in the future, or long ago", async () => {
      await refused(await jwt({ iat: Math.floor(world.clock.now() / 1000) + 40 }), "issued_at", /in the future/);
      await refused(await jwt({ iat: Math.floor(world.clock.now() / 1000) - 25 * 3600 }), "issued_at", /more than a day ago|ended/);
      await refused(await jwt({ iat: undefined }), "issued_at", /does not say when it was made/);
    });
    it("that was used already, once it has got in and not before", async () => {
      const once = await jwt();
      await ask(once);
      await refused(once, "replayed", /was used already/);
      const [first, second] = await Promise.allSettled([jwt()].map(async (made) => made).flatMap((made) => [made.then((text) => ask(text)), made.then((text) => ask(text))]));
      expect([first?.status, second?.status].sort()).toEqual(["fulfilled", "rejected"]);
      const bare = await jwt({ jti: undefined });
      await ask(bare);
      await refused(bare, "replayed", /was used already/);
    });
    it("of another issuer, whoever it says that it is of", async () => {
      await refused(await other.sign(job), "issuer", /is of http:.*not of http:/);
      await refused(await other.sign({ ...job, iss: issuer.url }), "signature", /signature is not/);
      await refused(await jwt({ iss: `${issuer.url}/` }), "issuer", /not of/);
    });
    it("without a signature, or with a secret shared", async () => {
      const claims = { ...job, iss: issuer.url, exp: Math.floor(world.clock.now() / 1000) + 100, iat: Math.floor(world.clock.now() / 1000) };
      await refused(new UnsecuredJWT(claims).encode(), "algorithm", /signed with "none"/);
      const shared = await new SignJWT(claims).setProtectedHeader({ alg: "HS256", kid: "key-1" }).sign(new TextEncoder().encode(JSON.stringify(issuer.jwks().keys[0])));
      await refused(shared, "algorithm", /signed with "HS256"/);
      const own = await generateKeyPair("RS256");
      const embedded = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "key-1", jwk: await exportJWK(own.publicKey) }).sign(own.privateKey);
      await refused(embedded, "signature", /signature is not/);
    });
    it("whose key is not known", async () => refused(await jwt({}, { kid: "key-99" }), "key", /no key of .* \(key-99\)/));
    it("that was changed", async () => {
      const [head, , signature] = (await jwt()).split(".");
      const body = Buffer.from(JSON.stringify({ ...job, iss: issuer.url, repository: "acme/app", iat: Math.floor(world.clock.now() / 1000), exp: 9_999_999_999 })).toString("base64url");
      await refused(`${head ?? ""}.${body}.${signature ?? ""}`, "signature", /signature is not/);
    });
    it("that is none, too long, or missing", async () => {
      for (const text of ["x", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.e30", "x".repeat(17_000)]) await refused(text, "jwt", /cannot be read|is longer/);
      await refused(undefined, "jwt", /takes the job's JWT/);
    });
  });

  it("remembers a JWT no longer than it could be used", async () => {
    await ask(await jwt({ exp: Math.floor(world.clock.now() / 1000) + 50 * 365 * 86_400 }));
    const ends = (await world.store.list("join_seen")).map(({ expires }) => expires ?? Number.POSITIVE_INFINITY);
    expect(Math.max(...ends) - world.clock.now()).toBeLessThan(25 * 3_600_000);
  });

  it("takes up new keys of the issuer at once, and asks for unknown ones no more often than it should", async () => {
    world.clock.advance(60_000);
    await ask(await jwt());
    await issuer.rotate();
    world.clock.advance(31_000);
    await ask(await jwt());
    const before = issuer.asked;
    for (let tries = 0; tries < 5; tries++) await refused(await jwt({}, { kid: `made-up-${tries}` }), "key", /no key/);
    expect(issuer.asked).toBe(before);
  });

  it("says what is wrong with an issuer that cannot be asked, and goes on with keys that it has", async () => {
    await ask(await jwt());
    for (const failure of ["error", "redirect", "not-json", "huge", "other-issuer"] as const) {
      const broken = await startIssuer({ now: () => world.clock.now() });
      broken.failure = failure;
      await token(`broken-${failure}`, { join_method: "oidc", issuer: broken.url, allow: [{ sub: job.sub }] });
      await expect(ask(await broken.sign(job), { method: "oidc", token: `broken-${failure}` })).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining(`the keys of ${broken.url} cannot be had: `) as string });
      await broken.close();
    }
    issuer.failure = "error";
    world.clock.advance(11 * 60_000);
    expect(world.certificate(await ask(await jwt())).username).toBe("bot:ci");
    world.clock.advance(61 * 60_000);
    await expect(ask(await jwt())).rejects.toMatchObject({ code: "unavailable" });
    await issuer.close();
    world.clock.advance(2000);
    await expect(ask(await jwt())).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("ECONNREFUSED") as string });
  });

  it("by GitLab, Kubernetes (with the cluster's keys in the token) and any other issuer", async () => {
    await token("gl", { join_method: "gitlab", issuer: other.url, allow: [{ project_path: "acme/app", branch: "main" }] });
    const gitlab = { sub: "project_path:acme/app:ref_type:branch:ref:main", project_path: "acme/app", ref: "main", ref_type: "branch", aud: "example" };
    await ask(await other.sign(gitlab), { method: "gitlab", token: "gl" });
    await refused(await other.sign({ ...gitlab, ref: "mine" }), "allow[0].branch", /branch is "mine"/, { method: "gitlab", token: "gl" });

    const cluster = await startIssuer({ now: () => world.clock.now() });
    await token("k8s", { join_method: "kubernetes", issuer: cluster.url, jwks: cluster.jwks(), allow: [{ service_account: "ci:runner" }] });
    const account = { sub: "system:serviceaccount:ci:runner", aud: ["example"], "kubernetes.io": { namespace: "ci", serviceaccount: { name: "runner" } } };
    await cluster.close();
    await ask(await cluster.sign(account), { method: "kubernetes", token: "k8s" });
    await refused(await cluster.sign({ ...account, sub: "system:serviceaccount:ci:other" }), "allow[0].service_account", /service_account is "ci:other"/, { method: "kubernetes", token: "k8s" });
    await refused(await cluster.sign({ ...account, sub: "ci:runner" }), "allow[0].service_account", /service_account is missing/, { method: "kubernetes", token: "k8s" });

    await token("any", { join_method: "oidc", issuer: other.url, audience: "only-this", allow: [{ '["kubernetes.io"].namespace': "ci", "groups": "builders" }] });
    const any = { ...account, aud: "only-this", groups: ["readers", "builders"] };
    await ask(await other.sign(any), { method: "oidc", token: "any" });
    await refused(await other.sign({ ...any, aud: "example" }), "audience", /not for this cluster/, { method: "oidc", token: "any" });
    await refused(await other.sign({ ...any, groups: ["readers"] }), "allow[0].groups", /groups is "readers"/, { method: "oidc", token: "any" });
    await refused(await other.sign(any), "method", /--join-method=oidc, not gitlab/, { method: "gitlab", token: "any" });
  });

  it("by a one-use token works once, and the second use says so", async () => {
    const secret = "0123456789abcdef0123456789abcdef";
    await token(secret, { join_method: "token" });
    expect(JSON.stringify(await world.auth.admin.get(localAdmin, { kind: "token" }, { withSecrets: true }))).not.toContain(secret);
    const once = { method: "token", token: secret } as const;
    const both = await Promise.allSettled([ask(undefined, once), ask(undefined, once)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await refused(undefined, "token_used", /was used already, at 2026-/, once);
    await refused(undefined, "token", /there is no such token/, { method: "token", token: "nothing-that-there-is" });
    expect(JSON.stringify(world.audit.events)).not.toContain(secret);
  });

  it("ends with the bot, a lock on it, a role taken from it, or its token", async () => {
    const fresh = await startIssuer({ now: () => world.clock.now() });
    await token("end", { join_method: "github-actions", issuer: fresh.url, allow: [{ repository: "acme/app" }] });
    const joinAgain = async (): Promise<ReturnType<AuthWorld["certificate"]>> => world.certificate(await ask(await fresh.sign(job), { token: "end" }));
    const first = await joinAgain();
    await world.put({ kind: "lock", version: "v2", metadata: { name: "l" }, spec: { target: { user: "bot:ci" } } });
    expect(() => world.auth.gatekeeper.identify(first)).toThrow(/locked/);
    await refused(await fresh.sign(job), "lock", /locked/, { token: "end" });
    await world.auth.admin.remove(localAdmin, { kind: "lock", name: "l" });
    expect(world.auth.gatekeeper.identify(first).roles.logins()).toEqual(["deploy"]);
    await expect(world.auth.admin.remove(localAdmin, { kind: "role", name: "deployer" })).rejects.toMatchObject({ message: expect.stringContaining("bot:ci") as string });
    await world.put({ kind: "bot", version: "v1", metadata: { name: "ci" }, spec: { roles: ["access"] } });
    expect(world.auth.gatekeeper.identify(first).roles.logins()).toEqual([]);
    await world.auth.admin.remove(localAdmin, { kind: "token", name: "end" });
    expect(() => world.auth.gatekeeper.identify(first)).toThrow(/has ended/);
    await token("end", { join_method: "github-actions", issuer: fresh.url, allow: [{ repository: "acme/app" }] });
    const second = await joinAgain();
    await world.auth.admin.remove(localAdmin, { kind: "bot", name: "ci" });
    expect(() => world.auth.gatekeeper.identify(second)).toThrow();
    await refused(await fresh.sign(job), "bot", /bot "ci", whom this token is for, does not exist/, { token: "end" });
    await fresh.close();
  });

  it("no person can be called as a bot is", async () => {
    await expect(world.put({ kind: "user", version: "v2", metadata: { name: "bot:ci" }, spec: {} })).rejects.toThrow(/how bots are called/);
  });
});
