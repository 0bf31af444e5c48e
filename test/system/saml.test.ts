import { readFile } from "node:fs/promises";
import { request } from "node:https";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { requireTool } from "@gatehouse/core/testing";
import { startSamlIdp, type SamlIdp } from "../stand-ins/saml-idp.ts";
import { launchChromium } from "../support/chromium.ts";
import { start } from "../support/process.ts";
import { createWorld, tshPath, type World } from "../support/world.ts";

const available = requireTool("chromium", "Debian: apt-get install chromium");

describe.skipIf(!available)("a login through SAML in a real browser", () => {
  let world: World;
  let idp: SamlIdp;
  let browser: Browser;
  let context: BrowserContext;

  async function apply(resource: Record<string, unknown>): Promise<void> {
    const done = await world.tctl(["create", "-f", "-", "--force"], { input: stringify(resource) });
    expect(`${String(done.code)} ${done.stderr}`).toMatch(/^0 /);
  }

  const connect = (spec: Record<string, unknown> = {}): Promise<void> =>
    apply({
      kind: "saml",
      version: "v2",
      metadata: { name: "okta" },
      spec: {
        acs: `https://${world.proxy}/v1/webapi/saml/acs`,
        display: "Okta",
        entity_descriptor_url: idp.metadataUrl,
        attributes_to_roles: [{ name: "groups", value: "^team-(.+)$", roles: ["saml-$1"] }],
        ...spec,
      },
    });

  /** Asks the gateway, with a form where one is given. */
  async function ask(path: string, form?: string): Promise<string> {
    const options = { ca: await readFile(world.caFile), ...(form === undefined ? {} : { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" } }) };
    return new Promise((resolve, reject) => {
      request(`https://${world.proxy}/v1/webapi/saml/${path}`, options, (response) => {
        let body = "";
        response.setEncoding("utf8").on("data", (text: string) => (body += text));
        response.on("end", () => resolve(body));
      })
        .on("error", reject)
        .end(form);
    });
  }
  const serviceMetadata = (): Promise<string> => ask("okta/metadata");

  beforeAll(async () => {
    idp = await startSamlIdp({
      users: [
        { nameId: "mona@example.com", attributes: { groups: ["team-developers", "everybody"], logins: ["mona"] } },
        { nameId: "gus@example.com", attributes: { groups: ["guests"] } },
        { nameId: "system:admin", attributes: { groups: ["team-developers"] } },
      ],
    });
    world = await createWorld();
    await apply({ kind: "role", version: "v3", metadata: { name: "saml-developers" }, spec: { allow: { logins: ["{{external.logins}}"], kubernetes_groups: ["{{external.groups}}"] } } });
    await connect();
    idp.trust(await serviceMetadata());
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
    await idp.close();
  });

  /** Logs in as somebody who clicks their name at the provider; what the terminal says. */
  async function logIn(name: string | undefined, heading: string): Promise<{ readonly code: number | null; readonly stderr: string }> {
    const person = await world.person("mona");
    const login = start(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, "--auth=okta", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none"], { env: person.env });
    const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    // A browser of its own each time: what a login needs of cookies, it brings.
    context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(link);
    if (name !== undefined) await page.getByRole("button", { name, exact: true }).click();
    await page.getByRole("heading", { name: heading }).waitFor();
    const { code } = await login.ended;
    await context.close();
    return { code, stderr: login.stderr() };
  }

  const success = "You are logged in";
  const failure = "Login failed";

  it("brings a person in, with the roles that their attributes give", async () => {
    const outcome = await logIn("mona@example.com", success);
    expect(`${String(outcome.code)} ${outcome.stderr}`).toMatch(/^0 /);
    const status = await (await world.person("mona")).tsh(["status", "--format=json"]);
    expect(status.stdout).toContain("saml-developers");
    const events = await world.events();
    expect(events.findLast(({ event }) => event === "user.login")).toMatchObject({ user: "mona@example.com", method: "saml", success: true, connector: "okta" });
  });

  it("tells the terminal why somebody is refused", async () => {
    const none = await logIn("gus@example.com", failure);
    expect(none.code).toBe(4);
    expect(none.stderr).toContain('no attribute of gus@example.com gives a role by connector "okta"');
    expect(none.stderr).toContain("the provider sent: groups");
    const cancelled = await logIn("Cancel", failure);
    expect(cancelled.code).toBe(4);
    expect(cancelled.stderr).toContain("the SAML provider refuses the login: Responder, AuthnFailed: the person cancelled");
    const system = await logIn("system:admin", failure);
    expect(system.code).not.toBe(0);
    expect(system.stderr).toContain("system:");
  });

  it("goes on where the provider signs with a new key", async () => {
    await new Promise((resolve) => setTimeout(resolve, 10_500));
    idp.rotate();
    const outcome = await logIn("mona@example.com", success);
    expect(`${String(outcome.code)} ${outcome.stderr}`).toMatch(/^0 /);
  });

  it("opens encrypted assertions", async () => {
    const own = JSON.parse((await world.tctl(["get", "saml/okta", "--with-secrets", "--format=json"])).stdout) as { spec: Record<string, unknown> }[] | { spec: Record<string, unknown> };
    const { spec } = Array.isArray(own) ? own[0]! : own;
    expect((await world.tctl(["get", "saml/okta"])).stdout).not.toContain("PRIVATE KEY");
    await connect({ assertion_key_pair: spec["signing_key_pair"] });
    idp.trust(await serviceMetadata());
    for (const encrypt of ["aes-128-gcm", "aes-256-cbc"] as const) {
      idp.setAnswers({ encrypt, sign: encrypt === "aes-128-gcm" ? "both" : "assertion" });
      const outcome = await logIn("mona@example.com", success);
      expect(`${String(outcome.code)} ${outcome.stderr}`).toMatch(/^0 /);
    }
    idp.setAnswers({});
  });

  it("tells the terminal at once where the provider is down", async () => {
    idp.setDown(true);
    // A connector that changed has not read anything yet.
    await connect({ display: "Okta, again" });
    const outcome = await logIn(undefined, failure);
    idp.setDown(false);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toContain("answered 503 to the request for its metadata");
  });

  it("says that a login begins in the terminal to whoever begins at the provider", async () => {
    expect(await ask("acs", "SAMLResponse=PHg%2BPC94Pg%3D%3D&RelayState=")).toContain("a login that begins at the identity provider is not supported");
  });

  it("refuses a connector whose metadata is of no use, in words", async () => {
    const refused = await world.tctl(["create", "-f", "-"], {
      input: stringify({ kind: "saml", version: "v2", metadata: { name: "broken" }, spec: { acs: `https://${world.proxy}/v1/webapi/saml/acs`, entity_descriptor: "<a/>", attributes_to_roles: [] } }),
    });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain("describes no identity provider of SAML 2.0");
  });
});
