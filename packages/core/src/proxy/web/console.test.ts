import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../../base/index.ts";
import type { AuthService, ConsolePage, LinkOutcome, LinkView } from "../../auth/index.ts";
import { createWebApp, type LoginSettings } from "./index.ts";
import { serveForTest, testGateway, type Answer, type Call } from "./test-web.ts";

const token = "0123456789abcdef0123456789abcdef";
const id = "i".repeat(43);
const form = { "content-type": "application/x-www-form-urlencoded", host: "gw.example.com:3080", cookie: "__Host-x=1" };
const location = "http://127.0.0.1:43117/callback?response=a%2Bb%22&secret=";

let page: ConsolePage;
let calls: unknown[];
let finish: () => Promise<{ location: string; clearCookie: string }>;
let view: LinkView;
let outcome: LinkOutcome;
let localLogins: boolean;
let served: { close(): void } | undefined;

beforeEach(() => {
  page = { factor: "required", otp: true, webauthn: true };
  calls = [];
  finish = async () => ({ location, clearCookie: "__Host-x" });
  localLogins = true;
});
afterEach(() => served?.close());

const done = { location, clearCookie: "__Host-x" };
const record = <T>(name: string, answer: () => T | Promise<T>) => async (...given: unknown[]): Promise<T> => {
  calls.push([name, ...given]);
  return answer();
};

const auth = {
  clusterName: "example",
  logins: {
    openConsole: async (given: string) => {
      if (given !== id) throw new GatehouseError("access_denied", "this login is not known");
      return { cookie: { name: "__Host-x", value: "1" }, page };
    },
    consoleKey: record("key", () => ({ challenge: "c" })),
    chooseConnector: record("connector", () => ({ redirectUrl: "https://gw.example.com:3080/v1/webapi/oidc/login/open?id=x" })),
    finishConsole: record("finish", () => finish()),
    cancelConsole: record("cancel", () => done),
  },
  links: {
    read: async () => view,
    keyOptions: record("options", () => ({ challenge: "c" })),
    confirm: record("confirm", () => outcome),
    finish: record("register", () => outcome.done),
  },
} as unknown as AuthService;

const settings: LoginSettings = {
  type: "local",
  secondFactor: "on",
  connectorName: undefined,
  connectors: [
    { kind: "oidc", name: "okta & co", display: "Okta <b>" },
    { kind: "github", name: "github", display: "" },
  ],
};

async function web(): Promise<Call> {
  const app = await createWebApp({
    ...testGateway,
    auth,
    loginSettings: async () => settings,
    facts: () => ({ kube: { enabled: false, publicAddr: undefined }, ssh: { listenAddr: "0.0.0.0:3023", publicAddr: "gw.example.com:3080", sshPublicAddr: undefined } }),
    localLogins,
  });
  const { call, close } = await serveForTest(app.handler);
  served = { close };
  return call;
}

const fields = (more: Record<string, string> = {}): string => new URLSearchParams({ id, user: "bo", password: "correct horse", ...more }).toString();

