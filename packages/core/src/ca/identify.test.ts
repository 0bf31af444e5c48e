import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildCertificate, certificateDer, der, derTag, parseAuthorizedKey, parseCertificate, publicKeyFromSsh, type CertificateContent } from "../formats/index.ts";
import { createPlace, hostRequest, hour, keys, start, userRequest, type TestPlace } from "./test-place.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

describe("identifyUser", () => {
  /** What the stored user authority signs, when asked for anything at all. */
  async function signWith(kind: "user" | "host", changes: Partial<CertificateContent>): Promise<Buffer> {
    const item = (await place.store.get("cert_authority", kind))!;
    const { tls_keys: tlsKeys } = JSON.parse(item.secret!) as { tls_keys: string[] };
    const { tls_certificates: certificates } = JSON.parse(item.value) as { tls_certificates: string[] };
    return signAs(createPrivateKey(tlsKeys[0]!), certificates[0]!, changes);
  }
  function signAs(privateKey: KeyObject, ca: string, changes: Partial<CertificateContent>): Buffer {
    const content: CertificateContent = {
      serial: 5n,
      subject: { O: ["access"], postalCode: ["null"], CN: ["ana"] },
      notBefore: start - 60_000,
      notAfter: start + hour,
      publicKey: publicKeyFromSsh(parseAuthorizedKey(keys.publicKey).blob),
      keyUsage: ["digitalSignature"],
      extendedKeyUsage: ["clientAuth"],
      ...changes,
    };
    return certificateDer(buildCertificate(content, { privateKey, certificate: parseCertificate(ca) }));
  }
  const session = (text: string, tag: number = derTag.utf8String) => [{ oid: "1.3.9999.2603.1", critical: false, value: der(tag, Buffer.from(text)) }];

  it("knows a certificate of v3's, which has no session", async () => {
    const authorities = await place.open();
    const identity = authorities.identifyUser(await signWith("user", { extendedKeyUsage: ["serverAuth", "clientAuth"], subject: { O: ["admin"], OU: ["usage:kube"], L: ["ana"], postalCode: ['{"a":["b"]}'], CN: ["ana"] } }));
    expect(identity).toEqual({
      username: "ana", roles: ["admin"], logins: ["ana"], traits: { a: ["b"] }, usage: ["usage:kube"], clusterName: "example",
      subjectId: undefined, sessionId: undefined, generation: 1, serial: "5", notBefore: start - 60_000, notAfter: start + hour,
    });
  });

  it("refuses before the beginning, and from the end on", async () => {
    const authorities = await place.open();
    const bytes = certificateDer(authorities.issueUser(userRequest()).tls);
    for (const [at, problem] of [[start - 60_001, /not valid before/], [start + 12 * hour, /expired at 2026-06-02T00:00:00.000Z/], [start + 100 * hour, /expired/]] as const) {
      place.clock.set(at);
      expect(() => authorities.identifyUser(bytes)).toThrow(problem);
    }
    for (const at of [start - 60_000, start + 12 * hour - 1]) {
      place.clock.set(at);
      expect(authorities.identifyUser(bytes).username).toBe("ana");
    }
  });

  it.each<[string, Partial<CertificateContent>, RegExp]>([
    ["for servers alone", { extendedKeyUsage: ["serverAuth"] }, /lacks the extended key usage clientAuth/],
    ["for no stated use", { extendedKeyUsage: [] }, /lacks the extended key usage clientAuth/],
    ["that is a CA", { ca: {}, keyUsage: ["keyCertSign", "digitalSignature"] }, /an authority's certificate/],
    ["whose key may not sign", { keyUsage: ["keyEncipherment"] }, /not meant for signatures/],
    ["with a critical extension", { extensions: [{ oid: "1.2.3", critical: true, value: Buffer.of(5, 0) }] }, /critical extension/],
    ["with a machine's role", { subject: { O: ["Proxy"], postalCode: ["null"], CN: ["x"] } }, /machine's role/],
    ["without a name", { subject: { O: ["access"], postalCode: ["null"] } }, /exactly one person/],
    ["with two names", { subject: { O: ["access"], postalCode: ["null"], CN: ["ana", "root"] } }, /exactly one person/],
    ["of a reserved name", { subject: { O: ["access"], postalCode: ["null"], CN: ["system:masters"] } }, /reserved/],
    ["without traits", { subject: { O: ["access"], CN: ["ana"] } }, /set of traits/],
    ["with traits that are no JSON", { subject: { postalCode: ["{"], CN: ["ana"] } }, /not JSON/],
    ["with traits of another shape", { subject: { postalCode: ['{"a":"b"}'], CN: ["ana"] } }, /unknown shape/],
    ["with a session of another shape", { extensions: session('{"subject":"s"}') }, /unknown shape/],
    ["with a session that says more", { extensions: session('{"subject":"s","session":"t","admin":true}') }, /unknown shape/],
    ["with a session in another type of text", { extensions: session("{}", derTag.ia5String) }, /not a UTF-8 text/],
  ])("refuses one %s, though the user authority signed it", async (_, changes, problem) => {
    const authorities = await place.open();
    const bytes = await signWith("user", changes);
    expect(() => authorities.identifyUser(bytes)).toThrow(problem);
    expect(() => authorities.identifyUser(bytes)).toThrow(expect.objectContaining({ code: "unauthenticated" }) as Error);
  });

  it("refuses a host's certificate, even one that says it is a client's", async () => {
    const authorities = await place.open();
    expect(() => authorities.identifyUser(certificateDer(authorities.issueHost(hostRequest()).tls))).toThrow(/a host's certificate/);
    const disguised = await signWith("host", {});
    expect(() => authorities.identifyUser(disguised)).toThrow(/a host's certificate/);
  });

  it("refuses the authorities' own certificates", async () => {
    const authorities = await place.open();
    expect(() => authorities.identifyUser(certificateDer(authorities.trust("user").tlsCertificates[0]!))).toThrow(/an authority's certificate/);
    expect(() => authorities.identifyUser(certificateDer(authorities.trust("host").tlsCertificates[0]!))).toThrow(/a host's certificate/);
  });

  it("refuses what another cluster signed, whatever name it goes by", async () => {
    const authorities = await place.open();
    const namesake = await place.open(await place.openIn("namesake"));
    expect(() => authorities.identifyUser(certificateDer(namesake.issueUser(userRequest()).tls))).toThrow(/was not issued by the user authority of cluster "example"/);
    const foreign = await place.open(await place.openIn("foreign"), "foreign");
    expect(() => authorities.identifyUser(certificateDer(foreign.issueUser(userRequest()).tls))).toThrow(/issued by "foreign", not by cluster "example"/);
  });

  it("refuses a certificate that a person's own certificate signed", async () => {
    const authorities = await place.open();
    const pair = authorities.issueUser(userRequest());
    expect(() => authorities.identifyUser(signAs(keys.privateKey, pair.tls, { subject: { postalCode: ["null"], CN: ["root"] } }))).toThrow(/issued/);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(() => authorities.identifyUser(signAs(privateKey, authorities.trust("user").tlsCertificates[0]!, {}))).toThrow(/was not issued by the user authority/);
  });

  it("refuses any certificate with a changed byte, and any bytes at all", async () => {
    const authorities = await place.open();
    const bytes = certificateDer(authorities.issueUser(userRequest()).tls);
    const refused = (candidate: Uint8Array): void => expect(() => authorities.identifyUser(candidate)).toThrow(expect.objectContaining({ code: "unauthenticated" }) as Error);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      refused(changed);
    }
    refused(Buffer.alloc(0));
    refused(Buffer.concat([bytes, Buffer.alloc(1)]));
    refused(Buffer.alloc(70_000, 0x30));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (candidate) => {
      refused(candidate);
    }));
  });
});
