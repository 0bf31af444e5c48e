import { constants, createPublicKey, sign, verify } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { createSamlProvider } from "./provider.ts";
import { acs, assertionXml, encryptedAssertion, issuer, responseXml, saml, samlp, signatureXml, signedAssertion, signedResponse, sound, start, state, testConnector, testPair } from "./testing/paper.ts";

const idp = testPair("provider");
const own = testPair("gateway");
const opening = testPair("gateway, encryption");
const keys = { assertion_key_pair: { cert: opening.cert, private_key: opening.privateKey } };

async function login(xml: string, spec = {}): ReturnType<ReturnType<typeof createSamlProvider>["authenticate"]> {
  const provider = createSamlProvider(testConnector(idp.cert, spec), { clock: manualClock(start) });
  try {
    return await provider.authenticate({ state, codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse: Buffer.from(xml).toString("base64"), RelayState: state } });
  } finally {
    await provider.close();
  }
}

const mona = {
  name: "mona@example.com",
  id: JSON.stringify([issuer, sound.format, "mona@example.com"]),
  mapping: { roles: ["dev"], traits: { groups: ["developers", "sre"] }, problem: undefined },
};

/** The same markup with another prefix, or with a default namespace for an empty one. */
function renamed(xml: string, from: string, to: string): string {
  return xml.replaceAll(`<${from}:`, to === "" ? "<" : `<${to}:`).replaceAll(`</${from}:`, to === "" ? "</" : `</${to}:`).replaceAll(`xmlns:${from}=`, to === "" ? "xmlns=" : `xmlns:${to}=`);
}

/** As AD FS and Entra write it: default namespaces, the latter in the signature too. */
function ofMicrosoft(): string {
  const own = (xml: string): string => renamed(xml, "saml", "");
  const signature = signatureXml(sound.assertionId, own(assertionXml(sound)), idp.key, { value: (info) => sign("sha256", Buffer.from(renamed(info, "ds", "")), idp.key).toString("base64") });
  return renamed(responseXml(sound, own(assertionXml(sound, renamed(signature, "ds", "")))), "saml", "");
}

/** As Okta and Shibboleth write it: a prefix that attributes name in their text is kept by a list in the transform, and declared outside. */
function ofOkta(): string {
  const xs = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"';
  const typed = (xml: string): string => xml.replaceAll("<saml:AttributeValue>", '<saml:AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">');
  const algorithm = "http://www.w3.org/2001/10/xml-exc-c14n#";
  const transforms = [
    '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>',
    `<ds:Transform Algorithm="${algorithm}"><ec:InclusiveNamespaces xmlns:ec="${algorithm}" PrefixList="xs"></ec:InclusiveNamespaces></ds:Transform>`,
  ].join("");
  const declared = (xml: string): string => typed(xml).replace(saml, `${saml} ${xs}`);
  const signed = typed(assertionXml(sound, signatureXml(sound.assertionId, declared(assertionXml(sound)), idp.key, { transforms })));
  const whole = (signature = ""): string => responseXml(sound, signed, signature).replace(samlp, `${samlp} ${xs}`);
  return `<?xml version="1.0" encoding="UTF-8"?>${whole(signatureXml(sound.responseId, whole(), idp.key, { transforms }))}`;
}

describe("a login through SAML", () => {
  const responses: Record<string, [string, object?]> = {
    "a signed assertion": [responseXml(sound, signedAssertion(sound, idp.key))],
    "a signed response": [signedResponse(sound, assertionXml(sound), idp.key)],
    "both signed": [signedResponse(sound, signedAssertion(sound, idp.key), idp.key)],
    "signed with SHA-512": [
      responseXml(sound, signedAssertion(sound, idp.key, { hash: "sha512", digestHash: "sha512", method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", digestMethod: "http://www.w3.org/2001/04/xmlenc#sha512" })),
    ],
    "signed with RSA-PSS": [
      responseXml(
        sound,
        signedAssertion(sound, idp.key, {
          method: "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
          value: (info) => sign("sha256", Buffer.from(info), { key: idp.key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }).toString("base64"),
        }),
      ),
    ],
    "signed, then encrypted": [responseXml(sound, encryptedAssertion(signedAssertion(sound, idp.key), opening.cert)), keys],
    "encrypted by AES-128-CBC": [responseXml(sound, encryptedAssertion(signedAssertion(sound, idp.key), opening.cert, { cipher: "aes-128-cbc" })), keys],
    "encrypted, then signed": [signedResponse(sound, encryptedAssertion(assertionXml(sound), opening.cert, { cipher: "aes-128-gcm" }), idp.key), keys],
    "signed, encrypted by AES-256-CBC, signed": [signedResponse(sound, encryptedAssertion(signedAssertion(sound, idp.key), opening.cert, { cipher: "aes-256-cbc" }), idp.key), keys],
    "laid out with line ends of Windows": [responseXml(sound, signedAssertion(sound, idp.key)).replace("<samlp:Status>", "\r\n  <samlp:Status>\r\n")],
    "what AD FS and Entra write": [ofMicrosoft()],
    "what Okta writes": [ofOkta()],
    "no Destination, where only the assertion is signed": [responseXml({ ...sound, destination: undefined }, signedAssertion(sound, idp.key))],
  };
  it.each(Object.entries(responses))("takes %s", async (_, [xml, spec]) => {
    expect(await login(xml, spec)).toMatchObject(mona);
  });

  it("asks with a signed request that belongs to the state", async () => {
    const provider = createSamlProvider(testConnector(idp.cert, { signing_key_pair: { cert: own.cert, private_key: own.privateKey } }), { clock: manualClock(start) });
    const url = new URL(await provider.authorizeUrl({ state, codeVerifier: "", callbackUrl: acs }));
    expect(url.origin + url.pathname).toBe("https://idp.example.com/sso");
    expect(url.searchParams.get("RelayState")).toBe(state);
    const xml = inflateRawSync(Buffer.from(url.searchParams.get("SAMLRequest") ?? "", "base64")).toString();
    expect(xml).toContain(`ID="${sound.answers ?? ""}"`);
    expect(xml).toContain(`AssertionConsumerServiceURL="${acs}"`);
    expect(xml).toContain(`>${acs}</saml:Issuer>`);
    const signed = ["SAMLRequest", "RelayState", "SigAlg"].map((name) => `${name}=${encodeURIComponent(url.searchParams.get(name) ?? "")}`).join("&");
    expect(verify("sha256", Buffer.from(signed), createPublicKey(own.cert), Buffer.from(url.searchParams.get("Signature") ?? "", "base64"))).toBe(true);
  });

  it("says who was refused a role, and what came", async () => {
    const answer = await login(responseXml(sound, signedAssertion({ ...sound, groups: ["guests"] }, idp.key)));
    expect(answer.mapping.problem?.message).toBe('no attribute of mona@example.com gives a role by connector "okta"');
    expect(answer.mapping.problem?.hint).toContain("the provider sent: groups");
    expect(answer.mapping.rules).toEqual([{ rule: "groups = developers", matched: false, gives: ["role dev"] }]);
  });

  it("joins the values of an attribute that comes several times", async () => {
    const twice = (xml: string): string => xml.replace("</saml:AttributeStatement>", '<saml:Attribute Name="groups"><saml:AttributeValue>admins</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>');
    const plain = twice(assertionXml(sound));
    const signed = twice(assertionXml(sound, signatureXml(sound.assertionId, plain, idp.key)));
    expect((await login(responseXml(sound, signed))).mapping.traits).toEqual({ groups: ["developers", "sre", "admins"] });
  });
});
