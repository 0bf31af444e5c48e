import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { requireTool } from "@gatehouse/core/testing";
import { startOidc, type Oidc } from "../stand-ins/oidc.ts";
import { startSamlIdp, type SamlIdp, type SamlUser } from "../stand-ins/saml-idp.ts";
import { launchChromium } from "../support/chromium.ts";
import { start, type Outcome, type Running } from "../support/process.ts";
import { startRecordingUpstream, type RecordingUpstream } from "../support/recording-upstream.ts";
import { createWorld, tctlPath, tshPath, type Person, type World } from "../support/world.ts";

const available = requireTool("chromium", "Debian: apt-get install chromium");

const mona = { nameId: "mona@example.com", attributes: { groups: ["developers", "viewers"], logins: ["mona"] } };

describe.skipIf(!available)("what a person of a SAML or OpenID provider reaches, through a real browser", () => {
  let world: World;
  let idp: SamlIdp;
  let oidc: Oidc;
  let upstream: RecordingUpstream;
  let browser: Browser;
  let folder: string;
  let person: Person;

  async function apply(resource: Record<string, unknown>): Promise<void> {
    const done = await world.tctl(["create", "-f", "-"], { input: stringify(resource) });
    expect(`${String(done.code)} ${done.stderr}`).toMatch(/^0 /);
  }

  beforeAll(async () => {
    upstream = await startRecordingUpstream();
    folder = await mkdtemp(join(tmpdir(), "gatehouse-reach-"));
    const kubeconfig = join(folder, "kubeconfig");
    await writeFile(kubeconfig, upstream.kubeconfig());
    world = await createWorld({ kubeconfig });
    const callback = `https://${world.proxy}/v1/webapi/oidc/callback`;
    idp = await startSamlIdp({ users: [mona] });
    oidc = await startOidc({ users: [{ sub: "00u-ana", claims: { email: "ana@example.com", email_verified: true, groups: ["developers"] } }], redirectUris: [callback] });
    await apply({ kind: "role", version: "v3", metadata: { name: "kube" }, spec: { allow: { logins: ["{{external.logins}}"], kubernetes_groups: ["system:masters", "{{external.groups}}"], kubernetes_labels: { "*": "*" } } } });
    await apply({
      kind: "saml",
      version: "v2",
      metadata: { name: "okta" },
      spec: {
        acs: `https://${world.proxy}/v1/webapi/saml/acs`,
        entity_descriptor_url: idp.metadataUrl,
        attributes_to_roles: [
          { name: "logins", value: "*", roles: ["kube"] },
          { name: "groups", value: "admins", roles: ["admin"] },
        ],
      },
    });
    await apply({
      kind: "oidc",
      version: "v3",
      metadata: { name: "corp" },
      spec: { issuer_url: oidc.url, client_id: oidc.clientId, client_secret: oidc.clientSecret, redirect_url: callback, scope: ["groups"], claims_to_roles: [{ claim: "email", value: "*@example.com", roles: ["kube"] }] },
    });
    browser = await launchChromium();
    person = await world.person("mona");
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    idp.trust(await (await context.request.get(`https://${world.proxy}/v1/webapi/saml/okta/metadata`)).text());
    await context.close();
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
    await Promise.all([idp.close(), oidc.close()]);
    upstream.close();
    await rm(folder, { recursive: true });
  });

  /** A fresh browser: what a login needs of cookies, it brings. */
  async function browse<Result>(link: string, walk: (page: Page) => Promise<Result>): Promise<Result> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    try {
      const page = await context.newPage();
      await page.goto(link);
      return await walk(page);
    } finally {
      await context.close();
    }
  }
  const asMona = (page: Page): Promise<void> => page.getByRole("button", { name: mona.nameId, exact: true }).click();

  /** What a command that waits for a login says, once mona has come in. */
  async function through(running: Running, heading: string): Promise<Outcome> {
    const [link] = await running.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    await browse(link, async (page) => {
      await asMona(page);
      await page.getByRole("heading", { name: heading }).waitFor();
    });
    const ended = await running.ended;
    return { ...ended, stdout: running.stdout(), stderr: running.stderr() };
  }

  describe("tctl sso test", () => {
    /** The stored connector, changed, in a file. */
    async function changed(change: (spec: Record<string, unknown>) => void): Promise<string> {
      const connector = parse((await world.tctl(["get", "saml/okta"])).stdout) as { spec: Record<string, unknown> };
      change(connector.spec);
      const file = join(folder, "changed.yaml");
      await writeFile(file, stringify(connector));
      return file;
    }
    const test = (args: readonly string[], heading: string): Promise<Outcome> =>
      through(start(process.execPath, [tctlPath, "--data-dir", world.dataDir, "sso", "test", "--browser=none", ...args], { env: person.env }), heading);

    it("shows the attributes, each rule, and what a login gives", async () => {
      const outcome = await test(["okta"], "The test is done");
      expect(`${String(outcome.code)} ${outcome.stderr}`).toMatch(/^0 [^]*✔ a login with saml\/okta would succeed/);
      for (const line of [
        /^who\n {2}name +mona@example\.com\n/,
        /\nreceived\n {2}issuer +http:\S+\/metadata\n {2}NameID +mona@example\.com\n[^]*\n {2}groups +developers, viewers\n {2}logins +mona\n/,
        /\nrules\n {2}✔ logins = \* +role kube\n {2}✖ groups = admins +role admin\n/,
        /\n {2}roles +kube\n {2}trait groups +developers, viewers\n {2}trait logins +mona\n {2}logins on hosts +mona\n {2}groups in example +developers, system:masters, viewers\n/,
      ]) expect(outcome.stdout).toMatch(line);
      expect(outcome.stdout + outcome.stderr).not.toMatch(/PRIVATE KEY|CERTIFICATE/);
      expect((await world.events()).findLast(({ event }) => event === "sso.test")).toMatchObject({ event: "sso.test", connector: "okta", external_name: mona.nameId, success: true });
    });

    it("names the fault where the provider's certificate is another one", async () => {
      const other = await startSamlIdp({ users: [] });
      const wrong = other.metadata().replaceAll(new URL(other.metadataUrl).origin, new URL(idp.metadataUrl).origin);
      await other.close();
      const outcome = await test(["-f", await changed((spec) => {
        delete spec["entity_descriptor_url"];
        spec["entity_descriptor"] = wrong;
      })], "Login failed");
      expect(outcome.code).toBe(4);
      expect(outcome.stderr).toContain("✖ login failed: the SAML response is refused: its signature does not fit, or is not by a key of the provider");
      expect(outcome.stderr).toContain("an administrator updates the connector's metadata or cert");
      expect((await world.events()).findLast(({ event }) => event === "sso.test")).toMatchObject({ event: "sso.test", connector: "okta", success: false });
    });
  });

  describe("groups at an API server that remembers", () => {
    const logIn = async (user: SamlUser): Promise<void> => {
      idp.setUsers([user]);
      const outcome = await through(start(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, "--auth=okta", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none"], { env: person.env }), "You are logged in");
      expect(`${String(outcome.code)} ${outcome.stderr}`).toMatch(/^0 /);
    };
    const groupsSent = (): Promise<readonly string[]> =>
      upstream.groupsSent("/api/v1/namespaces", async () => {
        const outcome = await person.kubectl(["get", "--raw", "/api/v1/namespaces"]);
        expect(`${String(outcome.code)} ${outcome.stderr}`).toBe("0 ");
      });

    it("are exactly the role's own and the attribute's; and the role's own alone once the attribute is gone", async () => {
      await logIn(mona);
      expect(await groupsSent()).toEqual(["developers", "system:authenticated", "system:masters", "viewers"]);
      await logIn({ ...mona, attributes: { logins: ["mona"] } });
      expect(await groupsSent()).toEqual(["system:authenticated", "system:masters"]);
      // Nor does the provider give what Kubernetes keeps for itself.
      await logIn({ ...mona, attributes: { logins: ["mona"], groups: ["system:nodes", "developers"] } });
      expect(await groupsSent()).toEqual(["developers", "system:authenticated", "system:masters"]);
      idp.setUsers([mona]);
    });
  });

  describe("tsh login --headless", () => {
    const walks = [
      ["saml", "okta", mona.nameId, asMona],
      [
        "oidc",
        "corp",
        "ana@example.com",
        async (page: Page) => {
          await page.getByLabel("User name").fill("00u-ana");
          await page.getByRole("button", { name: "Sign in" }).click();
        },
      ],
    ] as const;

    it.each(walks)("is approved through %s", async (kind, connector, user, signIn) => {
      const terminal = start(process.execPath, [tshPath, "login", "--headless", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, `--user=${user}`, "--", "echo", "went on"], { env: { ...person.env, BROWSER: "" } });
      const [, url = "", code = ""] = await terminal.waitFor(/(https:\S+\/web\/headless\/\S+)[^]*code there: {2}(\S{4}-\S{4})\n/, "stderr");
      await browse(url, async (page) => {
        await page.locator(`a[href$="/sso/${kind}/${connector}"]`).click();
        await signIn(page);
        await page.getByRole("heading", { name: "Is this your terminal?" }).waitFor();
        expect(await page.locator("dd").allTextContents()).toContain(user);
        await page.getByLabel("The code that your terminal shows").fill(code);
        await page.getByRole("button", { name: "Approve" }).click();
        await page.getByRole("heading", { name: "Approved" }).waitFor();
      });
      expect(`${String((await terminal.ended).code)} ${terminal.stderr()}`).toMatch(/^0 /);
      expect(terminal.stdout()).toBe("went on\n");
      const events = await world.events();
      expect(events.findLast(({ event }) => event === "headless.approve")).toMatchObject({ user, by: user, method: kind });
      expect(events.findLast(({ event }) => event === "user.login")).toMatchObject({ user, method: kind, success: true, headless: url.split("/").at(-1) });
    });
  });
});
