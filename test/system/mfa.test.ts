import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freePort, requireTool } from "@gatehouse/core/testing";
import { launchChromium } from "../support/chromium.ts";
import { start } from "../support/process.ts";
import { totp } from "../support/totp.ts";
import { createWorld, tshPath, type Person, type World } from "../support/world.ts";

const available = requireTool("chromium", "Debian: apt-get install chromium");
const password = "correct horse battery";

describe.skipIf(!available)("second factors of local users", () => {
  let world: World;
  let browser: Browser;
  let context: BrowserContext;
  let gateway: string;
  let shots: string;
  const violations: string[] = [];

  beforeAll(async () => {
    const port = await freePort();
    // Keys are for a host name, so people reach this gateway by one.
    gateway = `localhost:${String(port)}`;
    world = await createWorld({
      config: ({ auth_service, proxy_service }) => {
        auth_service["authentication"] = { type: "local", second_factor: "on" };
        proxy_service["web_listen_addr"] = `127.0.0.1:${String(port)}`;
        proxy_service["ssh_listen_addr"] = "127.0.0.1:0";
        proxy_service["public_addr"] = [gateway];
      },
    });
    shots = process.env["GATEHOUSE_SCREENSHOTS"] ?? (await mkdtemp(join(tmpdir(), "gatehouse-shots-")));
    browser = await launchChromium("--ignore-certificate-errors", "--enable-features=AllowWebAuthnWithBrokenTlsCerts");
    context = await browser.newContext({ ignoreHTTPSErrors: true, extraHTTPHeaders: { "x-stand-in-user": "ana" } });
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
    if (process.env["GATEHOUSE_SCREENSHOTS"] === undefined) await rm(shots, { recursive: true, force: true });
  });

  /** A page, with a passkey's authenticator in it where asked. */
  async function openPage(withKey: boolean): Promise<Page> {
    const page = await context.newPage();
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) violations.push(message.text());
    });
    if (withKey) {
      const cdp = await context.newCDPSession(page);
      await cdp.send("WebAuthn.enable");
      await cdp.send("WebAuthn.addVirtualAuthenticator", {
        options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
      });
    }
    return page;
  }

  async function shoot(page: Page, name: string): Promise<void> {
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(shots, `${name}-${colorScheme}.png`), fullPage: true });
    }
    await page.emulateMedia({ colorScheme: null });
  }

  async function invite(user: string): Promise<string> {
    const added = await world.tctl(["users", "add", user, "--roles=access", "--logins=root", "--format=json"]);
    expect(added).toMatchObject({ code: 0 });
    const { url } = JSON.parse(added.stdout) as { url: string };
    expect(url).toContain(`https://${gateway}/web/newuser/`);
    return url;
  }

  async function choosePassword(page: Page, url: string): Promise<void> {
    await page.goto(url);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByLabel("The same again").fill(password);
    await page.getByRole("button").click();
    await page.getByRole("heading", { name: "Choose a second factor" }).waitFor();
  }

  const loginArgs = (user: string): string[] => ["login", `--proxy=${gateway}`, "--auth=local", `--user=${user}`, `--ca-pin=${world.ready.ca_pin}`, "--keystore=file"];

  async function logInOnPage(person: Person, args: readonly string[]): Promise<{ login: ReturnType<typeof start>; link: string }> {
    const login = start(process.execPath, [tshPath, ...args, "--browser=none"], { env: person.env });
    const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    return { login, link };
  }

  it("somebody signs up with an app, in a browser without scripts, and logs in on the terminal with its code", async () => {
    const url = await invite("tia");
    const plain = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
    const page = await plain.newPage();
    await choosePassword(page, url);
    await shoot(page, "factor");
    expect(await page.getByRole("img", { name: /QR code/ }).isVisible()).toBe(true);
    expect(await page.getByRole("button", { name: "Add a key" }).isVisible()).toBe(false);
    const secret = (await page.locator("code").first().innerText()).replaceAll(" ", "");
    await page.getByLabel("Code that the app shows").fill("000000");
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("alert").waitFor();
    await shoot(page, "factor-refused");
    await page.getByLabel("Code that the app shows").fill(totp(secret));
    await page.getByLabel("What you call it").fill("my phone");
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { name: "Password set" }).waitFor();
    const codes = await page.getByRole("list", { name: "Recovery codes" }).getByRole("listitem").allInnerTexts();
    expect(codes).toHaveLength(10);
    await shoot(page, "recovery-codes");
    expect((await page.goto(url))?.status()).toBe(404);
    await plain.close();

    const tia = await world.person("tia");
    const logIn = (input: string) => tia.tsh([...loginArgs("tia"), "--force", "--password-stdin"], { input });
    // The code that the sign-up took is used; the next one is good already.
    const code = totp(secret, Date.now() + 30_000);
    const wrong = await logIn(`${password}\n000000\n`);
    expect(wrong).toMatchObject({ code: 4, stderr: expect.stringContaining("invalid username, password or second factor") as string });
    expect(await logIn(`${password}\n`)).toMatchObject({ code: 2, stderr: expect.stringContaining("standard input has no second line") as string });
    const right = await logIn(`${password}\n${code}\n`);
    expect(`${String(right.code)} ${right.stderr}`).toMatch(/^0 /);
    expect(await logIn(`${password}\n${code}\n`)).toMatchObject({ code: 4 });
    expect((await logIn(`${password}\n${codes[0]!}\n`)).code).toBe(0);
    expect(await logIn(`${password}\n${codes[0]!}\n`)).toMatchObject({ code: 4 });
    const listed = await tia.tsh(["mfa", "ls"]);
    expect(listed.stdout).toMatch(/my phone +authenticator app/);
    expect(listed.stdout).toContain("recovery codes left: 9");
  });

  it("somebody signs up with a passkey, logs in with it, and adds an app", async () => {
    const page = await openPage(true);
    await choosePassword(page, await invite("pat"));
    await page.getByRole("button", { name: "Add a key" }).click();
    await page.getByText("The key has answered").waitFor();
    await shoot(page, "factor-key");
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { name: "Password set" }).waitFor();

    const pat = await world.person("pat");
    const { login, link } = await logInOnPage(pat, [...loginArgs("pat"), "--mfa=browser"]);
    await page.goto(link);
    await page.getByRole("heading", { name: "Log in to example" }).waitFor();
    expect(await page.getByRole("link", { name: "GitHub" }).isVisible()).toBe(true);
    await shoot(page, "login");
    await page.getByLabel("User").fill("pat");
    await page.getByLabel("Password").fill("wrong password");
    await page.getByRole("button", { name: /security key/ }).click();
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("alert").innerText()).toContain("invalid username, password or second factor");
    await shoot(page, "login-refused");
    expect(await page.getByLabel("User").inputValue()).toBe("pat");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: /security key/ }).click();
    await page.getByRole("heading", { name: "You are logged in" }).waitFor();
    expect((await login.ended).code).toBe(0);
    expect(page.url()).not.toContain("response=");

    const opened = await pat.tsh(["mfa", "add", "--format=json"]);
    const { url } = JSON.parse(opened.stdout) as { url: string };
    await page.goto(url);
    await page.getByRole("heading", { name: "Add a second factor" }).waitFor();
    await shoot(page, "confirm");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: /security key/ }).click();
    await page.getByRole("heading", { name: "Choose a second factor" }).waitFor();
    const secret = (await page.locator("code").first().innerText()).replaceAll(" ", "");
    await page.getByLabel("Code that the app shows").fill(totp(secret));
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { name: "Second factor added" }).waitFor();
    await shoot(page, "added");
    const devices = JSON.parse((await world.tctl(["users", "mfa", "ls", "pat", "--format=json"])).stdout) as { devices: { name: string }[] };
    expect(devices.devices.map(({ name }) => name)).toEqual(["security key", "authenticator app"]);
    const removed = await world.tctl(["users", "mfa", "reset", "pat"]);
    expect(removed).toMatchObject({ code: 0, stderr: expect.stringContaining("tctl users reset pat") as string });
    const events = (await world.events()).filter(({ event }) => String(event).startsWith("mfa.")).map(({ event, method }) => [event, method]);
    expect(events).toEqual(expect.arrayContaining([["mfa.add", "webauthn"], ["mfa.use", "webauthn"], ["mfa.use", "recovery"], ["mfa.remove", "totp"]]));
    await page.close();
  });

  it("somebody without a key of their own gets nowhere, and can give up, which the terminal hears at once", async () => {
    const page = await openPage(true);
    const nia = await world.person("nia");
    const { login, link } = await logInOnPage(nia, [...loginArgs("nia"), "--mfa=browser"]);
    await page.goto(link);
    await page.getByLabel("User").fill("nia");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: /security key/ }).click();
    // The browser looks for a key that nobody has, as it would for somebody's that is not here.
    await page.getByText("Waiting for your key").waitFor();
    await shoot(page, "login-no-key");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("heading", { name: "Login failed" }).waitFor();
    await login.waitFor(/cancelled in the browser/, "stderr");
    expect((await login.ended).code).toBe(4);
    await page.close();
  });

  it("somebody goes on with a connector from the same page, without scripts", async () => {
    const plain = await browser.newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false, extraHTTPHeaders: { "x-stand-in-user": "ana" } });
    const page = await plain.newPage();
    const ana = await world.person("ana");
    const { login, link } = await logInOnPage(ana, ["login", `--proxy=${gateway}`, "--mfa=browser", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file"]);
    await page.goto(link);
    await page.getByRole("link", { name: "GitHub" }).click();
    await page.getByRole("heading", { name: "You are logged in" }).waitFor();
    expect((await login.ended).code).toBe(0);
    await plain.close();
  });

  it("no page did what its policy forbids", () => {
    expect(violations).toEqual([]);
  });
});
