import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { requireTool } from "@gatehouse/core/testing";
import { startOidc, type Oidc, type OidcUser } from "../stand-ins/oidc.ts";
import { createBrowser } from "../support/browser.ts";
import { launchChromium } from "../support/chromium.ts";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { start, type Outcome } from "../support/process.ts";
import { startRecordingUpstream, type RecordingUpstream } from "../support/recording-upstream.ts";
import { createWorld, tshPath, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);
const hasChromium = requireTool("chromium", "Debian: apt-get install chromium");

const email = (name: string, verified = true) => ({ email: `${name}@example.com`, email_verified: verified });
const users: readonly OidcUser[] = [
  { sub: "00u-ana", claims: { ...email("ana"), groups: ["developers", "viewers"] } },
  { sub: "00u-bo", claims: email("bo") },
  { sub: "00u-cy", claims: { ...email("cy", false), groups: ["developers"] } },
  { sub: "00u-di", claims: { email: "di@elsewhere.example", email_verified: true, groups: ["nobody"] } },
];

/** The guide's role: one group for everybody who has it, the others from the provider. */
const role = {
  kind: "role",
  version: "v3",
  metadata: { name: "kube" },
  spec: { allow: { logins: ["{{email.local(external.email)}}"], kubernetes_groups: ["system:masters", "{{external.groups}}"], kubernetes_labels: { "*": "*" } } },
};

/** A world whose people come through an OpenID provider. */
async function createOidcWorld(kubeconfig: string | undefined): Promise<{ readonly world: World; readonly oidc: Oidc }> {
  const world = await createWorld({ kubeconfig });
  const callback = `https://${world.proxy}/v1/webapi/oidc/callback`;
  const oidc = await startOidc({ users, redirectUris: [callback] });
  const connector = {
    kind: "oidc",
    version: "v3",
    metadata: { name: "okta-like" },
    spec: {
      issuer_url: oidc.url,
      client_id: oidc.clientId,
      client_secret: oidc.clientSecret,
      redirect_url: callback,
      display: "Okta",
      scope: ["groups"],
      claims_to_roles: [{ claim: "email", value: "*@example.com", roles: ["kube"] }],
    },
  };
  for (const resource of [role, connector]) {
    const created = await world.tctl(["create", "-f", "-"], { input: stringify(resource) });
    if (created.code !== 0) throw new Error(created.stderr);
  }
  return { world, oidc };
}

