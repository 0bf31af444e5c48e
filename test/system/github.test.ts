import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBrowser } from "../support/browser.ts";
import { start } from "../support/process.ts";
import { createWorld, people, type World } from "../support/world.ts";

/** What GitHub, or somebody on the way, can do wrong: each ends at once in the terminal with its cause, an exit code and an audit event. */
describe("a GitHub login that goes wrong", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world.close());

  /** The last failed login in the audit log. */
  const failure = async (): Promise<Readonly<Record<string, unknown>> | undefined> =>
    (await world.events()).filter((event) => event["event"] === "user.login" && event["success"] === false).at(-1);

  const logIn = async (login: string, args: readonly string[] = []): Promise<{ code: number | null; stderr: string }> => {
    const person = await world.person(login);
    const outcome = await person.tsh(["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", ...args]);
    return { code: outcome.code, stderr: outcome.stderr };
  };

  it("somebody in no mapped team is told which teams are, and which GitHub reported", async () => {
    const outcome = await logIn("di");
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toContain('di is in none of the teams that connector "github" maps');
    expect(outcome.stderr).toContain("octocats/developers");
    expect(outcome.stderr).toContain("octocats/web");
    expect(await failure()).toMatchObject({ code: "T1001W", method: "github" });
  });

  it.each([
    ["token", "500", /500/, 1],
    ["token", "refused", /The code passed is incorrect or expired/, 4],
    ["token", "garbage", /GitHub/, 1],
    ["user", "500", /500/, 1],
    ["teams", "500", /500/, 1],
    ["teams", "hang", /GitHub.*(answer|time)/i, 1],
    ["user", "huge", /GitHub/, 1],
  ] as const)("GitHub's %s request ending in %s is said, with its own exit code", async (route, fault, text, code) => {
    world.github.setFault(route, fault);
    try {
      const outcome = await logIn("ana");
      expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringMatching(text)]);
      expect(String((await failure())?.["error"])).toMatch(text);
    } finally {
      world.github.setFault(route, undefined);
    }
  });

  it("saying no at GitHub ends the wait", async () => {
    world.github.setApproval("deny");
    const outcome = await logIn("ana");
    world.github.setApproval("auto");
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toMatch(/denied|refused/i);
  });

  it("250 teams over pages are all seen", async () => {
    const many = Array.from({ length: 249 }, (_, index) => ({ organization: "octocats", organizationId: 1, team: `team-${index}`, teamId: 5000 + index }));
    const developers = { organization: "octocats", organizationId: 1, team: "developers", teamId: 11 };
    world.github.setUsers([...people, { login: "many", id: 2001, teams: [...many, developers] }]);
    expect((await logIn("many")).code).toBe(0);
  });

  it("a login name that comes back with another id is refused", async () => {
    await logIn("ana");
    world.github.setUsers([{ ...people[0]!, id: 9999 }]);
    const outcome = await logIn("ana");
    world.github.setUsers(people);
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toMatch(/another|different/i);
    expect((await world.events()).some((event) => event["event"] === "identity.refused")).toBe(true);
    expect((await logIn("ana")).code).toBe(0);
  });

  it("an organization whose name another one took is refused", async () => {
    await logIn("bo");
    world.github.setUsers([{ login: "bo", id: 1002, teams: [{ organization: "octocats", organizationId: 666, team: "viewers", teamId: 12 }] }]);
    const outcome = await logIn("bo");
    world.github.setUsers(people);
    expect(outcome.code).toBe(4);
    expect(outcome.stderr).toMatch(/octocats/);
  });

  it("a callback without the login's cookie, and one played twice, are refused", async () => {
    const ana = await world.person("ana");
    const login = start(process.execPath, ["packages/tsh/bin/tsh.js", "login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none"], { env: ana.env });
    const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    const { readFile } = await import("node:fs/promises");
    const ca = await readFile(world.caFile, "utf8");
    const victim = createBrowser({ ca, user: "ana" });
    const page = await victim.open(link);
    expect(page.status).toBe(200);
    expect((await login.ended).code).toBe(0);
    const callback = page.visited.find((url) => url.includes("/github/callback"))!;
    for (const browser of [createBrowser({ ca }), victim]) {
      const replayed = await browser.open(callback);
      expect(replayed.status).toBeGreaterThanOrEqual(400);
      expect(replayed.body).not.toContain("response=");
      expect(replayed.visited.some((url) => url.startsWith("http://127.0.0.1") && url.includes("/callback?response"))).toBe(false);
    }
  });

  it("a code that was used once is no good in another login", async () => {
    const ana = await world.person("ana");
    const { readFile } = await import("node:fs/promises");
    const ca = await readFile(world.caFile, "utf8");
    const begin = async (): Promise<{ login: ReturnType<typeof start>; link: string }> => {
      const login = start(process.execPath, ["packages/tsh/bin/tsh.js", "login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none"], { env: ana.env });
      const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
      return { login, link };
    };
    const used = await begin();
    const page = await createBrowser({ ca, user: "ana" }).open(used.link);
    expect((await used.login.ended).code).toBe(0);
    const callback = new URL(page.visited.find((url) => url.includes("/github/callback"))!);
    world.github.setApproval("button");
    const fresh = await begin();
    const browser = createBrowser({ ca, user: "ana" });
    const asked = await browser.open(fresh.link);
    world.github.setApproval("auto");
    callback.searchParams.set("state", new URL(asked.url).searchParams.get("state")!);
    await browser.open(callback.href);
    expect((await fresh.login.ended).code).toBe(4);
    expect(fresh.login.stderr()).toMatch(/The code passed is incorrect or expired/);
  });

  it("a link opened by somebody else first is not theirs to finish", async () => {
    const ana = await world.person("ana");
    const { readFile } = await import("node:fs/promises");
    const ca = await readFile(world.caFile, "utf8");
    const login = start(process.execPath, ["packages/tsh/bin/tsh.js", "login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", "--browser=none"], { env: ana.env });
    const [link] = await login.waitFor(/http:\/\/127\.0\.0\.1:\d+\/\S+/, "stderr");
    // One browser starts, another gets the provider's answer: its callback has no cookie.
    world.github.setApproval("button");
    const first = await createBrowser({ ca, user: "ana" }).open(link);
    expect(first.url).toContain(world.github.url);
    world.github.setApproval("auto");
    const stolen = await createBrowser({ ca, user: "ana" }).open(first.url);
    expect(stolen.body).toContain("Login failed");
    // The person at the terminal hears of it at once, and nobody is logged in.
    expect((await login.ended).code).toBe(4);
    expect(login.stderr()).toMatch(/browser/);
  });

  it("only a loopback address may receive the answer", async () => {
    const ana = await world.person("ana");
    expect((await ana.tsh(["login", `--proxy=${world.proxy}`, "--auth=nosuch", `--ca-pin=${world.ready.ca_pin}`])).code).toBe(5);
    const { request } = await import("node:https");
    const { readFile } = await import("node:fs/promises");
    const ca = await readFile(world.caFile, "utf8");
    const post = (redirect: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request(`https://${world.proxy}/v1/webapi/github/login/console`, { method: "POST", ca, headers: { "content-type": "application/json" } }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        const key = Buffer.alloc(32, 7).toString("base64");
        sent.once("error", reject).end(
          JSON.stringify({
            redirect_url: `${redirect}?secret=${encodeURIComponent(key)}`,
            public_key: Buffer.from("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl").toString("base64"),
            cert_ttl: 3_600_000_000_000,
            connector_id: "github",
          }),
        );
      });
    expect(await post("http://127.0.0.1:4000/callback")).toBe(200);
    for (const evil of ["https://evil.example/callback", "http://127.0.0.1.evil.example/callback", "http://user@evil.example/callback", "http://127.0.0.1@evil.example/", "http://localhost.evil.example/callback", "javascript:alert(1)"]) {
      expect([evil, await post(evil)]).toEqual([evil, 400]);
    }
  });
});
