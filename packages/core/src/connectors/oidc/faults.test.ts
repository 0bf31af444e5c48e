import { describe, expect, it } from "vitest";
import { manualClock, systemClock } from "../../base/index.ts";
import { createOidcProvider } from "./provider.ts";
import { attempt, logIn, loginRequest, refusal, refusalOf, refused, startIssuer, withIssuer, type Fault, type Route } from "./testing/index.ts";

/** Short for what hangs alone: a busy machine takes its time over everything else. */
const short = { request: 300, login: 20_000 };

describe("a provider that does not answer as it should", () => {
  it.each<[Route, Fault, string]>([
    ["discovery", "500", "answered 500 to the request for its discovery document"],
    ["discovery", "404", "answered 404 to the request for its discovery document"],
    ["discovery", "garbage", "something that is not JSON"],
    ["discovery", "redirect", "with a redirect (302), which is not followed"],
    ["discovery", "huge", "is larger than 262144 bytes"],
    ["discovery", "hang", "did not answer the request for its discovery document within 0.3 s"],
    ["discovery", "cut", "cannot be reached for the request for its discovery document"],
    ["keys", "500", "answered 500 to the request for its keys"],
    ["keys", "hang", "did not answer the request for its keys within 0.3 s"],
    ["token", "500", "answered 500 to the token request"],
    ["token", "404", "the provider of connector"],
    ["token", "garbage", "answered in a way that cannot be used"],
    ["token", "redirect", "answered the token request with a redirect (302)"],
    ["token", "huge", "is larger than 262144 bytes"],
    ["token", "hang", "did not answer the token request within 0.3 s"],
    ["token", "cut", "cannot be reached for the token request"],
    ["userinfo", "500", "answered 500 to the userinfo request"],
    ["userinfo", "404", "answered 404 to the userinfo request"],
    ["userinfo", "garbage", "answered the userinfo request with something that is not JSON"],
    ["userinfo", "hang", "did not answer the userinfo request within 0.3 s"],
  ])("%s: %s", async (route, fault, message) => {
    const error = await refusal({ faults: { [route]: fault } }, fault === "hang" ? { timeouts: short } : {});
    expect(error.message).toContain(message);
    expect(["internal", "limit_exceeded"]).toContain(error.code);
    expect(error.message).not.toContain("hush");
  });

  it("is away: the first login says so at once, and the next one finds it back", async () => {
    const issuer = await startIssuer();
    const connector = issuer.connector({ issuer_url: "http://127.0.0.1:1" });
    const provider = createOidcProvider(connector, { clock: systemClock });
    const error = await refusalOf(provider.authorizeUrl(loginRequest()));
    expect(error.message).toContain("cannot be reached for the request for its discovery document (127.0.0.1:1): ECONNREFUSED");
    expect(error.hint).toContain("issuer_url");
    await provider.close();
    await issuer.close();
    await withIssuer({ script: { faults: { discovery: "500" } } }, async (healing, patient) => {
      await refusalOf(patient.authorizeUrl(loginRequest()));
      healing.script = {};
      expect((await logIn(patient, healing)).name).toBe("ana@example.com");
    });
  });

  it("takes too long over all of a login", async () => {
    const error = await refusal({ faults: { userinfo: "hang" } }, { timeouts: { request: 60_000, login: 300 } });
    expect(error.message).toContain("took longer than 0.3 s over this login");
  });
});

describe("a refusal by the provider", () => {
  const answer = (error: string, description?: string) => ({
    redirect: ({ state, iss }: Readonly<Record<string, string>>) => ({ state: state ?? "", iss: iss ?? "", error, ...(description === undefined ? {} : { error_description: description }) }),
  });

  it.each([
    ["access_denied", "access_denied"],
    ["login_required", "access_denied"],
    ["server_error", "internal"],
    ["temporarily_unavailable", "internal"],
    ["invalid_scope", "internal"],
    ["something_new", "internal"],
  ])("%s in the callback is %s", async (error, code) => {
    expect(await refused(answer(error, "Because of \u001b[31mthat"))).toBe(`${code}: the provider of connector "corp" refused the login: Because of \\x1b[31mthat (${error})`);
  });

  it("without a description, or with a very long one, is one line", async () => {
    expect(await refused(answer("access_denied"))).toBe('access_denied: the provider of connector "corp" refused the login: access_denied');
    expect((await refused(answer("access_denied", "a\n".repeat(2000)))).length).toBeLessThan(400);
  });

  it("in another login's name is no refusal of this one", async () => {
    expect(await refused({ redirect: ({ iss }) => ({ error: "access_denied", state: "of-another-login", iss: String(iss) }) })).toContain("is not to this login (state)");
  });

  it("of the client's secret tells the administrator, and never says the secret", async () => {
    await withIssuer({ spec: { client_secret: "wrong-wrong" } }, async (issuer, provider) => {
      const said = await refusalOf(logIn(provider, issuer));
      expect(said).toMatchObject({ code: "internal", hint: expect.stringContaining("client_id and client_secret") as string });
      expect(`${said.message} ${said.hint ?? ""}`).not.toContain("wrong-wrong");
    });
    await withIssuer({}, async (issuer, provider) => {
      const bare = createOidcProvider({ ...issuer.connector(), spec: { ...issuer.connector().spec, client_secret: undefined } }, { clock: systemClock });
      expect((await refusalOf(bare.authorizeUrl(loginRequest()))).message).toContain("has no client secret");
      await bare.close();
      await provider.close();
    });
  });
});

