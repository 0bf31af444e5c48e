import { afterEach, describe, expect, it } from "vitest";
import fc from "fast-check";
import { GatehouseError, manualClock, nullLogger, type Logger } from "../../base/index.ts";
import { pingResponse } from "../../api/index.ts";
import type { AuthService } from "../../auth/index.ts";
import { html } from "./html.ts";
import { createWebApp, type LoginSettings, type WebOptions } from "./index.ts";
import { serveForTest, testGateway, type Answer, type Call } from "./test-web.ts";

const token = "0123456789abcdef0123456789abcdef";

/** An auth service that does nothing but what the test gives it. */
function authOf(parts: { logins?: Partial<AuthService["logins"]>; admin?: Partial<AuthService["admin"]>; links?: Partial<AuthService["links"]>; headless?: Partial<AuthService["headless"]> }): AuthService {
  const missing = (): never => {
    throw new Error("not part of this test");
  };
  const consoleLogins = { startConsole: missing, openConsole: missing, chooseConnector: missing, consoleKey: missing, finishConsole: missing, cancelConsole: missing };
  const logins = { renew: missing, local: missing, join: missing, ...consoleLogins, startSso: missing, openSso: missing, finishSso: missing, samlMetadata: missing, logout: missing, ...parts.logins };
  const admin = {
    get: missing,
    put: missing,
    remove: missing,
    testConnector: missing,
    inviteUser: missing,
    resetUser: missing,
    signUser: missing,
    signHost: missing,
    requireRule: missing,
    requireEver: missing,
    explainRule: missing,
    explainEvent: missing,
    explainSession: missing,
    authorizeSession: missing,
    ...parts.admin,
  };
  const links = { read: missing, setPassword: missing, confirm: missing, keyOptions: missing, finish: missing, ...parts.links };
  const gatekeeper = { identify: missing, kube: missing, node: missing, sessionLock: missing, generation: 0, onChange: () => () => undefined };
  const headless = { ask: missing, poll: missing, find: missing, startSso: missing, proveLocally: missing, view: missing, decide: missing, ...parts.headless };
  const nodes = { list: () => [], get: missing, resolve: missing, onChange: () => () => undefined };
  const hosts = { challenge: missing, join: missing, renew: missing };
  const revocations = { list: missing, isHostRevoked: () => false };
  return { clusterName: "example", gatekeeper, nodes, hosts, revocations, logins, headless, admin, links, mfa: { own: missing, link: missing, of: missing, remove: missing }, close: async () => undefined };
}

const github: LoginSettings = {
  type: "github",
  secondFactor: "off",
  connectorName: undefined,
  connectors: [{ kind: "github", name: "github", display: "GitHub" }],
};

let served: { close(): void } | undefined;
afterEach(() => served?.close());

async function web(auth: AuthService, more: Partial<WebOptions> = {}): Promise<Call> {
  const app = await createWebApp({
    ...testGateway,
    auth,
    loginSettings: async () => github,
    facts: () => ({
      kube: { enabled: true, publicAddr: "gw.example.com:3026" },
      ssh: { listenAddr: "0.0.0.0:3023", publicAddr: "gw.example.com:3080", sshPublicAddr: undefined },
    }),
    localLogins: true,
    ...more,
  });
  const { call, close } = await serveForTest(app.handler);
  served = { close };
  return call;
}

const json = { "content-type": "application/json" };
const key = Buffer.from("ecdsa-sha2-nistp256 AAAA").toString("base64");

describe("ping", () => {
  it("answers with and without /v1, in v3's shape and with its headers", async () => {
    const call = await web(authOf({}));
    for (const path of ["/webapi/ping", "/v1/webapi/ping"]) {
      const answer = await call("GET", path);
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toMatch(/^application\/json/);
      expect(answer.headers["cache-control"]).toBe("no-cache, no-store, must-revalidate");
      expect(answer.headers.pragma).toBe("no-cache");
      expect(answer.headers.expires).toBe("0");
      expect(pingResponse.parse(JSON.parse(answer.body))).toEqual({
        auth: { type: "github", github: { name: "github", display: "GitHub" } },
        proxy: { kube: { enabled: true, public_addr: "gw.example.com:3026" }, ssh: { listen_addr: "0.0.0.0:3023", public_addr: "gw.example.com:3080" } },
        server_version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
        min_client_version: "3.0.0",
      });
    }
  });

  it("knows a connector by name, local users, and no other", async () => {
    const call = await web(authOf({}));
    expect(JSON.parse((await call("GET", "/v1/webapi/ping/github")).body)).toMatchObject({ auth: { type: "github" }, min_client_version: "" });
    expect(JSON.parse((await call("GET", "/v1/webapi/ping/local")).body)).toMatchObject({ auth: { type: "local", second_factor: "off" } });
    const unknown = await call("GET", "/v1/webapi/ping/nope");
    expect(unknown.status).toBe(400);
    expect(JSON.parse(unknown.body)).toMatchObject({ message: "invalid connector name", error: { message: "invalid connector name" }, code: "not_found" });
  });

  it("says which connector is missing", async () => {
    const call = await web(authOf({}), { loginSettings: async () => ({ ...github, connectors: [] }) });
    const answer = await call("GET", "/v1/webapi/ping");
    expect([answer.status, (JSON.parse(answer.body) as { message: string }).message]).toEqual([400, "no github connectors found"]);
  });
});

