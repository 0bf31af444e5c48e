import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { startOidc } from "../stand-ins/oidc.ts";
import { createBrowser } from "../support/browser.ts";
import { start, type Outcome } from "../support/process.ts";
import { createWorld, tctlPath, type Person, type World } from "../support/world.ts";

interface Connector {
  metadata: { name: string };
  spec: Record<string, unknown>;
}

describe("tctl sso test", () => {
  let world: World;
  let ana: Person;
  beforeAll(async () => {
    world = await createWorld();
    ana = await world.person("ana");
  });
  afterAll(() => world.close());

  /** On the gateway's machine, with ana's browser. */
  const test = (args: readonly string[], input?: string): Promise<Outcome> => world.tctl(["sso", "test", ...args], { env: ana.env, ...(input === undefined ? {} : { input }) });

  /** The stored connector as YAML, without its secret, changed. */
  async function changed(change: (connector: Connector) => void): Promise<string> {
    const connector = parse((await world.tctl(["get", "github/github"])).stdout) as Connector;
    change(connector);
    return stringify(connector);
  }

  const users = async (): Promise<string> => (await world.tctl(["get", "users"])).stdout;

  it("shows what came, each rule, and what a login would give, of a stored connector", async () => {
    const before = await users();
    const outcome = await test(["github"]);
    expect([outcome.code, outcome.stderr]).toEqual([0, expect.stringContaining("✔ a login with github/github would succeed")]);
    expect(outcome.stderr).toMatch(/visit:\n {2}http:\/\/127\.0\.0\.1:\d+\//);
    expect(outcome.stdout).toMatch(/^who\n {2}name +ana\n {2}id +1001\n/);
    expect(outcome.stdout).toMatch(/\n {2}teams +octocats\/developers\n/);
    expect(outcome.stdout).toMatch(/\n {2}✔ octocats\/developers +role access, login ana, login deploy, group developers\n/);
    expect(outcome.stdout).toMatch(/\n {2}✖ octocats\/admins +role admin\n/);
    expect(outcome.stdout).toMatch(/\n {2}roles +access\n(?:.*\n)* {2}logins on hosts +ana, deploy\n/);
    expect(outcome.stdout + outcome.stderr).not.toContain(world.github.clientSecret);
    expect(await users()).toBe(before);
    expect((await world.events()).filter(({ event }) => event === "user.login" || event === "user.create")).toEqual([]);
    expect((await world.events()).findLast(({ event }) => event === "sso.test")).toMatchObject({ event: "sso.test", connector: "github", external_name: "ana", success: true });
  });

  it("is data for programs, by kind/name too", async () => {
    const outcome = await test(["github/github", "--format=json"]);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ name: "ana", roles: ["access"], missing_roles: [], rules: expect.arrayContaining([{ rule: "octocats/admins", matched: false, gives: ["role admin"] }]) as unknown });
    expect(parse((await test(["connectors/github", "--format=yaml"])).stdout)).toMatchObject({ id: "1001" });
  });

  it("takes a connector that is not stored, with the stored secret where it has none, and does not store it", async () => {
    const before = (await world.tctl(["get", "connectors"])).stdout;
    const members = await changed(({ spec }) => {
      spec["teams_to_logins"] = [{ organization: "octocats", kubernetes_groups: ["everybody"] }];
    });
    const outcome = await test(["-f", "-", "--format=json"], members);
    expect(outcome.code).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ rules: [{ rule: "octocats/*", matched: true }, { rule: "octocats/admins" }], traits: { kubernetes_groups: ["everybody"] }, received: { organizations: ["octocats"] } });
    const file = join(world.folder, "another.yaml");
    await writeFile(file, `kind: role\nversion: v3\nmetadata: {name: x}\nspec: {}\n---\n${await changed((connector) => {
      connector.metadata.name = "another";
      connector.spec["client_secret"] = world.github.clientSecret;
    })}`);
    const fresh = await test(["-f", file]);
    expect([fresh.code, fresh.stderr]).toEqual([0, expect.stringContaining(`1 more resource in ${file} is not part of the test`)]);
    expect((await world.tctl(["get", "connectors"])).stdout).toBe(before);
    expect((await world.tctl(["get", "roles/x"])).code).toBe(5);
    expect(await readFile(file, "utf8")).toContain(world.github.clientSecret);
  });

  it("ends with the login's own problem and exit code: a mapping that gives nothing, a role that is not there", async () => {
    const nobody = await test(["-f", "-"], await changed(({ spec }) => (spec["teams_to_logins"] = undefined)));
    expect([nobody.code, nobody.stderr]).toEqual([4, expect.stringMatching(/✖ a login would be refused: ana is in none of the teams that connector "github" maps \(octocats\/admins\)\n {2}GitHub reported: octocats\/developers/)]);
    expect(nobody.stdout).toMatch(/\n {2}✖ octocats\/admins +role admin\n/);
    const lost = await test(["-f", "-"], await changed(({ spec }) => (spec["teams_to_roles"] = [{ organization: "octocats", team: "developers", roles: ["nosuch"] }])));
    expect([lost.code, lost.stderr]).toEqual([5, expect.stringContaining('role "nosuch" does not exist')]);
    expect(lost.stdout).toMatch(/\n {2}roles +access, nosuch \(does not exist\)\n/);
  });

  it("names the exact fault of what does not work at the provider, and no secret", async () => {
    const wrong = await test(["-f", "-"], await changed(({ spec }) => (spec["client_secret"] = "wrong-secret-of-somebody")));
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/The client_id and\/or client_secret passed are incorrect.*\n.*checks client_id and client_secret of connector "github"/)]);
    expect(wrong.stderr + wrong.stdout).not.toContain("wrong-secret");
    expect((await world.events()).findLast(({ event }) => event === "sso.test")).toMatchObject({ event: "sso.test", success: false, error: expect.stringContaining("incorrect_client_credentials") as unknown });
    world.github.setFault("memberships", "garbage");
    const broken = await test(["-f", "-"], await changed(({ spec }) => (spec["teams_to_logins"] = [{ organization: "octocats", logins: ["ana"] }])));
    world.github.setFault("memberships", undefined);
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining("GitHub answered the organizations request with something that is not JSON")]);
    const elsewhere = await test(["-f", "-"], await changed(({ spec }) => (spec["client_id"] = "Iv1.other")));
    expect([elsewhere.code, elsewhere.stderr]).toEqual([1, expect.stringContaining("client_secret is required where client_id, endpoint_url or api_endpoint_url changes")]);
  });

  it.each([
    [[], 2, "which connector?"],
    [["github", "-f", "x.yaml"], 2, "exclude each other"],
    [["githab"], 5, 'did you mean "github"?'],
    [["role/access"], 2, "is no connector"],
    [["-f", "nosuch.yaml"], 5, "does not exist"],
  ] as const)("%j is told from a fault", async (args, code, text) => {
    const outcome = await test(args);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(text)]);
  });

  it("works from elsewhere with an administrator's own login, and is refused to others", async () => {
    const cy = await world.person("cy");
    await cy.logIn();
    const outcome = await cy.tctl(["sso", "test", "github", `--proxy=${world.proxy}`, "--format=json"]);
    expect([outcome.code, outcome.stderr]).toEqual([0, expect.not.stringContaining("✖")]);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ name: "cy", roles: ["admin"] });
    expect((await world.events()).findLast(({ event }) => event === "sso.test")).toMatchObject({ event: "sso.test", user: "cy" });
    await ana.logIn();
    const text = (await world.tctl(["get", "github/github"])).stdout;
    for (const args of [["github"], ["-f", "-"]]) {
      expect((await ana.tctl(["sso", "test", ...args, `--proxy=${world.proxy}`], { input: text })).code).toBe(4);
    }
  });

  it("of OpenID Connect shows the claims, and what the provider's refusal is about", async () => {
    const oidc = await startOidc({ users: [{ sub: "00u-ana", claims: { email: "ana@example.com", email_verified: true, groups: ["developers", "web"] } }], redirectUris: [`https://${world.proxy}/v1/webapi/oidc/callback`] });
    try {
      oidc.setUser("00u-ana");
      const written = async (secret: string, mapping: string): Promise<string> =>
        (await world.tctl(["sso", "configure", "oidc", `--issuer-url=${oidc.url}`, `--id=${oidc.clientId}`, "--secret-file=-", "--scope=groups", `--claims-to-roles=${mapping}`], { input: secret })).stdout;
      const fine = await test(["-f", "-"], await written(oidc.clientSecret, "groups,dev*,access"));
      expect([fine.code, fine.stderr]).toEqual([0, expect.stringContaining("a login with oidc/oidc would succeed")]);
      expect(fine.stdout).toMatch(/\n {2}name +ana@example\.com\n[^]*\n {2}groups +developers, web\n[^]*\n {2}✔ groups = dev\* +role access\n[^]*\n {2}trait groups +developers, web\n/);
      const nobody = await test(["-f", "-"], await written(oidc.clientSecret, "groups,admins,admin"));
      expect([nobody.code, nobody.stdout]).toEqual([4, expect.stringMatching(/\n {2}✖ groups = admins +role admin\n/)]);
      const wrong = await test(["-f", "-"], await written("another-secret", "groups,dev*,access"));
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toMatch(/client_id and client_secret|invalid_client/);
      expect(wrong.stderr + wrong.stdout).not.toContain("another-secret");
    } finally {
      await oidc.close();
    }
  });

  it("prints the link and waits where asked to start no browser, at the address that it is told", async () => {
    const testing = start(process.execPath, [tctlPath, "--data-dir", world.dataDir, "sso", "test", "github", "--browser=none", "--bind-addr=127.0.0.1"], { env: ana.env });
    const [link] = await testing.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    const page = await createBrowser({ ca: await readFile(world.caFile, "utf8"), user: "bo" }).open(link);
    expect(page.status).toBe(200);
    expect((await testing.ended).code).toBe(0);
    expect(testing.stdout()).toMatch(/name +bo\n/);
  });
});
