import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "@gatehouse/core/testing";
import { createBrowser, type Browser, type Page } from "../support/browser.ts";
import { launchChromium } from "../support/chromium.ts";
import { createClientWorld, createLocalUser, newMachine, type Machine } from "../support/machine.ts";
import { start, type Running } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

/** Logins that are approved in a browser elsewhere: a terminal of one machine, a browser of another, and what may go wrong between them. */
let world: World;
let ca: string;
const password = "correct horse battery";
beforeAll(async () => {
  world = await createClientWorld(["example", "staging"]);
  ca = await readFile(world.caFile, "utf8");
  await createLocalUser(world, "lea", password);
  await createLocalUser(world, "eve", password);
});
afterAll(() => world.close());

interface Asked {
  readonly terminal: Running;
  readonly url: string;
  readonly code: string;
}

async function ask(machine: Machine, user: string, command: readonly string[], flags: readonly string[] = []): Promise<Asked> {
  const terminal = start(process.execPath, [tshPath, "login", "--headless", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, `--user=${user}`, ...flags, "--", ...command], { env: machine.env });
  const [, url = "", code = ""] = await terminal.waitFor(/(https:\S+\/web\/headless\/\S+)[^]*code there: {2}(\S{4}-\S{4})\n/, "stderr");
  return { terminal, url, code };
}

const browserOf = (user?: string): Browser => createBrowser({ ca, user });
const asLocal = (browser: Browser, url: string, user = "lea"): Promise<Page> => browser.post(`${url}/local`, { user, password });
const approve = (browser: Browser, url: string, code: string): Promise<Page> => browser.post(`${url}/decide`, { decision: "approve", code });
/** What a command has left where others leave theirs too. */
const leftovers = async (pid: number | undefined): Promise<readonly string[]> =>
  (await Promise.all([tmpdir(), "/dev/shm"].map((folder) => readdir(folder).catch(() => [])))).flat().filter((name) => name.startsWith(`gatehouse-headless-${String(pid)}-`));