describe("a provider that changes", () => {
  it("may rotate its key in the middle of a login, though keys are known", async () => {
    await withIssuer({}, async (issuer, provider) => {
      await logIn(provider, issuer);
      const request = loginRequest();
      const parameters = issuer.authorize(await provider.authorizeUrl(request));
      issuer.rotate();
      expect((await provider.authenticate({ ...request, parameters })).name).toBe("ana@example.com");
      expect(issuer.arrived.keys).toBe(2);
    });
  });

  it("may rotate a key that has no name", async () => {
    await withIssuer({ script: { header: () => ({ alg: "ES256" }), keys: (keys) => keys.map((key) => ({ ...key, kid: undefined })) } }, async (issuer, provider) => {
      await logIn(provider, issuer);
      issuer.rotate();
      expect((await logIn(provider, issuer)).name).toBe("ana@example.com");
    });
  });

  it("cannot make the gateway read keys without end by signing with unknown ones", async () => {
    await withIssuer({ script: { header: (header) => ({ ...header, kid: "unknown" }) }, clock: manualClock(Date.now()) }, async (issuer, provider) => {
      for (let count = 0; count < 20; count += 1) expect((await refusalOf(logIn(provider, issuer))).message).toContain("a key that it does not publish");
      expect(issuer.arrived.keys).toBeLessThanOrEqual(7);
    });
  });

  it("is read anew after ten minutes, and sooner where a login failed", async () => {
    const clock = manualClock(Date.now());
    await withIssuer({ clock }, async (issuer, provider) => {
      await logIn(provider, issuer);
      clock.advance(9 * 60_000);
      await logIn(provider, issuer);
      expect(issuer.arrived).toMatchObject({ discovery: 1, keys: 1 });
      clock.advance(61_000);
      await logIn(provider, issuer);
      expect(issuer.arrived).toMatchObject({ discovery: 2, keys: 2 });
      // The token endpoint moves: the login that was under way fails, the next one finds it.
      issuer.script = { faults: { token: "404" } };
      clock.advance(6_000);
      await refusalOf(logIn(provider, issuer));
      issuer.script = {};
      await logIn(provider, issuer);
      expect(issuer.arrived.discovery).toBe(3);
    });
  });

  it("is not used once it calls itself otherwise", async () => {
    const clock = manualClock(Date.now());
    await withIssuer({ clock }, async (issuer, provider) => {
      await logIn(provider, issuer);
      clock.advance(11 * 60_000);
      issuer.script = { document: (document) => ({ ...document, issuer: "https://evil.example" }) };
      const error = await refusalOf(logIn(provider, issuer));
      expect(error.message).toContain("calls itself https://evil.example, not http://127.0.0.1:");
      expect(error.hint).toContain("issuer_url");
    });
  });

  it("may have a clock that is a minute off, in either direction", async () => {
    for (const off of [-55, 55]) {
      const now = Math.floor(Date.now() / 1000) + off;
      expect((await attempt({ claims: (claims) => ({ ...claims, iat: now, nbf: now, exp: Math.floor(Date.now() / 1000) + 300 }) })).name).toBe("ana@example.com");
    }
  });

  it("is believed by the gateway's clock, not the machine's", async () => {
    const clock = manualClock(Date.now() + 40 * 24 * 3_600_000);
    expect((await attempt({}, { clock })).name).toBe("ana@example.com");
    expect(await refused({ claims: (claims) => ({ ...claims, exp: Math.floor(Date.now() / 1000) + 300 }) }, { clock })).toContain("has expired");
  });
});