describe("the login page", () => {
  it("offers the connectors as links and local users a form, under a policy that lets one known script run", async () => {
    const call = await web();
    const answer = await call("GET", `/web/login?id=${id}`);
    expect(answer.status).toBe(200);
    expect(answer.headers["set-cookie"]).toEqual([expect.stringMatching(/^__Host-x=1; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=180$/)]);
    expect(answer.headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-\S+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; script-src 'sha256-\S+'; connect-src 'self'$/);
    expect(answer.body).toContain(`<a class="choice" href="/web/login/connector?id=${id}&amp;kind=oidc&amp;name=okta+%26+co">Okta &lt;b&gt;</a>`);
    expect(answer.body).toContain(">github</a>");
    for (const label of ["user", "password", "code"]) expect(answer.body).toContain(`<label for="${label}">`);
  });

  it.each([
    [{ factor: "none", otp: true, webauthn: false } as const, false, false],
    [{ factor: "required", otp: false, webauthn: true } as const, true, true],
    [{ factor: "optional", otp: true, webauthn: false } as const, true, false],
  ])("asks for what the policy takes: %j", async (shown, code, key) => {
    page = shown;
    const { body, headers } = await (await web())("GET", `/web/login?id=${id}`);
    expect([body.includes('id="code"'), body.includes("data-key"), body.includes("<script>"), headers["content-security-policy"]?.includes("script-src")]).toEqual([code, key, key, key]);
  });

  it("has no form where local users may not log in", async () => {
    localLogins = false;
    const call = await web();
    expect((await call("GET", `/web/login?id=${id}`)).body).not.toContain('id="password"');
    expect((await call("POST", "/web/login", fields(), form)).status).toBe(403);
    expect(calls).toEqual([]);
  });

  it("leads on to the terminal from a page of its own", async () => {
    const answer = await (await web())("POST", "/web/login", fields({ key: '{"id":"x"}', code: "123456" }), form);
    expect(answer.status).toBe(200);
    expect(answer.headers["set-cookie"]).toEqual([expect.stringMatching(/^__Host-x=; .*Max-Age=0$/)]);
    expect(answer.headers["referrer-policy"]).toBe("no-referrer");
    expect(answer.body).toContain('<meta http-equiv="refresh" content="0;url=http://127.0.0.1:43117/callback?response=a%2Bb%22&amp;secret=">');
    expect(calls).toEqual([["finish", expect.objectContaining({ id, cookies: expect.objectContaining({ "__Host-x": "1" }) as object }), { user: "bo", password: "correct horse", code: "123456", answer: { id: "x" } }]]);
  });

  it("leads nowhere but to a terminal on the browser's own machine", async () => {
    finish = async () => ({ location: "https://evil.test/callback", clearCookie: "__Host-x" });
    expect((await (await web())("POST", "/web/login", fields(), form)).status).toBe(500);
  });

  it("answers a refusal with the form again, without the password", async () => {
    finish = async () => {
      throw new GatehouseError("access_denied", "invalid username, password or second factor", { id: "6f0e2a1c" });
    };
    const answer = await (await web())("POST", "/web/login", fields({ user: '"><b>bo' }), form);
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('role="alert">invalid username, password or second factor (6f0e2a1c)');
    expect(answer.body).toContain('value="&quot;&gt;&lt;b&gt;bo"');
    expect(answer.body).not.toContain("correct horse");
  });

  it.each([{ origin: "https://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }])("takes no form from another site: %j", async (headers) => {
    const call = await web();
    for (const path of ["/web/login", "/web/login/cancel", "/webapi/local/login/key", `/web/mfa/${token}`, `/webapi/link/${token}/key`]) {
      expect([path, (await call("POST", path, fields(), { ...form, ...headers })).status]).toEqual([path, 403]);
    }
    expect(calls).toEqual([]);
  });

  it("tells of a login that is not known on a page, and of a key that cannot be asked in JSON", async () => {
    const call = await web();
    const unknown = await call("GET", `/web/login?id=${"x".repeat(43)}`);
    expect([unknown.status, unknown.headers["content-type"], unknown.body.includes("This login cannot go on")]).toEqual([403, "text/html; charset=utf-8", true]);
    expect((await call("GET", "/web/login")).status).toBe(400);
    const key = await call("POST", "/webapi/local/login/key", new URLSearchParams({ id, user: "bo" }).toString(), form);
    expect([key.status, JSON.parse(key.body)]).toEqual([200, { challenge: "c" }]);
    expect(JSON.parse((await call("POST", "/webapi/local/login/key", "id=", form)).body)).toMatchObject({ code: "bad_parameter" });
  });

  it("goes on with a connector, and tells the terminal where somebody gives up", async () => {
    const call = await web();
    const chosen = await call("GET", `/web/login/connector?id=${id}&kind=oidc&name=okta`, undefined, form);
    expect([chosen.status, chosen.headers.location]).toEqual([302, "https://gw.example.com:3080/v1/webapi/oidc/login/open?id=x"]);
    expect(calls[0]).toEqual(["connector", expect.objectContaining({ id }), { kind: "oidc", name: "okta", host: "gw.example.com:3080" }]);
    expect((await call("GET", `/web/login/connector?id=${id}&kind=ldap&name=okta`)).status).toBe(400);
    expect((await call("POST", "/web/login/cancel", `id=${id}`, form)).body).toContain("http://127.0.0.1:43117/callback");
  });
});

describe("a link's pages", () => {
  const post = async (body: Record<string, string>): Promise<Answer> => (await web())("POST", `/web/mfa/${token}`, new URLSearchParams(body).toString(), form);

  it("show an app's secret as a picture and as text, and the key's box where keys can be", async () => {
    view = { user: "bo", purpose: "invite", step: "factor", totp: { secret: "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", uri: "otpauth://totp/x?secret=ABC" }, webauthn: true, optional: true };
    const answer = await (await web())("GET", `/web/newuser/${token}`);
    expect(answer.body).toContain("<code>ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567</code>");
    expect(answer.body).toMatch(/<svg class="qr" role="img" aria-label="[^"]+" viewBox="0 0 \d+ \d+"[^>]*><path fill="#000" d="[Mhvz\d -]+"\/><\/svg>/);
    expect(answer.body).toContain(`data-key="create" data-options="/webapi/link/${token}/key"`);
    expect(answer.body).toContain('name="skip"');
    expect(answer.headers["content-security-policy"]).toContain("script-src 'sha256-");
  });

  it("show recovery codes once, to be downloaded without a script", async () => {
    view = { user: "bo", purpose: "codes", step: "confirm", hasFactor: true, webauthn: false };
    outcome = { done: { user: "bo", purpose: "codes", recoveryCodes: ["aaaa-bbbb-cccc-dddd"] } };
    const { body } = await post({ step: "confirm", password: "correct horse", code: "123456" });
    expect(body).toContain("<li>aaaa-bbbb-cccc-dddd</li>");
    expect(body).toMatch(/<a download="gatehouse-recovery-codes.txt" href="data:text\/plain;charset=utf-8,[^"]*aaaa-bbbb-cccc-dddd/);
    expect(body).not.toContain("<script>");
    expect(calls).toEqual([["confirm", token, { password: "correct horse", code: "123456", answer: undefined }, expect.anything()]]);
  });

  it("take what is no JSON for an answer that does not hold, and nothing for going on without", async () => {
    view = { user: "bo", purpose: "invite", step: "factor", webauthn: true, optional: true };
    outcome = { done: { user: "bo", purpose: "invite" } };
    await post({ step: "factor", code: "", key: "{nonsense", name: "" });
    served?.close();
    await post({ step: "factor", code: "123456", key: "{}", name: "x", skip: "yes" });
    expect(calls.map((call) => (call as unknown[])[2])).toEqual([{ code: "", credential: {}, name: "" }, { code: "", credential: undefined, name: "" }]);
  });

  it("go on in the browser that began, by its cookie", async () => {
    view = { user: "bo", purpose: "add", step: "factor", webauthn: true };
    outcome = { next: view, pass: "pass-1" };
    const [cookie = ""] = (await post({ step: "confirm", password: "correct horse" })).headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/^__Host-gatehouse-link-[0-9a-f]{16}=pass-1; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=1800$/);
    served?.close();
    outcome = { done: { user: "bo", purpose: "add" } };
    const done = await (await web())("POST", `/web/mfa/${token}`, "step=factor&code=123456", { ...form, cookie: cookie.split(";", 1)[0] ?? "" });
    expect(calls.at(-1)).toEqual(["register", token, { code: "123456", credential: undefined, name: "" }, expect.anything(), "pass-1"]);
    expect(done.headers["set-cookie"]).toEqual([expect.stringMatching(/^__Host-gatehouse-link-.*Max-Age=0$/)]);
  });

  it.each([{ step: "nothing" }, { step: "confirm" }, { step: "factor", key: "x".repeat(30_000) }])("refuse a form that is none: %j", async (body) => {
    view = { user: "bo", purpose: "add", step: "confirm" };
    expect((await post(body as Record<string, string>)).status).toBe(400);
    expect(calls).toEqual([]);
  });
});
