import { constants, createHmac } from "node:crypto";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { requestId } from "./names.ts";
import { createSamlProvider } from "./provider.ts";
import { acs, assertionXml, ds, encryptedAssertion, responseXml, saml, samlp, signatureXml, signedAssertion, signedResponse, sound, start, state, testConnector, testPair, type Sheet } from "./testing/paper.ts";

const idp = testPair("provider");
const stranger = testPair("stranger");
const opening = testPair("gateway, encryption");
const minute = 60_000;

const provider = createSamlProvider(testConnector(idp.cert, { assertion_key_pair: { cert: opening.cert, private_key: opening.privateKey } }), { clock: manualClock(start) });
afterAll(() => provider.close());

function login(xml: string | Buffer): ReturnType<typeof provider.authenticate> {
  return provider.authenticate({ state, codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse: Buffer.from(xml).toString("base64"), RelayState: state } });
}

/** A response that differs from a sound one in what it says, and is signed. */
const says = (changes: Partial<Sheet>): string => responseXml({ ...sound, ...changes }, signedAssertion({ ...sound, ...changes }, idp.key));
const good = signedAssertion(sound, idp.key);
const goodResponse = signedResponse(sound, assertionXml(sound), idp.key);
const signature = signatureXml(sound.assertionId, assertionXml(sound), idp.key);
const evil: Sheet = { ...sound, assertionId: "_evil", nameId: "root@example.com", groups: ["admins"] };
const evilAssertion = assertionXml(evil);
const around = (content: string): string => responseXml(sound, content);
/** Adds to a response right after its status. */
const beforeAssertion = (xml: string, more: string): string => xml.replace("</samlp:Status>", `</samlp:Status>${more}`);
const inSignature = (xml: string, more: string): string => xml.replace("</ds:Signature>", `${more}</ds:Signature>`);
const signedWith = (changes: Parameters<typeof signatureXml>[3]): string => around(signedAssertion(sound, idp.key, changes));