describe("errors", () => {
  it("are JSON for programs and pages for browsers, and wrong verbs are 404", async () => {
    const call = await web(authOf({}));
    for (const [method, path] of [["GET", "/webapi/nope"], ["GET", "/webapi/ssh/certs"], ["DELETE", "/v1/webapi/ping"], ["GET", "/v1/v1/webapi/ping"]] as const) {
      const answer = await call(method, path);
      expect([path, answer.status]).toEqual([path, 404]);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "not_found", error: { message: expect.any(String) as string } });
    }
    const page = await call("GET", "/web/nope");
    expect(page.status).toBe(404);
    expect(page.headers["content-type"]).toMatch(/^text\/html/);
  });

  it("refuse bodies that are too large, not JSON, of another type, or of another shape", async () => {
    const call = await web(authOf({}));
    const large = await call("POST", "/webapi/ssh/certs", JSON.stringify({ user: "x".repeat(70_000) }), json);
    expect([large.status, (JSON.parse(large.body) as { code: string }).code]).toEqual([413, "bad_parameter"]);
    for (const [body, headers] of [["{", json], ["", json], ["{}", { "content-type": "text/plain" }], ["[]", json], ['{"user":1}', json], ['{"__proto__":{"user":"a"}}', json]] as const) {
      const answer = await call("POST", "/webapi/ssh/certs", body, headers);
      expect([body, answer.status]).toEqual([body, 400]);
      expect((JSON.parse(answer.body) as { message: string }).message).toMatch(/^request: /);
    }
  });

  it("of our own tell the caller an id and the log the cause", async () => {
    const lines: { fields: unknown; message: string }[] = [];
    const logger: Logger = { ...nullLogger, error: (fields, message) => lines.push({ fields, message }) };
    const call = await web(authOf({ logins: { local: () => Promise.reject(new Error("the secret is hunter2")) } }), { logger });
    const answer = await call("POST", "/webapi/ssh/certs", JSON.stringify({ user: "ana", password: "x", pub_key: key, ttl: 1 }), json);
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain("hunter2");
    const { id } = JSON.parse(answer.body) as { id: string };
    expect(id).toMatch(/^[0-9a-f]{8}$/);
    expect(lines).toHaveLength(1);
    expect(lines[0]!.fields).toMatchObject({ id });
  });
});

