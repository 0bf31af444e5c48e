import { describe, expect, it } from "vitest";
import { elementsOf, readXml, type XmlElement } from "../../formats/index.ts";
import { everyElement } from "./elements.ts";
import { responseLimits } from "./names.ts";
import { demandAgreement, signedAssertion } from "./signed-assertion.ts";
import { assertionXml, issuer, responseXml, signatureXml, signedAssertion as signedXml, signedResponse, sound, state, testConnector, testPair } from "./testing/paper.ts";

const idp = testPair("provider");
const provider = { entityId: issuer, sso: "https://idp.example.com/sso", certificates: [idp.cert] };
const evil = { ...sound, nameId: "root@example.com", groups: ["admins"] };
const signature = signatureXml(sound.assertionId, assertionXml(sound), idp.key);
const good = signedXml(sound, idp.key);

/** What comes of a text where the checks of its form found this assertion in it, whatever else there is. */
function take(text: string, seen: XmlElement, signed = false): ReturnType<typeof signedAssertion> {
  const root = readXml(text, responseLimits);
  return signedAssertion(text, { root, signed, assertion: seen, encrypted: false }, testConnector(idp.cert), provider, state);
}

const tree = (xml: string): XmlElement => readXml(xml, responseLimits);
const evilWithSignature = (id: string): string => assertionXml({ ...evil, assertionId: id }, signature);

describe("the second line, where the form of a response was not checked", () => {
  it("takes what is signed", async () => {
    expect((await take(responseXml(sound, good), tree(good))).tree).toMatchObject({ name: "Assertion" });
  });

  it.each([
    ["another assertion than the signed one", responseXml(sound, good), tree(evilWithSignature(sound.assertionId))],
    ["another value of an attribute", responseXml(sound, good), tree(good.replace("developers<", "admins<"))],
    ["an attribute more", responseXml(sound, good), tree(good.replace("</saml:AttributeStatement>", '<saml:Attribute Name="x"></saml:Attribute></saml:AttributeStatement>'))],
    ["another namespace", responseXml(sound, good), tree(good.replace("<saml:NameID", '<saml:NameID xmlns:saml="urn:x"'))],
    ["the signed one in an Object of its own signature", responseXml(sound, assertionXml({ ...evil, assertionId: sound.assertionId }, signature.replace("</ds:Signature>", `<ds:Object>${assertionXml(sound)}</ds:Object></ds:Signature>`)))],
    ["the signed one inside", responseXml(sound, evilWithSignature("_evil").replace("</saml:Assertion>", `${good}</saml:Assertion>`))],
    ["the signed one beside", responseXml(sound, evilWithSignature(sound.assertionId) + assertionXml(sound))],
    ["the signed one before", responseXml(sound, good + evilWithSignature("_evil"))],
  ] as const)("refuses %s", async (_, text, seen?: XmlElement) => {
    const found = seen ?? [...everyElement(tree(text))].find((element) => element.name === "Assertion" && [...everyElement(element)].some((inner) => elementsOf(inner).length === 0 && inner.children.includes(evil.nameId)));
    await expect(take(text, found!)).rejects.toMatchObject({ code: "access_denied" });
  });

  it("refuses an assertion that a signed response does not have", async () => {
    const text = signedResponse(sound, assertionXml(sound), idp.key);
    expect((await take(text, tree(assertionXml(sound)), true)).profile).toMatchObject({ nameID: sound.nameId });
    await expect(take(text, tree(assertionXml(evil)), true)).rejects.toThrow("what its signature covers is not what it says");
  });
});

describe("two readers of one assertion", () => {
  const person = { name: "mona", format: "urn:f", attributes: { groups: ["a", "b"], empty: [] }, assertionId: "_a" };

  it.each<[string, object]>([
    ["the same", { nameID: "mona", nameIDFormat: "urn:f", attributes: { groups: ["a", "b"] } }],
    ["the last of an attribute that comes twice", { nameID: "mona", nameIDFormat: "urn:f", attributes: { groups: "b", empty: undefined } }],
    ["elements beside text", { nameID: "mona", nameIDFormat: "urn:f", attributes: { groups: ["a", "b", {}] } }],
  ])("agree about %s", (_, profile) => {
    expect(() => demandAgreement(person, profile)).not.toThrow();
  });

  it.each<[string, object]>([
    ["another name", { nameID: "root", nameIDFormat: "urn:f" }],
    ["the beginning of the name", { nameID: "mon", nameIDFormat: "urn:f" }],
    ["no name", { nameIDFormat: "urn:f" }],
    ["another format", { nameID: "mona", nameIDFormat: "urn:g" }],
    ["another value", { nameID: "mona", nameIDFormat: "urn:f", attributes: { groups: ["a", "c"] } }],
    ["a value more", { nameID: "mona", nameIDFormat: "urn:f", attributes: { groups: ["a", "b", "c"] } }],
    ["an attribute more", { nameID: "mona", nameIDFormat: "urn:f", attributes: { admin: "yes" } }],
  ])("do not about %s", (_, profile) => {
    expect(() => demandAgreement(person, profile)).toThrow("two readers of it disagree");
  });
});