const content: Record<string, readonly [string, RegExp]> = {
  "of another audience": [says({ audience: "https://other.example.com" }), /is for https:\/\/other.example.com, and the connector's audience/],
  "for another recipient": [says({ recipient: "https://other.example.com/acs" }), /its recipient is https:\/\/other/],
  "for another destination": [around(good).replace(`Destination="${acs}"`, 'Destination="https://other.example.com/acs"'), /was sent to https:\/\/other/],
  "signed, without a destination": [signedResponse({ ...sound, destination: undefined }, assertionXml(sound), idp.key), /was sent to nowhere/],
  "by another issuer": [says({ issuer: "https://other.example.com" }), /it is by https:\/\/other.example.com/],
  "with an assertion by another issuer": [around(signedAssertion({ ...sound, issuer: "https://other.example.com" }, idp.key)), /it is by https:\/\/other.example.com/],
  expired: [says({ notOnOrAfter: start - minute }), /has expired/],
  "not valid yet": [says({ notBefore: start + minute + 1000 }), /not valid yet/],
  "issued in the future": [says({ issued: start + 2 * minute }), /issued in the future/],
  "that answers another request": [says({ answers: requestId("another"), confirmationAnswers: requestId("another") }), /answers the request of another login/],
  "that answers another request inside": [says({ confirmationAnswers: requestId("another") }), /answers another request/],
  "that answers none (begun at the provider)": [says({ answers: undefined, confirmationAnswers: undefined }), /answers no request/],
  "that answers none inside": [says({ confirmationAnswers: undefined }), /answers another request/],
  "with a transient name": [says({ format: "urn:oasis:names:tc:SAML:2.0:nameid-format:transient" }), /NameID is transient/],
  "with an empty name": [says({ nameId: " " }), /NameID is empty/],
  "with a status that is a refusal": [
    responseXml(sound, "", "", '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"></samlp:StatusCode></samlp:StatusCode><samlp:StatusMessage>no\u202e such person</samlp:StatusMessage>'),
    /refuses the login: Responder, AuthnFailed: no\\u202e such person/,
  ],
  "with a refusal beside a sound assertion": [responseXml(sound, good, "", '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Requester"></samlp:StatusCode>'), /refuses the login: Requester/],
  "without an assertion": [around(""), /no assertion/],
  "with a condition that nobody knows": [around(signedAssertionLike((xml) => xml.replace("<saml:AudienceRestriction>", "<saml:Condition></saml:Condition><saml:AudienceRestriction>"))), /Conditions has a Condition where none belongs/],
  "without an audience": [around(signedAssertionLike((xml) => xml.replace(/<saml:AudienceRestriction>.*<\/saml:AudienceRestriction>/, ""))), /for no audience/],
  "without conditions": [around(signedAssertionLike((xml) => xml.replace(/<saml:Conditions .*<\/saml:Conditions>/, ""))), /no Conditions/],
  "without a bearer": [around(signedAssertionLike((xml) => xml.replace("cm:bearer", "cm:sender-vouches"))), /no bearer confirmation/],
  "without an end": [around(signedAssertionLike((xml) => xml.replace(/(SubjectConfirmationData InResponseTo="[^"]*") NotOnOrAfter="[^"]*"/, "$1"))), /until when|NotOnOrAfter/],
  "of a session that has ended": [
    around(signedAssertionLike((xml) => xml.replace(/(<saml:AuthnStatement [^>]*)>/, `$1 SessionNotOnOrAfter="${new Date(start - 2 * minute).toISOString()}">`))),
    /session at the provider has ended/,
  ],
  "of more attributes than anybody has": [
    around(signedAssertionLike((xml) => xml.replace("</saml:AttributeStatement>", `${Array.from({ length: 201 }, (_, index) => `<saml:Attribute Name="a${index}"></saml:Attribute>`).join("")}</saml:AttributeStatement>`))),
    /more than 200 attributes/,
  ],
};

/** A sound assertion, changed and then signed. */
function signedAssertionLike(change: (xml: string) => string, changes?: Parameters<typeof signatureXml>[3]): string {
  return change(assertionXml(sound, signatureXml(sound.assertionId, change(assertionXml(sound)), idp.key, changes)));
}

const signatures: Record<string, readonly [string, RegExp]> = {
  "without a signature": [around(assertionXml(sound)), /neither it nor its assertion is signed/],
  "signed by another key": [around(signedAssertion(sound, stranger.key)), /signature does not fit/],
  "signed by another key, whose certificate it brings": [
    around(inSignature(signedAssertion(sound, stranger.key), `<ds:KeyInfo><ds:X509Data><ds:X509Certificate>${stranger.cert.replaceAll(/-----[^-]+-----|\s/g, "")}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`)),
    /signature does not fit/,
  ],
  "changed after it was signed": [around(good.replace("mona@", "root@")), /signature does not fit/],
  "whose envelope is signed by another key": [signedResponse(sound, good, stranger.key), /signature does not fit/],
  "whose assertion is signed by another key inside a sound response": [signedResponse(sound, signedAssertion(sound, stranger.key), idp.key), /signature does not fit/],
  "signed over another element": [around(assertionXml(sound, signatureXml(sound.responseId, assertionXml(sound), idp.key))), /for another element than the one that it is in/],
  "signed over nothing named": [around(good.replace(`URI="#${sound.assertionId}"`, 'URI=""')), /for another element/],
  "signed over the NameID alone": [
    around(assertionXml(sound).replace("<saml:NameID ", `<saml:NameID ID="_name" `).replace("</saml:NameID>", `${signatureXml("_name", "x", idp.key)}</saml:NameID>`)),
    /neither it nor its assertion is signed/,
  ],
  "with an empty DigestValue": [around(good.replace(/<ds:DigestValue>[^<]*/, "<ds:DigestValue>")), /DigestValue is malformed/],
  "with a digest of nothing, signed (void canonicalization)": [signedWith({ info: (info) => info.replace(/<ds:DigestValue>[^<]*/, "<ds:DigestValue>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=") }), /signature does not fit/],
  "with a comment in its DigestValue (CVE-2025-29775)": [around(good.replace("<ds:DigestValue>", "<ds:DigestValue><!--AAAA-->")), /has a comment/],
  "with an element in its DigestValue": [around(good.replace("<ds:DigestValue>", "<ds:DigestValue><ds:X></ds:X>")), /elements where text belongs/],
  "with two SignedInfo (CVE-2025-29774)": [around(good.replace(/(<ds:SignedInfo>.*<\/ds:SignedInfo>)/, "$1$1")), /several SignedInfo/],
  "with another SignedInfo before the signed one": [around(good.replace("<ds:SignedInfo>", "<ds:SignedInfo></ds:SignedInfo><ds:SignedInfo>")), /several SignedInfo/],
  "with a SignedInfo of a strange namespace": [around(good.replace("<ds:SignedInfo>", '<x:SignedInfo xmlns:x="urn:x"></x:SignedInfo><ds:SignedInfo>')), /SignedInfo of a namespace that is not SAML's/],
  "with two references": [signedWith({ info: (info) => info.replace(/(<ds:Reference .*<\/ds:Reference>)/, "$1$1") }), /several Reference/],
  "with two signatures": [around(good.replace(signature, signature + signature)), /several signatures/],
  "signed with SHA-1": [signedWith({ hash: "sha1", method: "http://www.w3.org/2000/09/xmldsig#rsa-sha1" }), /rsa-sha1, which is not accepted/],
  "digested with SHA-1": [signedWith({ digestHash: "sha1", digestMethod: "http://www.w3.org/2000/09/xmldsig#sha1" }), /sha1, which is not accepted/],
  "signed with MD5": [signedWith({ hash: "md5", method: "http://www.w3.org/2001/04/xmldsig-more#rsa-md5" }), /rsa-md5, which is not accepted/],
  "signed by HMAC with the certificate as its key": [
    signedWith({ method: "http://www.w3.org/2000/09/xmldsig#hmac-sha1", value: (info) => createHmac("sha1", idp.cert).update(info).digest("base64") }),
    /hmac-sha1, which is not accepted/,
  ],
  "canonicalized with comments": [signedWith({ canonicalization: "http://www.w3.org/2001/10/xml-exc-c14n#WithComments" }), /WithComments, which is not accepted/],
  "canonicalized with a list of prefixes": [
    signedWith({ info: (info) => info.replace("</ds:CanonicalizationMethod>", '<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="a"></ec:InclusiveNamespaces></ds:CanonicalizationMethod>') }),
    /CanonicalizationMethod has a InclusiveNamespaces where none belongs/,
  ],
  "transformed by XSLT": [signedWith({ transforms: '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"></ds:Transform>' }), /transforms what it signs in another way/],
  "transformed once": [signedWith({ transforms: '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>' }), /transforms what it signs in another way/],
  "transformed thrice": [
    signedWith({ transforms: '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>'.repeat(2) + '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>' }),
    /transforms what it signs in another way/,
  ],
};

const wrapped: Record<string, readonly [string, RegExp]> = {
  "XSW1: the signed response inside the signature of another": [
    responseXml({ ...evil, responseId: "_evilresponse" }, evilAssertion, inSignature(signatureXml(sound.responseId, responseXml(sound, assertionXml(sound)), idp.key), responseXml(sound, assertionXml(sound)))),
    /more than one Response/,
  ],
  "XSW2: the signed response beside the signature of another": [
    responseXml({ ...evil, responseId: "_evilresponse" }, evilAssertion, responseXml(sound, assertionXml(sound)) + signatureXml(sound.responseId, responseXml(sound, assertionXml(sound)), idp.key)),
    /more than one Response/,
  ],
  "XSW3: another assertion before the signed one": [around(evilAssertion + good), /more than one Assertion/],
  "XSW3, after the signed one": [around(good + evilAssertion), /more than one Assertion/],
  "XSW4: the signed assertion inside another": [around(evilAssertion.replace("</saml:Assertion>", `${good}</saml:Assertion>`)), /more than one Assertion/],
  "XSW5: the signature in another assertion, the signed one at the end": [around(assertionXml(evil, signature) + assertionXml(sound)), /more than one Assertion/],
  "XSW6: the signed assertion inside the signature in another": [around(assertionXml(evil, inSignature(signature, assertionXml(sound)))), /more than one Assertion/],
  "XSW7: another assertion in Extensions": [beforeAssertion(around(good), `<samlp:Extensions>${evilAssertion}</samlp:Extensions>`), /more than one Assertion/],
  "XSW8: the signed assertion in an Object of the signature": [around(assertionXml(evil, inSignature(signature, `<ds:Object>${assertionXml(sound)}</ds:Object>`))), /more than one Assertion/],
  "the signature of the assertion in another, alone": [around(assertionXml(evil, signature)), /for another element/],
  "the signature of the assertion in another with its ID": [around(assertionXml({ ...evil, assertionId: sound.assertionId }, signature)), /signature does not fit/],
  "an assertion of a strange namespace beside the signed one": [around(good + evilAssertion.replaceAll("urn:oasis:names:tc:SAML:2.0:assertion", "urn:x")), /Assertion of a namespace that is not SAML's/],
  "an Object in the signature": [around(inSignature(good, "<ds:Object></ds:Object>")), /Signature has a Object where none belongs/],
  "Extensions": [beforeAssertion(around(good), "<samlp:Extensions></samlp:Extensions>"), /Extensions where none belongs/],
  "an assertion beside an encrypted one": [around(good + encryptedAssertion(good, opening.cert)), /more than one assertion/],
  "two assertions, both signed": [around(good + signedAssertion({ ...sound, assertionId: "_second" }, idp.key)), /more than one Assertion/],
  "an assertion alone": [good, /is a Assertion, and no Response/],
  "a response of SAML 1": [around(good).replaceAll("SAML:2.0:protocol", "SAML:1.0:protocol"), /namespace that is not SAML's|no Response of SAML 2.0/],
  "one ID twice": [around(good).replace(`ID="${sound.responseId}"`, `ID="${sound.assertionId}"`), /one ID twice/],
  "one ID twice, in another spelling": [around(good).replace("<samlp:Status>", `<samlp:Status Id="${sound.assertionId}">`), /one ID twice/],
  "two IDs in one element": [around(good).replace(`ID="${sound.responseId}"`, `ID="${sound.responseId}" Id="_other"`), /two IDs/],
  "an ID under a prefix (attribute pollution)": [around(good.replace(`ID="${sound.assertionId}"`, `ID="${sound.assertionId}" samlp:ID="_evil"`)), /ID under a prefix/],
  "an xml:id": [around(good).replace("<samlp:Status>", '<samlp:Status xml:id="_x">'), /attribute xml:id/],
  "a second NameID": [around(signedAssertionLike((xml) => xml.replace("</saml:NameID>", "</saml:NameID><saml:NameID>root</saml:NameID>"))), /several NameID/],
  "a NameID of a strange namespace": [around(signedAssertionLike((xml) => xml.replace("<saml:NameID", '<x:NameID xmlns:x="urn:x">root</x:NameID><saml:NameID'))), /NameID of a namespace/],
  "an encrypted NameID": [around(signedAssertionLike((xml) => xml.replace(/<saml:NameID.*<\/saml:NameID>/, "<saml:EncryptedID></saml:EncryptedID>"))), /EncryptedID where none belongs/],
};

const xml: Record<string, readonly [string | Buffer, RegExp]> = {
  "a comment in its NameID": [around(good.replace("mona@example.com", "mona@example.com<!-- -->.evil.example.com")), /has a comment/],
  "a comment in its NameID before it was signed": [around(signedAssertionLike((text) => text.replace("mona@example.com", "mona@example.com<!-- -->.evil"))), /has a comment/],
  "a comment in an attribute": [around(good.replace("developers<", "dev<!-- -->elopers<")), /has a comment/],
  "a comment anywhere": [around(good).replace("<samlp:Status>", "<!-- --><samlp:Status>"), /has a comment/],
  "a processing instruction in text": [around(good.replace("mona@example.com", "mona<?x y?>@example.com")), /processing instruction/],
  "a CDATA section": [around(good.replace("mona@example.com", "<![CDATA[mona@example.com]]>")), /CDATA/],
  "elements in its NameID": [around(signedAssertionLike((text) => text.replace("mona@example.com", "mona<saml:X></saml:X>@example.com"))), /elements where text belongs/],
  "two roots": [around(good) + around(good), /more than one root/],
  "a root and text": [`${around(good)}evil`, /text outside its root/],
  "a DOCTYPE": [`<!DOCTYPE x>${around(good)}`, /DOCTYPE/],
  "a billion laughs": [`<!DOCTYPE lolz [<!ENTITY a "lol">${Array.from({ length: 20 }, (_, index) => `<!ENTITY b${index} "${"&a;".repeat(10)}">`).join("")}]>${around(good.replace("mona", "&b9;"))}`, /DOCTYPE/],
  "an external entity": [`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${around(good.replace("mona", "&e;"))}`, /DOCTYPE/],
  "an entity that nobody declared": [around(good.replace("mona", "&e;")), /entity that is not one of XML's own five/],
  "more than it may have": [around(good).replace("<samlp:Status>", `<samlp:Status>${" ".repeat(256 * 1024)}`), /larger than 262144 bytes/],
  "elements nested without end": [around(good).replace("<samlp:Status>", "<samlp:Status><a>".replace("<a>", "<a>".repeat(1000))), /nested more than 32 deep/],
  "elements without end": [around(good).replace("<samlp:Status>", `<samlp:Status>${"<a/>".repeat(1500)}`), /more than 1500 elements/],
  "attributes without end": [around(good).replace("<samlp:Status>", `<samlp:Status ${Array.from({ length: 100 }, (_, index) => `a${index}=""`).join(" ")}>`), /more than 64 attributes/],
  "namespaces without end": [around(good).replace("<samlp:Status>", `<samlp:Status ${Array.from({ length: 64 }, (_, index) => `xmlns:a${index}="urn:a"`).join(" ")}>`), /more than 64 namespaces/],
  "a relative namespace (void canonicalization)": [around(good.replace(saml, `${saml} xmlns:ns="1"`)), /namespace that is not an absolute address/],
  "a prefix that is not declared": [around(good).replace("<samlp:Status>", "<samlp:Status y:z=''>"), /prefix "y", which it does not declare/],
  "a prefix of XML's own redeclared": [around(good).replace(samlp, `${samlp} xmlns:xml="urn:x"`), /namespace of XML's own/],
  "an attribute twice under two prefixes": [around(good).replace("<samlp:Status>", '<samlp:Status xmlns:a="urn:x" xmlns:b="urn:x" a:y="1" b:y="2">'), /twice in one element, under two prefixes/],
  "an attribute twice": [around(good).replace('Version="2.0"', 'Version="2.0" Version="2.0"'), /twice in one element/],
  "a declaration of another encoding": [`<?xml version="1.0" encoding="UTF-16"?>${around(good)}`, /processing instruction/],
  "bytes that are not UTF-8": [Buffer.concat([Buffer.from(around(good)), Buffer.from([0xc3, 0x28])]), /not UTF-8/],
  "a null character": [around(good).replace("mona", "mo\0na"), /character that XML does not allow/],
  "no end": [around(good).slice(0, -10), /does not close/],
  "nothing in it": ["", /not base64|there is none/],
};

const encryptedWith = (changes: Parameters<typeof encryptedAssertion>[2], inner = good): string => around(encryptedAssertion(inner, opening.cert, changes));
const encrypted: Record<string, readonly [string, RegExp]> = {
  "without any signature": [encryptedWith({}, assertionXml(sound)), /neither it nor its assertion is signed/],
  "signed by another key inside": [encryptedWith({}, signedAssertion(sound, stranger.key)), /signature does not fit/],
  "in a response that another key signed": [signedResponse(sound, encryptedAssertion(good, opening.cert), stranger.key), /signature does not fit/],
  "for another key": [around(encryptedAssertion(good, stranger.cert)), /cannot be decrypted/],
  "with Triple DES": [encryptedWith({ cipher: "des-ede3-cbc" }), /tripledes-cbc, which is not accepted/],
  "with RSA 1.5": [encryptedWith({ padding: constants.RSA_PKCS1_PADDING, keyMethod: "http://www.w3.org/2001/04/xmlenc#rsa-1_5" }), /rsa-1_5, which is not accepted/],
  "with SHA-1 inside its signature": [encryptedWith({}, signedAssertion(sound, idp.key, { hash: "sha1", method: "http://www.w3.org/2000/09/xmldsig#rsa-sha1" })), /rsa-sha1, which is not accepted/],
  "with a comment inside": [encryptedWith({}, good.replace("mona", "mo<!-- -->na")), /cannot be decrypted/],
  "with a DOCTYPE inside": [encryptedWith({}, `<!DOCTYPE x>${good}`), /cannot be decrypted/],
  "with two assertions inside": [encryptedWith({}, good + evilAssertion), /cannot be decrypted/],
  "wrapped inside": [encryptedWith({}, evilAssertion.replace("</saml:Assertion>", `${good}</saml:Assertion>`)), /more than one Assertion/],
  "with something else inside": [encryptedWith({}, around(good)), /no assertion/],
  "with two keys": [encryptedWith({}).replace(/(<xenc:EncryptedKey>.*<\/xenc:EncryptedKey>)/, "$1$1"), /more than one EncryptedKey/],
  "with its parts in another order": [encryptedWith({}).replace(new RegExp(`(<ds:KeyInfo ${ds}>.*</ds:KeyInfo>)(<xenc:CipherData>.*</xenc:CipherData>)`), "$2$1"), /malformed/],
  "by CBC, signed by another key inside": [encryptedWith({ cipher: "aes-256-cbc" }, signedAssertion(sound, stranger.key)), /cannot be decrypted, or is not signed by a key/],
  "by CBC, without any signature": [encryptedWith({ cipher: "aes-128-cbc" }, assertionXml(sound)), /cannot be decrypted, or is not signed by a key/],
  cut: [encryptedWith({ cipher: "aes-256-cbc" }).replace(/[A-Za-z0-9+/=]{8}(<\/xenc:CipherValue><\/xenc:CipherData><\/xenc:EncryptedData>)/, "$1"), /cannot be decrypted/],
};

describe.each([
  ["a response", content],
  ["a response", signatures],
  ["a response with", wrapped],
  ["a response with", xml],
  ["an encrypted assertion", encrypted],
])("%s", (_, table) => {
  it.each(Object.entries(table))("%s is refused", async (_name, [text, reason]) => {
    const refused: unknown = await login(text).then(
      (person) => person,
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ name: "GatehouseError", code: "access_denied", message: expect.stringMatching(reason) as unknown });
  });
});

describe("a response", () => {
  it("is good once", async () => {
    await login(goodResponse);
    await expect(login(goodResponse)).rejects.toThrow("its assertion was used before");
  });

  it("is refused where it is no base64, or there is none", async () => {
    const send = (SAMLResponse: string | undefined): Promise<unknown> => provider.authenticate({ state, codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse } });
    await expect(send(undefined)).rejects.toThrow("there is none");
    await expect(send("<xml>")).rejects.toThrow("not base64");
    await expect(send("A".repeat(1_000_000))).rejects.toThrow("larger than 262144 bytes");
  });

  it("to one login is no answer to another", async () => {
    const other = provider.authenticate({ state: "another", codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse: Buffer.from(around(signedAssertion({ ...sound, assertionId: "_once" }, idp.key))).toString("base64") } });
    await expect(other).rejects.toThrow("the request of another login");
  });

  it("that is encrypted needs a key pair", async () => {
    const bare = createSamlProvider(testConnector(idp.cert), { clock: manualClock(start) });
    const answer = bare.authenticate({ state, codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse: Buffer.from(encryptedWith({})).toString("base64") } });
    await expect(answer).rejects.toThrow("has no assertion_key_pair");
    await bare.close();
  });
});

describe("a sound response that was changed anywhere", () => {
  const responses = [around(signedAssertion({ ...sound, assertionId: "_mutated" }, idp.key)), goodResponse, signedResponse(sound, signedAssertion(sound, idp.key), idp.key)];
  const pieces = ["", "<", ">", "/", '"', "&", "&lt;", "&#x41;", "<!---->", "<?x?>", "]]>", "<saml:NameID>root</saml:NameID>", "<saml:AttributeValue>admins</saml:AttributeValue>", ' ID="_evil"', ' xmlns="urn:x"', "root", "\u0000", "\r\n", evilAssertion, signature];

  it("names the same person with the same attributes, or nobody", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...responses), fc.array(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), cut: fc.nat(40), put: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })) }), { minLength: 1, maxLength: 3 }), async (response, edits) => {
        const changed = edits.reduce((text, { at, cut, put }) => {
          const index = Math.floor(at * text.length);
          return text.slice(0, index) + put + text.slice(index + cut);
        }, response);
        const fresh = createSamlProvider(testConnector(idp.cert), { clock: manualClock(start) });
        const person = await fresh.authenticate({ state, codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse: Buffer.from(changed).toString("base64") } }).catch((error: unknown) => {
          expect(error).toMatchObject({ name: "GatehouseError", code: "access_denied" });
          return undefined;
        });
        await fresh.close();
        if (person) expect([person.name, person.mapping.traits]).toEqual([sound.nameId, { groups: sound.groups }]);
      }),
      { numRuns: 400 },
    );
  });

  it("is read alike when a whole part of it is moved, doubled or left out", async () => {
    const parts = (text: string): string[] => text.match(/<[^>]*>|[^<]+/g) ?? [];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...responses), fc.nat(), fc.nat(), fc.nat(), fc.constantFrom("move", "double", "drop"), async (response, a, b, to, how) => {
        const all = parts(response);
        const [from, until] = [a % all.length, b % all.length].sort((one, other) => one - other) as [number, number];
        const taken = all.slice(from, until + 1);
        const rest = how === "double" ? [...all] : [...all.slice(0, from), ...all.slice(until + 1)];
        if (how !== "drop") rest.splice(to % (rest.length + 1), 0, ...taken);
        const fresh = createSamlProvider(testConnector(idp.cert), { clock: manualClock(start) });
        const person = await fresh.authenticate({ state, codeVerifier: "", callbackUrl: acs, parameters: { SAMLResponse: Buffer.from(rest.join("")).toString("base64") } }).catch(() => undefined);
        await fresh.close();
        if (person) expect([person.name, person.mapping.traits]).toEqual([sound.nameId, { groups: sound.groups }]);
      }),
      { numRuns: 400 },
    );
  });
});