describe("tsh login --headless", () => {
  it("runs one command with certificates that a person approved elsewhere through their identity provider, and leaves nothing", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const script = `"${process.execPath}" "${tshPath}" status --format=json; "${process.execPath}" "${tshPath}" kube ls >&2; cat "$KUBECONFIG" >&2; exit 7`;
    const { terminal, url, code } = await ask(server, "ana", ["sh", "-c", script], ["--ttl=10h"]);
    expect(url).not.toContain(code);
    const browser = browserOf("ana");
    const first = await browser.open(url);
    expect(first.body).toContain(`href="/web/headless/${url.split("/").at(-1)!}/sso/github/github"`);
    for (const secret of [code, "ana", "sh -c"]) expect(first.body).not.toContain(secret);
    const second = await browser.open(`${url}/sso/github/github`);
    expect(second.url).toBe(`${url}/decide`);
    expect(second.body).toMatch(/<dt>User<\/dt><dd>ana<\/dd><dt>Machine<\/dt><dd>[^<]+<\/dd><dt>Address<\/dt><dd>127\.0\.0\.1<\/dd><dt>For<\/dt><dd>sh -c [^]*<dt>Lasts<\/dt><dd>1 h<\/dd>/);
    expect(second.body).not.toContain(code);
    expect((await approve(browser, url, code.toLowerCase())).body).toContain("Approved");
    expect(await terminal.ended).toMatchObject({ code: 7 });
    const status = JSON.parse(terminal.stdout()) as { user: string; valid_until: string };
    expect(status).toMatchObject({ user: "ana", logged_in: true });
    expect(Date.parse(status.valid_until) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(terminal.stderr()).toMatch(/✔ logged in as ana, for this command alone {3}valid until .*\n[^]*example[^]*client-key-data/);
    expect([...(await server.files()).keys()]).toEqual([]);
    expect(await leftovers(terminal.child.pid)).toEqual([]);
    const events = await world.events();
    const id = url.split("/").at(-1);
    expect(events.filter(({ event }) => event === "headless.request" || event === "headless.approve").filter(({ request }) => request === id)).toMatchObject([{ user: "ana" }, { user: "ana", by: "ana", method: "github" }]);
    const session = events.find(({ event, headless }) => event === "user.login" && headless === id)!["session"];
    expect(events.some(({ event, session: ended }) => event === "session.logout" && ended === session)).toBe(true);
    expect(JSON.stringify(events)).not.toContain(code);
  });

  it("is approved by a local user, and of two terminals each has its own code", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const [one, two] = [await ask(server, "lea", ["echo", "first"]), await ask(server, "lea", ["echo", "second"])];
    const browser = browserOf();
    const refused = await browser.post(`${one.url}/local`, { user: "lea", password: "wrong password" });
    expect([refused.status, refused.body.includes("invalid username")]).toEqual([403, true]);
    expect((await asLocal(browser, one.url)).url).toBe(`${one.url}/decide`);
    const swapped = await approve(browser, one.url, two.code);
    expect([swapped.status, swapped.body.includes("4 tries are left")]).toEqual([400, true]);
    await asLocal(browser, two.url);
    expect((await approve(browser, two.url, two.code)).body).toContain("Approved");
    expect(await two.terminal.ended).toMatchObject({ code: 0 });
    expect(two.terminal.stdout()).toBe("second\n");
    expect((await approve(browser, one.url, one.code)).body).toContain("Approved");
    expect(await one.terminal.ended).toMatchObject({ code: 0 });
    expect((await approve(browser, one.url, one.code)).status).toBe(404);
  });

  it("is no other user's to approve, through no way in, nor a browser's that has not shown who it is", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const { terminal, url, code } = await ask(server, "lea", ["true"]);
    expect(await asLocal(browserOf(), url, "eve")).toMatchObject({ status: 403, body: expect.stringContaining("was not asked for by eve") as string });
    expect(await browserOf("bo").open(`${url}/sso/github/github`)).toMatchObject({ status: 403, body: expect.stringContaining("was not asked for by bo") as string });
    expect((await approve(browserOf(), url, code)).status).toBe(401);
    expect((await browserOf().open(`${url}/decide`)).status).toBe(401);
    const browser = browserOf();
    await asLocal(browser, url);
    const done = await browser.post(`${url}/decide`, { decision: "refuse" });
    expect(done.body).toContain("Refused");
    expect(await terminal.ended).toMatchObject({ code: 4 });
    expect(terminal.stderr()).toMatch(/✖ login failed: the login was refused in the browser +\(event [0-9a-f]{8}\)\n/);
  });

  it("ends with the fifth wrong code, and with a fourth that waits at once", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const waiting = [await ask(server, "eve", ["true"]), await ask(server, "eve", ["true"]), await ask(server, "eve", ["true"])];
    const fourth = await server.tsh(["login", "--headless", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--user=eve", "--", "true"]);
    expect(fourth).toMatchObject({ code: 1, stderr: expect.stringContaining("3 logins of eve wait for an approval already") as string });
    const [{ terminal, url }] = waiting as [Asked];
    const browser = browserOf();
    await asLocal(browser, url, "eve");
    for (let tries = 1; tries <= 5; tries++) await approve(browser, url, "0000-0000");
    expect(await terminal.ended).toMatchObject({ code: 4 });
    expect(terminal.stderr()).toContain("5 wrong codes were typed");
    for (const { terminal: each } of waiting.slice(1)) await each.stop("SIGINT");
  });

  it("is refused by a role", async () => {
    await world.tctl(["create", "-f", "-"], { input: "kind: role\nversion: v3\nmetadata: {name: desk}\nspec: {options: {headless_login: false}, allow: {logins: [root]}}\n" });
    await createLocalUser(world, "dot", password, "access,desk");
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const { terminal, url } = await ask(server, "dot", ["true"]);
    expect(await asLocal(browserOf(), url, "dot")).toMatchObject({ status: 403, body: expect.stringContaining("headless_login: false") as string });
    expect(await terminal.ended).toMatchObject({ code: 4 });
    expect(terminal.stderr()).toContain("headless_login: false");
  });

  it("says what is wrong with its words, and what could not be run", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const base = [`--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`];
    expect(await server.tsh(["login", "--headless", ...base])).toMatchObject({ code: 2, stderr: expect.stringContaining("no terminal for a shell") as string });
    expect(await server.tsh(["login", "--headless", "--browser=none", ...base, "--", "true"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--browser and --headless exclude each other") as string });
    expect(await server.tsh(["login", ...base, "--", "true"])).toMatchObject({ code: 2, stderr: expect.stringContaining("with --headless alone") as string });
    const { terminal, url, code } = await ask(server, "lea", ["no-such-program"]);
    const browser = browserOf();
    await asLocal(browser, url);
    await approve(browser, url, code);
    expect(await terminal.ended).toMatchObject({ code: 5 });
    expect(await leftovers(terminal.child.pid)).toEqual([]);
  });

  it("on a terminal gives a shell, whose end is the login's", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "", SHELL: "/bin/sh", PS1: "$ " });
    const terminal = spawn(process.execPath, [tshPath, "login", "--headless", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--user=lea"], { env: { ...server.env, TERM: "xterm", NO_COLOR: "1" }, cols: 200, rows: 40 });
    let shown = "";
    const said = (pattern: RegExp): Promise<RegExpExecArray> =>
      new Promise((resolve) => {
        const look = (): void => {
          const match = pattern.exec(shown);
          if (match) resolve(match);
        };
        terminal.onData(look);
        look();
      });
    terminal.onData((text) => (shown += text));
    const ended = new Promise<{ exitCode: number }>((resolve) => terminal.onExit(resolve));
    const [, url = "", code = ""] = await said(/(https:\S+\/web\/headless\/[\w-]+)[^]*code there: {2}(\S{4}-\S{4})\r/);
    const browser = browserOf();
    expect((await asLocal(browser, url)).body).toContain("<dd>a shell</dd>");
    await approve(browser, url, code);
    await said(/leave the shell to end the login/);
    terminal.write(`"${process.execPath}" "${tshPath}" status --format=json | grep '"user"'; exit 3\r`);
    expect((await ended).exitCode).toBe(3);
    expect(shown).toContain('"user": "lea"');
    expect(await leftovers(terminal.pid)).toEqual([]);
  });
});