/** `tsh login` as somebody whom the provider knows already, in a browser without scripts. */
async function logIn({ world, oidc }: { readonly world: World; readonly oidc: Oidc }, person: Person, sub: string): Promise<Outcome> {
  oidc.setUser(sub);
  return person.tsh(["login", `--proxy=${world.proxy}`, "--auth=okta-like", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force"]);
}

describe("tsh login through an OpenID provider", () => {
  let at: { readonly world: World; readonly oidc: Oidc };
  beforeAll(async () => {
    at = await createOidcWorld(undefined);
  });
  afterAll(async () => {
    await at.world.close();
    await at.oidc.close();
  });

  const failure = async () => (await at.world.events()).filter((event) => event["event"] === "user.login" && event["success"] === false).at(-1);

  it("makes a person known by issuer and subject, with the roles and traits that the claims give", async () => {
    const ana = await at.world.person("ana");
    const outcome = await logIn(at, ana, "00u-ana");
    expect(`${String(outcome.code)} ${outcome.stderr}`).toMatch(/^0 /);
    const status = await ana.tsh(["status", "--format=json"]);
    expect(status.stdout).toContain("ana@example.com");
    const user = JSON.parse((await at.world.tctl(["get", "users/ana@example.com", "--format=json"])).stdout) as unknown;
    expect(JSON.stringify(user)).toContain('"groups":["developers","viewers"]');
    expect(JSON.stringify(user)).toContain('"oidc_identities":[{"connector_id":"okta-like","username":"ana@example.com"}]');
    expect((await at.world.events()).findLast(({ event }) => event === "user.login")).toMatchObject({ event: "user.login", method: "oidc", success: true, user: "ana@example.com" });
  });

  it("refuses an address that is not verified, with what to do about it", async () => {
    const outcome = await logIn(at, await at.world.person("cy"), "00u-cy");
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toContain("cy@example.com may be anybody's");
    expect(outcome.stderr).toContain("username_claim");
    expect(await failure()).toMatchObject({ code: "T1001W", method: "oidc" });
  });

  it("tells somebody whom no rule matches what is mapped and what came", async () => {
    const outcome = await logIn(at, await at.world.person("di"), "00u-di");
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toContain('no claim is one that connector "okta-like" maps (email = *@example.com)');
    expect(outcome.stderr).toContain("email: di@elsewhere.example");
  });

  it("refuses another subject that comes with a name that is taken", async () => {
    at.oidc.setUsers([...users.filter(({ sub }) => sub !== "00u-ana"), { sub: "00u-eve", claims: { ...email("ana"), groups: ["developers"] } }]);
    const outcome = await logIn(at, await at.world.person("eve"), "00u-eve");
    at.oidc.setUsers(users);
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toContain("belongs to another identity");
    expect((await at.world.events()).some((event) => event["event"] === "identity.refused")).toBe(true);
  });

  it("takes an answer once", async () => {
    const ana = await at.world.person("ana");
    at.oidc.setUser("00u-ana");
    const login = start(process.execPath, [tshPath, "login", `--proxy=${at.world.proxy}`, "--auth=okta-like", `--ca-pin=${at.world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none"], { env: ana.env });
    const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    const browser = createBrowser({ ca: await readFile(at.world.caFile, "utf8") });
    const page = await browser.open(link);
    expect((await login.ended).code).toBe(0);
    const callback = page.visited.find((url) => url.includes("/v1/webapi/oidc/callback?"));
    const again = await browser.open(callback!);
    expect(again.status).toBe(403);
    expect(again.body).toContain("used already");
  });

  it.skipIf(!hasChromium)("goes through a real browser, with the provider's own login page", async () => {
    const browser: Browser = await launchChromium();
    try {
      const context: BrowserContext = await browser.newContext({ ignoreHTTPSErrors: true });
      const bo = await at.world.person("bo");
      at.oidc.setUser(undefined);
      const login = start(process.execPath, [tshPath, "login", `--proxy=${at.world.proxy}`, "--auth=okta-like", `--ca-pin=${at.world.ready.ca_pin}`, "--keystore=file", "--browser=none"], { env: bo.env });
      const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
      const page = await context.newPage();
      await page.goto(link);
      await page.getByLabel("User name").fill("nobody-here");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      await page.getByLabel("User name").fill("00u-bo");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "You are logged in" }).waitFor();
      expect((await login.ended).code).toBe(0);
      expect((await bo.tsh(["status"])).stdout).toContain("bo@example.com");
    } finally {
      await browser.close();
    }
  });

  it("says at once in the terminal that the provider is away", async () => {
    await at.oidc.close();
    // What the gateway knows of the provider may be fresh: then it is the browser that finds nobody there.
    await at.world.restart();
    const outcome = await logIn(at, await at.world.person("ana"), "00u-ana");
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain('the provider of connector "okta-like" cannot be reached for the request for its discovery document');
  });
});

describe("groups from the provider, at an API server that remembers", () => {
  let upstream: RecordingUpstream;
  let folder: string;
  let at: { readonly world: World; readonly oidc: Oidc };
  beforeAll(async () => {
    upstream = await startRecordingUpstream();
    folder = await mkdtemp(join(tmpdir(), "gatehouse-oidc-"));
    const file = join(folder, "kubeconfig");
    await writeFile(file, upstream.kubeconfig());
    at = await createOidcWorld(file);
  });
  afterAll(async () => {
    await at.world.close();
    await at.oidc.close();
    upstream.close();
    await rm(folder, { recursive: true });
  });

  const groupsSent = (person: Person): Promise<readonly string[]> =>
    upstream.groupsSent("/api/v1/namespaces", async () => {
      const outcome = await person.kubectl(["get", "--raw", "/api/v1/namespaces"]);
      expect(`${String(outcome.code)} ${outcome.stderr}`).toBe("0 ");
    });

  it("are exactly the role's own and the provider's; and the role's own alone once the claim is gone", async () => {
    const ana = await at.world.person("ana");
    expect((await logIn(at, ana, "00u-ana")).code).toBe(0);
    expect(await groupsSent(ana)).toEqual(["developers", "system:authenticated", "system:masters", "viewers"]);
    at.oidc.setUsers(users.map((user) => (user.sub === "00u-ana" ? { ...user, claims: email("ana") } : user)));
    expect((await logIn(at, ana, "00u-ana")).code).toBe(0);
    expect(await groupsSent(ana)).toEqual(["system:authenticated", "system:masters"]);
    // Nor does the provider give what Kubernetes keeps for itself.
    at.oidc.setUsers(users.map((user) => (user.sub === "00u-ana" ? { ...user, claims: { ...email("ana"), groups: ["system:nodes", "developers"] } } : user)));
    expect((await logIn(at, ana, "00u-ana")).code).toBe(0);
    expect(await groupsSent(ana)).toEqual(["developers", "system:authenticated", "system:masters"]);
  });
});

describe.skipIf(!cluster)("groups from the provider, at a real Kubernetes", () => {
  let at: { readonly world: World; readonly oidc: Oidc };
  beforeAll(async () => {
    at = await createOidcWorld(cluster!.gatewayKubeconfig);
  });
  afterAll(async () => {
    await at.world.close();
    await at.oidc.close();
  });

  it("are what its own audit log says", async () => {
    const ana = await at.world.person("ana");
    const groupsSeen = async (): Promise<readonly string[] | undefined> => {
      const marker = `gatehouse-${String(Date.now())}`;
      await ana.kubectl(["get", "configmaps", "-n", marker]);
      for (let tries = 0; tries < 600; tries += 1) {
        const event = cluster!.auditLog()?.findLast(({ requestURI }) => requestURI.includes(marker));
        if (event) return [...(event.impersonatedUser?.groups ?? [])].sort();
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return undefined;
    };
    expect((await logIn(at, ana, "00u-ana")).code).toBe(0);
    const pods = await ana.kubectl(["get", "pods"]);
    expect(`${String(pods.code)} ${pods.stderr}`).toBe("0 ");
    expect(await groupsSeen()).toEqual(["developers", "system:authenticated", "system:masters", "viewers"]);
    at.oidc.setUsers(users.map((user) => (user.sub === "00u-ana" ? { ...user, claims: email("ana") } : user)));
    expect((await logIn(at, ana, "00u-ana")).code).toBe(0);
    expect(await groupsSeen()).toEqual(["system:authenticated", "system:masters"]);
  });
});