describe("local login", () => {
  it("passes what was asked for, durations in ms, the deprecated token first", async () => {
    const asked: unknown[] = [];
    const answerOf = { username: "ana", cert: "", tls_cert: "", host_signers: [] };
    const call = await web(
      authOf({
        logins: {
          local: async (request) => {
            asked.push(request);
            return answerOf;
          },
        },
      }),
    );
    const body = { user: "ana", password: "pw", hotp_token: "111", otp_token: "222", pub_key: key, ttl: 43_200_000_000_000, compatibility: "" };
    const answer = await call("POST", "/v1/webapi/ssh/certs", JSON.stringify(body), json);
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, answerOf]);
    expect(asked).toMatchObject([{ user: "ana", password: "pw", otpToken: "111", publicKey: "ecdsa-sha2-nistp256 AAAA", ttl: 43_200_000 }]);
    expect((asked[0] as { origin: { remoteAddress: string } }).origin.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it("is refused where the cluster has none", async () => {
    const call = await web(authOf({}), { localLogins: false });
    const answer = await call("POST", "/webapi/ssh/certs", JSON.stringify({ user: "ana", password: "x", pub_key: key, ttl: 1 }), json);
    expect([answer.status, (JSON.parse(answer.body) as { message: string }).message]).toEqual([403, "this cluster has no local logins"]);
  });

  it("is refused to who comes too often, with v3's words and header, and let in again later", async () => {
    const clock = manualClock(0);
    const call = await web(authOf({ logins: { local: () => Promise.reject(new GatehouseError("access_denied", "invalid username or password")) } }), {
      clock,
      limits: { logins: { burst: 9, perSecond: 1, keys: 10 }, passwords: { burst: 2, perSecond: 0.1, keys: 10 } },
    });
    const attempt = (): Promise<Answer> => call("POST", "/webapi/ssh/certs", JSON.stringify({ user: "ana", password: "x", pub_key: key, ttl: 1 }), json);
    expect([(await attempt()).status, (await attempt()).status]).toEqual([403, 403]);
    const third = await attempt();
    expect(third.status).toBe(429);
    expect(third.headers["x-retry-in"]).toBe("10s");
    expect((JSON.parse(third.body) as { message: string }).message).toBe("max rate reached: retry-in 10s");
    clock.advance(10_000);
    expect((await attempt()).status).toBe(403);
  });
});

describe("GitHub login", () => {
  it.each(["redirect_url", "public_key", "connector_id"])("says that %s is missing in v3's words", async (field) => {
    const call = await web(authOf({}));
    const body = { redirect_url: "http://127.0.0.1:1/callback?secret=x", public_key: key, connector_id: "github", cert_ttl: 0, [field]: undefined };
    const answer = await call("POST", "/v1/webapi/github/login/console", JSON.stringify(body), json);
    expect([answer.status, (JSON.parse(answer.body) as { message: string }).message]).toEqual([400, `missing ${field}`]);
  });

  it("of every kind is started alike, by the host that the caller came by", async () => {
    const asked: unknown[] = [];
    const call = await web(authOf({ logins: { startSso: async (request) => ({ redirectUrl: `https://gw.example.com/${String(asked.push(request))}` }) } }));
    const body = JSON.stringify({ redirect_url: "http://127.0.0.1:1/callback?secret=x", public_key: key, connector_id: "sso", cert_ttl: 60_000_000_000 });
    for (const kind of ["github", "oidc", "saml"]) expect((await call("POST", `/v1/webapi/${kind}/login/console`, body, { ...json, host: "other.example.com:3080" })).status).toBe(200);
    expect(asked).toMatchObject(["github", "oidc", "saml"].map((kind) => ({ kind, connectorId: "sso", ttl: 60_000, host: "other.example.com:3080" })));
  });

  it("of SAML comes back as a form from the provider's page, with the cookie that goes with it", async () => {
    const seen: unknown[] = [];
    const logins = {
      openSso: async () => ({ cookie: { name: "__Host-gatehouse-login-ab", value: "v", crossSite: true }, location: "https://idp.example.com/sso" }),
      finishSso: async (request: unknown) => {
        seen.push(request);
        return { location: "http://127.0.0.1:5/callback?response=x&secret=", clearCookie: "__Host-gatehouse-login-ab" };
      },
    };
    const call = await web(authOf({ logins }));
    expect((await call("GET", "/v1/webapi/saml/login/open?id=abc")).headers["set-cookie"]).toEqual(["__Host-gatehouse-login-ab=v; Path=/; Secure; HttpOnly; SameSite=None; Max-Age=180"]);
    const form = { "content-type": "application/x-www-form-urlencoded", origin: "https://idp.example.com", "sec-fetch-site": "cross-site" };
    const answer = await call("POST", "/v1/webapi/saml/acs", "SAMLResponse=eA%3D%3D&RelayState=s", form);
    expect([answer.status, seen]).toMatchObject([303, [{ kind: "saml", parameters: { SAMLResponse: "eA==", RelayState: "s" } }]]);
    expect((await call("POST", "/v1/webapi/saml/acs", "RelayState=a&RelayState=b", form)).status).toBe(400);
  });

  it("binds to the browser by a cookie that only this host gets, and goes on", async () => {
    const call = await web(authOf({ logins: { openSso: async () => ({ cookie: { name: "__Host-gatehouse-login-ab", value: "v", crossSite: false }, location: "https://github.com/login?x=1&y=2" }) } }));
    const answer = await call("GET", "/v1/webapi/github/login/open?id=abc");
    expect([answer.status, answer.headers.location]).toEqual([302, "https://github.com/login?x=1&y=2"]);
    expect(answer.headers["set-cookie"]).toEqual(["__Host-gatehouse-login-ab=v; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=180"]);
    expect((await call("GET", "/v1/webapi/github/login/open")).status).toBe(400);
  });

  it("comes back with its cookies, and only to a loopback address", async () => {
    const seen: unknown[] = [];
    let location = "http://127.0.0.1:5/callback?response=x&secret=";
    const call = await web(
      authOf({
        logins: {
          finishSso: async (request) => {
            seen.push(request);
            return { location, clearCookie: "__Host-gatehouse-login-ab" };
          },
        },
      }),
    );
    const answer = await call("GET", "/v1/webapi/github/callback?code=c&state=s", undefined, { cookie: "a=1; __Host-gatehouse-login-ab=v=w; a=2" });
    expect([answer.status, answer.headers.location]).toEqual([302, location]);
    expect(answer.headers["set-cookie"]).toEqual(["__Host-gatehouse-login-ab=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"]);
    expect(seen).toMatchObject([{ kind: "github", parameters: { code: "c", state: "s" }, cookies: { a: "1", "__Host-gatehouse-login-ab": "v=w" } }]);
    expect((await call("GET", "/webapi/github/callback?state=a&state=b")).status).toBe(400);
    location = "http://evil.example/callback?response=x";
    expect((await call("GET", "/webapi/github/callback?state=a")).status).toBe(500);
  });

  it("shows a failure that only the browser can be told, escaped, with its id", async () => {
    const call = await web(
      authOf({ logins: { finishSso: () => Promise.reject(new GatehouseError("access_denied", '<script>alert("x")</script>', { id: "6f0e2a1c", hint: "start again" })) } }),
    );
    const answer = await call("GET", "/v1/webapi/github/callback?state=s");
    expect(answer.status).toBe(403);
    expect(answer.headers["content-type"]).toMatch(/^text\/html/);
    expect(answer.headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-/);
    expect(answer.body).toContain("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;");
    expect(answer.body).not.toContain("<script");
    expect(answer.body).toContain("6f0e2a1c");
  });
});

describe("invites", () => {
  const form = { "content-type": "application/x-www-form-urlencoded", host: "gw.example.com:3080" };
  function invited(): { auth: AuthService; accepted: string[] } {
    const accepted: string[] = [];
    const auth = authOf({
      links: {
        read: async (given) => {
          if (given !== token || accepted.length > 0) throw new GatehouseError("not_found", "this invite is not known, was used, or has ended");
          return { user: "ana <b>", purpose: "invite", step: "password" };
        },
        setPassword: async (_token, password) => {
          if (password.length < 8) throw new GatehouseError("bad_parameter", "a password has at least 8 characters");
          accepted.push(password);
          return { done: { user: "ana <b>", purpose: "invite" } };
        },
      },
    });
    return { auth, accepted };
  }

  it("ask for a password and set it once", async () => {
    const { auth, accepted } = invited();
    const call = await web(auth);
    const page = await call("GET", `/web/newuser/${token}`);
    expect(page.status).toBe(200);
    expect(page.body).toContain("ana &lt;b&gt;");
    expect(page.body).toContain("At least 8 characters");
    const short = await call("POST", `/web/newuser/${token}`, "password=short&repeat=short", form);
    expect([short.status, short.body.includes("a password has at least 8 characters")]).toEqual([400, true]);
    const differ = await call("POST", `/web/newuser/${token}`, "password=correct+horse&repeat=correct+cow", form);
    expect([differ.status, accepted.length]).toEqual([400, 0]);
    const done = await call("POST", `/web/newuser/${token}`, "password=correct+horse&repeat=correct+horse", { ...form, origin: "https://gw.example.com:3080", "sec-fetch-site": "same-origin" });
    expect([done.status, accepted]).toEqual([200, ["correct horse"]]);
    expect(done.body).not.toContain("correct horse");
    expect((await call("GET", `/web/newuser/${token}`)).status).toBe(404);
  });

  it.each([{ origin: "https://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }])("are not taken from another site: %j", async (headers) => {
    const { auth, accepted } = invited();
    const call = await web(auth);
    const answer = await call("POST", `/web/newuser/${token}`, "password=correct+horse&repeat=correct+horse", { ...form, ...headers });
    expect([answer.status, accepted.length]).toEqual([403, 0]);
  });

  it("keep the address of the page from other sites, and the page from being framed or scripted", async () => {
    const call = await web(invited().auth);
    const { headers } = await call("GET", `/web/newuser/${token}`);
    expect(headers["referrer-policy"]).toBe("same-origin");
    expect(headers["x-frame-options"]).toBe("DENY");
    expect(headers["content-security-policy"]).toContain("form-action 'self'");
    expect(headers["content-security-policy"]).not.toContain("script-src");
  });
});

describe("pages", () => {
  it("say what this is and how to log in", async () => {
    const call = await web(authOf({}));
    expect((await call("GET", "/")).body).toContain("tsh login --proxy=gw.example.com:3080");
    expect((await call("GET", "/web/msg/info/login_success")).body).toContain("You are logged in");
    expect((await call("GET", "/web/msg/info/test_done")).body).toContain("Nobody was logged in");
    expect((await call("GET", "/web/msg/error/login_failed?details=send+money")).body).not.toContain("send money");
  });

  it("let no outside text out of its place", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const { html: markup } = html`<p title="${text}">${text}</p>`;
        return !/[<>"']/.test(markup.replace('<p title="', "").replace('">', "").replace("</p>", ""));
      }),
    );
  });
});
