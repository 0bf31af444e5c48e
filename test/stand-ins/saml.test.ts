import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "@gatehouse/core/base";
import { openProvider, samlServiceMetadata, type Provider } from "@gatehouse/core/connectors";
import { buildCertificate } from "@gatehouse/core/formats";
import type { SamlConnector } from "@gatehouse/core/resources";
import { startSamlIdp, type SamlAnswers, type SamlIdp } from "./saml-idp.ts";

const acs = "https://127.0.0.1:3080/webapi/saml/acs";
const state = "s".repeat(43);
const request = { state, codeVerifier: "", callbackUrl: acs };

function pair(): { cert: string; private_key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const content = { serial: 1n, subject: { CN: ["gateway"] }, notBefore: 0, notAfter: Date.now() + 86_400_000, publicKey, keyUsage: ["digitalSignature"] as const };
  return { cert: buildCertificate(content, { privateKey }), private_key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

describe("SAML with a provider that is not ours", () => {
  let idp: SamlIdp;
  let provider: Provider;

  beforeAll(async () => {
    idp = await startSamlIdp({
      users: [
        { nameId: "mona@example.com", attributes: { groups: ["developers", "a & <b>"], "http://schemas.xmlsoap.org/claims/Group": ["sre"] } },
        { nameId: "passing", format: "urn:oasis:names:tc:SAML:2.0:nameid-format:transient", attributes: {} },
      ],
    });
    const connector: SamlConnector = {
      kind: "saml",
      version: "v2",
      metadata: { name: "okta", labels: {} },
      spec: {
        acs,
        display: "Okta",
        entity_descriptor_url: idp.metadataUrl,
        audience: acs,
        service_provider_issuer: acs,
        attributes_to_roles: [{ name: "http://schemas.xmlsoap.org/claims/Group", value: "s*", roles: ["access"] }],
        signing_key_pair: pair(),
        assertion_key_pair: pair(),
      },
    };
    idp.trust(await samlServiceMetadata(connector));
    provider = await openProvider(connector, { clock: systemClock });
  });
  afterAll(async () => {
    await provider.close();
    await idp.close();
  });

  async function logIn(nameId: string, answers: SamlAnswers = {}): Promise<Awaited<ReturnType<Provider["authenticate"]>>> {
    idp.setAnswers(answers);
    const page = await (await fetch(await provider.authorizeUrl(request), { headers: { "x-stand-in-user": nameId } })).text();
    const field = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? page;
    expect(field("RelayState")).toBe(state);
    return provider.authenticate({ ...request, parameters: { SAMLResponse: field("SAMLResponse"), RelayState: state } });
  }

  it.each<SamlAnswers>([
    {},
    { sign: "response" },
    { sign: "both" },
    { encrypt: "aes-128-gcm" },
    { encrypt: "aes-256-cbc" },
    { encrypt: "aes-128-cbc" },
    { sign: "response", encrypt: "aes-128-gcm" },
    { sign: "both", encrypt: "aes-256-cbc" },
  ])("a person logs in where it answers with %j", async (answers) => {
    expect(await logIn("mona@example.com", answers)).toMatchObject({
      name: "mona@example.com",
      id: JSON.stringify([idp.entityId, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", "mona@example.com"]),
      mapping: { roles: ["access"], traits: { groups: ["developers", "a & <b>"], "http://schemas.xmlsoap.org/claims/Group": ["sre"] } },
    });
  });

  it("a person without a lasting name, and one who cancels, are refused in words", async () => {
    await expect(logIn("passing")).rejects.toThrow("NameID is transient");
    await expect(logIn("")).rejects.toThrow("the SAML provider refuses the login: Responder, AuthnFailed: the person cancelled");
  });

  it("it refuses a request that the gateway did not sign", async () => {
    const url = new URL(await provider.authorizeUrl(request));
    url.searchParams.set("RelayState", "t".repeat(43));
    expect((await fetch(url, { headers: { "x-stand-in-user": "mona@example.com" } })).status).toBe(400);
  });
});
