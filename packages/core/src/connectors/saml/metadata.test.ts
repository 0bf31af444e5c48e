import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { describedProvider } from "./identity-provider.ts";
import { parseMetadata } from "./metadata.ts";
import { createSamlProvider } from "./provider.ts";
import { acs, issuer, metadataXml, responseXml, signedAssertion, sound, start, state, testConnector, testPair } from "./testing/paper.ts";

const first = testPair("provider");
const second = testPair("provider, later");
const minute = 60_000;

describe("metadata", () => {
  it("says who the provider is", () => {
    expect(parseMetadata(metadataXml([first.cert, second.cert], { attributes: ' validUntil="2026-06-02T00:00:00Z" cacheDuration="PT6H"' }), undefined)).toEqual({
      entityId: issuer,
      sso: "https://idp.example.com/sso",
      certificates: [first.cert, second.cert],
      validUntil: Date.UTC(2026, 5, 2),
      cacheDuration: 6 * 3_600_000,
    });
  });

  it("of several entities is read for the one that is named", () => {
    const strip = (text: string): string => text.replace(/^<\?xml[^>]*>/, "");
    const both = `<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">${strip(metadataXml([first.cert]))}${strip(metadataXml([second.cert], { entityId: "urn:other" }))}</md:EntitiesDescriptor>`;
    expect(parseMetadata(both, "urn:other").certificates).toEqual([second.cert]);
    expect(() => parseMetadata(both, undefined)).toThrow("several identity providers");
    expect(() => parseMetadata(both, "urn:third")).toThrow("does not describe urn:third");
  });

  it.each([
    ["no XML", "hello", "text outside its root"],
    ["entities", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${metadataXml([first.cert])}`, "DOCTYPE"],
    ["a service provider's", metadataXml([first.cert]).replaceAll("IDPSSODescriptor", "SPSSODescriptor"), "describes no identity provider"],
    ["without HTTP-Redirect", metadataXml([first.cert]).replace("HTTP-Redirect", "SOAP"), "no SingleSignOnService with the binding HTTP-Redirect"],
    ["without a certificate", metadataXml([]), "no certificate that can be used"],
    ["with a broken certificate", metadataXml(["AAAA"]), "a certificate that is malformed"],
    ["with a short key", metadataXml([testPair("short", "rsa", 1024).cert]), "an RSA key of 1024 bits"],
    ["with a key that is not RSA", metadataXml([testPair("elliptic", "ec").cert]), "a key of type ec"],
    ["with a malformed date", metadataXml([first.cert], { attributes: ' validUntil="tomorrow"' }), "malformed validUntil"],
    ["larger than any", " ".repeat(1024 * 1024) + metadataXml([first.cert]), "more than 1048576 characters"],
  ])("%s is refused", (_, text, problem) => {
    expect(() => parseMetadata(text, undefined)).toThrow(problem);
  });

  it("sends nobody to an address that is not safe", () => {
    for (const sso of ["http://idp.example.com/sso", "javascript:alert(1)", "https://user:password@idp.example.com/"]) {
      expect(() => describedProvider(testConnector(first.cert, { issuer: undefined, sso: undefined, cert: undefined }), parseMetadata(metadataXml([first.cert], { sso }), undefined))).toThrow("must begin with https://");
    }
  });
});

describe("metadata by address", () => {
  let server: Server | undefined;
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
    server = undefined;
  });

  async function serve(answer: () => { readonly status?: number; readonly body: string } | undefined): Promise<{ readonly url: string; readonly asked: () => number }> {
    let asked = 0;
    server = createServer((_, response) => {
      asked++;
      const given = answer();
      if (given) response.writeHead(given.status ?? 200).end(given.body);
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/metadata`, asked: () => asked };
  }

  const byAddress = (url: string): ReturnType<typeof testConnector> => testConnector("", { issuer: undefined, sso: undefined, cert: undefined, entity_descriptor_url: url });
  const answer = (by: typeof first, id: string, now = start): { SAMLResponse: string } => {
    const sheet = { ...sound, assertionId: id, issued: now, notBefore: now, notOnOrAfter: now + minute };
    return { SAMLResponse: Buffer.from(responseXml(sheet, signedAssertion(sheet, by.key))).toString("base64") };
  };
  const request = { state, codeVerifier: "", callbackUrl: acs };

  it("is read once, and again where the provider signs with a new key", async () => {
    let cert = first.cert;
    const { url, asked } = await serve(() => ({ body: metadataXml([cert]) }));
    const clock = manualClock(start);
    const provider = createSamlProvider(byAddress(url), { clock });
    const both = await Promise.all([provider.authorizeUrl(request), provider.authorizeUrl(request)]);
    expect(both[0]).toContain("https://idp.example.com/sso?SAMLRequest=");
    await provider.authenticate({ ...request, parameters: answer(first, "_1") });
    expect(asked()).toBe(1);

    cert = second.cert;
    // At once it is not asked again: anybody could make it ask.
    await expect(provider.authenticate({ ...request, parameters: answer(second, "_2") })).rejects.toThrow("signature does not fit");
    expect(asked()).toBe(1);
    clock.advance(2 * minute);
    await provider.authenticate({ ...request, parameters: answer(second, "_3", clock.now()) });
    expect(asked()).toBe(2);
    await expect(provider.authenticate({ ...request, parameters: answer(first, "_4", clock.now()) })).rejects.toThrow("signature does not fit");
    await provider.close();
  });

  it("stands in for itself while the address is away, and no longer than it is valid", async () => {
    let up = true;
    const validUntil = new Date(start + 10 * minute).toISOString();
    const { url, asked } = await serve(() => (up ? { body: metadataXml([first.cert], { attributes: ` validUntil="${validUntil}" cacheDuration="PT2M"` }) } : { status: 503, body: "" }));
    const clock = manualClock(start);
    const provider = createSamlProvider(byAddress(url), { clock });
    await provider.authorizeUrl(request);
    up = false;
    clock.advance(5 * minute);
    for (let logins = 0; logins < 3; logins++) await provider.authorizeUrl(request);
    expect(asked()).toBe(2);
    clock.advance(5 * minute);
    await expect(provider.authorizeUrl(request)).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("answered 503 to the request for its metadata") as string });
    up = true;
    await expect(provider.authorizeUrl(request)).rejects.toThrow(`was valid until ${validUntil}`);
    await provider.close();
  });

  it.each([
    ["away", undefined, "cannot be reached for the request for its metadata"],
    ["slow", (): undefined => undefined, "did not answer the request for its metadata within 0.3 s"],
    ["elsewhere", () => ({ status: 302, body: "" }), "with a redirect (302)"],
    ["broken", () => ({ body: "<html>" }), 'connector "okta": the XML ends before "html" is closed'],
    ["endless", () => ({ body: " ".repeat(2_000_000) }), "larger than 1048576 bytes"],
  ] as const)("that is %s is a clear error at once", async (_, given, problem) => {
    const { url } = await serve(given ?? (() => undefined));
    if (!given) await new Promise((resolve) => server?.close(resolve));
    const provider = createSamlProvider(byAddress(url), { clock: manualClock(start), timeouts: { request: 300, login: 300 } });
    await expect(provider.authorizeUrl(request)).rejects.toThrow(problem);
    await provider.close();
  });
});
