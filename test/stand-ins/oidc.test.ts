import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "@gatehouse/core/base";
import { openProvider, type Provider } from "@gatehouse/core/connectors";
import type { OidcConnector } from "@gatehouse/core/resources";
import { startOidc, type Oidc } from "./oidc.ts";

const callbackUrl = "https://127.0.0.1:3080/v1/webapi/oidc/callback";
let oidc: Oidc;
let provider: Provider;

const connector = (): OidcConnector => ({
  kind: "oidc",
  version: "v3",
  metadata: { name: "okta" },
  spec: {
    issuer_url: oidc.url,
    client_id: oidc.clientId,
    client_secret: oidc.clientSecret,
    redirect_url: [callbackUrl],
    display: "Okta",
    prompt: "select_account",
    scope: ["groups"],
    claims_to_roles: [{ claim: "groups", value: "team-*", roles: ["$1"] }],
  },
});

beforeEach(async () => {
  oidc = await startOidc({ users: [{ sub: "ana", claims: { email: "ana@example.com", email_verified: true, groups: ["team-sre", "team-web"] } }], redirectUris: [callbackUrl] });
  oidc.setUser("ana");
  provider = await openProvider(connector(), { clock: systemClock });
});
afterEach(async () => {
  await provider.close();
  await oidc.close();
});

/** Goes where the provider's pages lead, until they lead back to the gateway. */
async function browse(url: string): Promise<Record<string, string>> {
  const cookies = new Map<string, string>();
  for (let at = new URL(url), steps = 0; steps < 10; steps += 1) {
    const response = await fetch(at, { redirect: "manual", headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") } });
    for (const header of response.headers.getSetCookie()) {
      const [name = "", value = ""] = (header.split(";")[0] ?? "").split(/=(.*)/s);
      cookies.set(name, value);
    }
    at = new URL(response.headers.get("location") ?? "/nowhere", at);
    if (at.href.startsWith(callbackUrl)) return Object.fromEntries(at.searchParams);
  }
  throw new Error("it does not lead back");
}

const request = () => ({ state: randomBytes(32).toString("base64url"), codeVerifier: randomBytes(32).toString("base64url"), callbackUrl });

it("a certified provider vouches for a person, whose claims come by userinfo", async () => {
  const login = request();
  const parameters = await browse(await provider.authorizeUrl(login));
  expect(parameters["iss"]).toBe(oidc.url);
  const vouched = await provider.authenticate({ ...login, parameters });
  expect(vouched).toMatchObject({ name: "ana@example.com", id: JSON.stringify([oidc.url, "ana"]), mapping: { roles: ["sre", "web"], problem: undefined } });
  expect(vouched.mapping.traits["groups"]).toEqual(["team-sre", "team-web"]);
  await expect(provider.authenticate({ ...login, parameters })).rejects.toMatchObject({ code: "access_denied" });
});

it("a certified provider refuses a code with another login's verifier", async () => {
  const login = request();
  const parameters = await browse(await provider.authorizeUrl(login));
  await expect(provider.authenticate({ ...login, codeVerifier: request().codeVerifier, parameters })).rejects.toMatchObject({ code: "access_denied", message: expect.stringContaining("invalid_grant") as string });
});
