import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../support/chromium.ts";
import { start } from "../support/process.ts";
import { requireTool } from "@gatehouse/core/testing";
import { createWorld, tshPath, type World } from "../support/world.ts";

const available = requireTool("chromium", "Debian: apt-get install chromium");

describe.skipIf(!available)("in a real browser", () => {
  let world: World;
  let browser: Browser;
  let context: BrowserContext;

  beforeAll(async () => {
    world = await createWorld();
    browser = await launchChromium();
    // The gateway's certificate is the cluster's own: a person would have clicked through, or installed the CA.
    context = await browser.newContext({ ignoreHTTPSErrors: true, extraHTTPHeaders: { "x-stand-in-user": "ana" } });
  });
  afterAll(async () => {
    await browser.close();
    await world.close();
  });

  const startLogin = async (args: readonly string[] = []): Promise<{ login: ReturnType<typeof start>; link: string }> => {
    const ana = await world.person("ana");
    const login = start(process.execPath, [tshPath, "login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none", ...args], { env: ana.env });
    const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    return { login, link };
  };

  it("a login ends on a page that says so, and in the terminal", async () => {
    const { login, link } = await startLogin();
    const page = await context.newPage();
    await page.goto(link);
    await page.getByRole("heading", { name: "You are logged in" }).waitFor();
    expect((await login.ended).code).toBe(0);
    // The answer does not stay in the address bar, nor in a page that scripts could read.
    expect(page.url()).not.toContain("response=");
    await page.close();
  });

  it("a refused login ends on a page that says so, and with the cause in the terminal", async () => {
    world.github.setApproval("deny");
    const { login, link } = await startLogin();
    const page = await context.newPage();
    await page.goto(link);
    await page.getByRole("heading", { name: "Login failed" }).waitFor();
    world.github.setApproval("auto");
    expect((await login.ended).code).toBe(4);
    await page.close();
  });

  it("an invited user chooses a password, once, and logs in with it", async () => {
    const added = await world.tctl(["users", "add", "alice", "--roles=admin", "--format=json"]);
    expect(added.code).toBe(0);
    const { url } = JSON.parse(added.stdout) as { url: string };
    const page = await context.newPage();
    const violations: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error") violations.push(message.text());
    });
    await page.goto(url);
    await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
    await page.getByLabel("The same again").fill("another thing entirely");
    await page.getByRole("button").click();
    await page.getByText("differ").waitFor();
    await page.getByLabel("Password", { exact: true }).fill("correct horse battery");
    await page.getByLabel("The same again").fill("correct horse battery");
    await page.getByRole("button").click();
    await page.getByRole("heading", { name: "Password set" }).waitFor();
    expect(violations.filter((text) => text.includes("Content Security Policy"))).toEqual([]);
    const again = await page.goto(url);
    expect(again?.status()).toBe(404);
    await page.close();

    const alice = await world.person("alice");
    const logIn = (password: string): ReturnType<typeof alice.tsh> =>
      alice.tsh(["login", `--proxy=${world.proxy}`, "--auth=local", "--user=alice", "--password-stdin", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file"], { input: `${password}\n` });
    const wrong = await logIn("wrong password here");
    expect(wrong.code).toBe(4);
    expect(wrong.stderr).toContain("invalid username or password");
    const right = await logIn("correct horse battery");
    expect(`${String(right.code)} ${right.stderr}`).toMatch(/^0 /);
    const roles = await alice.tctl(["get", "roles/admin", "--format=json"]);
    expect(`${String(roles.code)} ${roles.stderr}`).toMatch(/^0 /);
    await rm(join(alice.home, ".tsh"), { recursive: true, force: true });
  });
});
