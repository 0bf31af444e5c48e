import { describe, expect, it } from "vitest";
import { nonceOf } from "./authorize.ts";
import { attempt, logIn, loginRequest, refusalOf, withIssuer } from "./testing/index.ts";

describe("a login through OpenID Connect", () => {
  it("vouches for issuer and subject, with roles, traits and what was received", async () => {
    await withIssuer({}, async (issuer, provider) => {
      const vouched = await logIn(provider, issuer);
      expect(vouched).toMatchObject({
        name: "ana@example.com",
        id: JSON.stringify([issuer.url, "ana-1"]),
        mapping: {
          roles: ["access"],
          rules: [{ rule: "groups = dev", matched: true, gives: ["role access"] }],
          problem: undefined,
        },
      });
      expect(vouched.mapping.traits).toEqual({ iss: [issuer.url], aud: ["gatehouse"], sub: ["ana-1"], email: ["ana@example.com"], groups: ["dev", "ops"] });
      expect(vouched.received).toMatchObject({ groups: ["dev", "ops"], email_verified: true });
    });
  });

  it("asks for a code with PKCE, state and nonce", async () => {
    await withIssuer({ spec: { scope: ["groups", "email"], acr_values: "phr" } }, async (issuer, provider) => {
      const request = loginRequest();
      const url = new URL(await provider.authorizeUrl(request));
      expect(url.origin + url.pathname).toBe(`${issuer.url}/authorize`);
      expect(Object.fromEntries(url.searchParams)).toMatchObject({
        response_type: "code",
        client_id: "gatehouse",
        scope: "openid email groups",
        state: request.state,
        nonce: nonceOf(request.state),
        code_challenge_method: "S256",
        prompt: "select_account",
        acr_values: "phr",
        redirect_uri: request.callbackUrl,
      });
      expect(url.href).not.toContain(request.codeVerifier);
    });
  });

  it("says who the gateway is by header, or in the form where the provider takes nothing else", async () => {
    await withIssuer({}, async (issuer, provider) => {
      await logIn(provider, issuer);
      expect(issuer.forms[0]?.authorization).toMatch(/^Basic /);
      expect(issuer.forms[0]?.fields.has("client_secret")).toBe(false);
    });
    await withIssuer({ script: { document: (document) => ({ ...document, token_endpoint_auth_methods_supported: ["client_secret_post"] }) } }, async (issuer, provider) => {
      await logIn(provider, issuer);
      expect(issuer.forms[0]?.authorization).toBeUndefined();
      expect(issuer.forms[0]?.fields.get("client_secret")).toBe("hush: hush & hush");
    });
    const other = attempt({ document: (document) => ({ ...document, token_endpoint_auth_methods_supported: ["private_key_jwt"] }) });
    expect((await refusalOf(other)).message).toContain("takes no client secret");
  });

  it("asks for the discovery document and the keys once, and for userinfo each time", async () => {
    await withIssuer({}, async (issuer, provider) => {
      for (let count = 0; count < 3; count += 1) await logIn(provider, issuer);
      expect(issuer.arrived).toMatchObject({ discovery: 1, keys: 1, token: 3, userinfo: 3 });
    });
  });

  it("treats AD FS as it wants to be treated", async () => {
    await withIssuer({ spec: { provider: "adfs", username_claim: "upn" }, person: { sub: "x", upn: "ana@corp.example", groups: ["dev"] } }, async (issuer, provider) => {
      const { searchParams } = new URL(await provider.authorizeUrl(loginRequest()));
      expect(searchParams.get("scope")).toBe("openid email allatclaims");
      expect(searchParams.has("prompt")).toBe(false);
      expect((await logIn(provider, issuer)).name).toBe("ana@corp.example");
      expect(issuer.arrived.userinfo).toBe(0);
    });
  });

  it("takes the claim that the connector names for the user's name, nested ones too", async () => {
    const vouched = await attempt({}, { spec: { username_claim: "profile.login" }, person: { sub: "x", profile: { login: "ana" }, groups: ["dev"] } });
    expect(vouched.name).toBe("ana");
  });

  it("demands the acr that it asked for", async () => {
    const spec = { acr_values: "phr phrh" };
    expect((await attempt({ claims: (claims) => ({ ...claims, acr: "phrh" }) }, { spec })).mapping.roles).toEqual(["access"]);
    const netiq = { acr_values: "strong", provider: "netiq" };
    expect((await attempt({ claims: (claims) => ({ ...claims, acr: { values: ["weak", "strong"] } }) }, { spec: netiq })).mapping.roles).toEqual(["access"]);
    const flat = attempt({ claims: (claims) => ({ ...claims, acr: "strong" }) }, { spec: netiq });
    expect((await refusalOf(flat)).message).toContain('demands a login with acr strong');
  });
});