describe.skipIf(!requireTool("chromium", "Debian: apt-get install chromium"))("in a real browser", () => {
  it("a person shows who they are, types the code, and the terminal goes on", async () => {
    const server = await newMachine(world, "ana", { BROWSER: "" });
    const { terminal, url, code } = await ask(server, "lea", ["kubectl", "get", "pods", "it's"]);
    const browser = await launchChromium();
    try {
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      const problems: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error" && !/favicon|status of 400/.test(message.text())) problems.push(message.text());
      });
      await page.goto(url);
      if (process.env["GATEHOUSE_SCREENSHOTS"] !== undefined) await page.screenshot({ path: join(process.env["GATEHOUSE_SCREENSHOTS"], "headless-who.png") });
      await page.getByLabel("User").fill("lea");
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByRole("heading", { name: "Is this your terminal?" }).waitFor();
      await page.getByLabel("The code that your terminal shows").fill("0000 0000");
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByText("4 tries are left").waitFor();
      if (process.env["GATEHOUSE_SCREENSHOTS"] !== undefined) await page.screenshot({ path: join(process.env["GATEHOUSE_SCREENSHOTS"], "headless-decide.png") });
      expect(await page.locator("dd").allTextContents()).toContain("kubectl get pods 'it'\\''s'");
      await page.getByLabel("The code that your terminal shows").fill(code);
      await page.getByRole("button", { name: "Approve" }).click();
      await page.getByRole("heading", { name: "Approved" }).waitFor();
      expect(problems).toEqual([]);
    } finally {
      await browser.close();
    }
    await terminal.ended;
    expect(terminal.stderr()).toContain("✔ logged in as lea");
  });
});
