import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { certificateDer, parseCertificate, parseSshCertificate, verifySshCertificate } from "../formats/index.ts";
import type { UserCertificateRequest } from "./index.ts";
import { blobs, createPlace, hour, keys, start, userRequest, type TestPlace } from "./test-place.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

describe("issueUser", () => {
  it("signs an SSH certificate as v3 describes it", async () => {
    const authorities = await place.open();
    const pair = authorities.issueUser(userRequest());
    expect(pair.expires).toBe(start + 12 * hour);
    expect(pair.ssh.endsWith("\n")).toBe(true);
    const certificate = parseSshCertificate(pair.ssh);
    expect(certificate).toMatchObject({ type: "user", keyId: "ana", principals: ["ana", "deploy"], validAfter: BigInt(start / 1000 - 60), validBefore: BigInt(start / 1000 + 12 * 3600) });
    expect([...certificate.criticalOptions]).toEqual([]);
    expect(Object.fromEntries(certificate.extensions)).toEqual({
      "permit-pty": "",
      "gatehouse-session": '{"subject":"github:github:1001","session":"0b9f4f6e-session"}',
      "permit-port-forwarding": "",
      "teleport-roles": '{"version":"v1","roles":["access","auditor"]}',
      "teleport-traits": '{"kubernetes_groups":["developers","viewers"],"logins":["ana"]}',
    });
    verifySshCertificate(certificate, { caKeys: blobs(authorities, "user"), now: start, type: "user", principal: "deploy" });
    expect(() => verifySshCertificate(certificate, { caKeys: blobs(authorities, "openssh"), now: start, type: "user" })).toThrow(/not a trusted authority/);
    expect(parseSshCertificate(authorities.issueUser(userRequest()).ssh).serial).not.toBe(certificate.serial);
  });

  it("leaves out what oldssh does not know, and what was not permitted", async () => {
    const authorities = await place.open();
    const certificate = parseSshCertificate(authorities.issueUser(userRequest({ format: "oldssh", permitPortForwarding: false, permitAgentForwarding: true })).ssh);
    expect([...certificate.extensions.keys()]).toEqual(["gatehouse-session", "permit-agent-forwarding", "permit-pty"]);
  });

  it("signs an X.509 certificate for clients alone, with no alternative names", async () => {
    const authorities = await place.open();
    const certificate = parseCertificate(authorities.issueUser(userRequest()).tls);
    expect(certificate).toMatchObject({
      subject: { CN: ["ana"], postalCode: ['{"kubernetes_groups":["developers","viewers"],"logins":["ana"]}'] },
      issuer: { O: ["example"], CN: ["example"] },
      extendedKeyUsage: ["clientAuth"],
      keyUsage: ["digitalSignature"],
      ca: false,
      dnsNames: [],
      ipAddresses: [],
      notBefore: start - 60_000,
      notAfter: start + 12 * hour,
    });
    expect([...certificate.subject.O!].sort()).toEqual(["access", "auditor"]);
    expect([...certificate.subject.L!].sort()).toEqual(["ana", "deploy"]);
    expect(certificate.others).toHaveLength(1);
    expect(certificate.others[0]).toMatchObject({ critical: false, oid: "1.3.9999.2603.1" });
  });

  it("writes no identifier that Go, and so kubectl, cannot parse", async () => {
    const authorities = await place.open();
    const pair = authorities.issueUser(userRequest());
    for (const { oid } of parseCertificate(pair.tls).others) {
      for (const arc of oid.split(".")) expect(BigInt(arc)).toBeLessThan(2n ** 31n);
    }
  });

  it("takes someone without roles, logins or traits", async () => {
    const authorities = await place.open();
    const pair = authorities.issueUser(userRequest({ roles: [], logins: [], traits: {} }));
    const certificate = parseSshCertificate(pair.ssh);
    expect(certificate.principals).toEqual(["-no-logins-"]);
    expect(certificate.extensions.get("teleport-traits")).toBe("null");
    expect(parseCertificate(pair.tls).subject).toEqual({ CN: ["ana"], postalCode: ["null"] });
    expect(authorities.identifyUser(certificateDer(pair.tls))).toMatchObject({ roles: [], logins: [], traits: {} });
  });

  it.each<[string, Partial<UserCertificateRequest>, RegExp]>([
    ["a name of Kubernetes' own", { username: "system:admin" }, /reserved/],
    ["an empty name", { username: "" }, /1 to 256 characters/],
    ["a name with a newline", { username: "ana\nroot" }, /control character/],
    ["a machine's role", { roles: ["access", "Proxy"] }, /is a machine's/],
    ["an empty login", { logins: [""] }, /a login/],
    ["no time at all", { ttl: 0 }, /cannot be issued for 0 ms/],
    ["a time that is no number", { ttl: Number.NaN }, /cannot be issued/],
    ["more than thirty hours", { ttl: 31 * hour }, /cannot be issued/],
    ["a key that is none", { publicKey: "ssh-ed25519 AAAA" }, /SSH public key/],
    ["a certificate for a key", { publicKey: "ssh-ed25519-cert-v01@openssh.com AAAA" }, /not supported/],
    ["more than fits", { traits: { huge: ["x".repeat(70_000)] } }, /64 KiB|65536/],
    ["too many logins", { logins: Array.from({ length: 300 }, (_, index) => `u${index}`) }, /more than 256 principals/],
  ])("refuses %s", async (_, changes, problem) => {
    const authorities = await place.open();
    expect(() => authorities.issueUser(userRequest(changes))).toThrow(problem);
    expect(() => authorities.issueUser(userRequest(changes))).toThrow(expect.objectContaining({ code: "bad_parameter" }) as Error);
  });

  it("tells back whatever it was asked to say", async () => {
    const authorities = await place.open();
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !/[\u0000-\u001f\u007f-\u009f\p{Surrogate}]/u.test(text));
    const list = fc.uniqueArray(name, { maxLength: 5 });
    const request = fc.record({
      username: name.filter((text) => !text.startsWith("system:")),
      subjectId: name,
      sessionId: name,
      generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      roles: list.map((roles) => roles.filter((role) => !/^[A-Z]/.test(role))),
      logins: list,
      traits: fc.dictionary(name.filter((text) => text !== "__proto__"), list, { maxKeys: 4 }),
    });
    fc.assert(fc.property(request, fc.constantFrom(keys.publicKey), (asked, publicKey) => {
      const identity = authorities.identifyUser(certificateDer(authorities.issueUser(userRequest({ ...asked, publicKey })).tls));
      expect({ ...identity, roles: [...identity.roles].sort(), logins: [...identity.logins].sort() }).toMatchObject({ ...asked, traits: { ...asked.traits }, roles: [...asked.roles].sort(), logins: [...asked.logins].sort(), usage: [], clusterName: "example" });
    }), { numRuns: 60 });
  });

  it("never outlives the authority, and does not sign once that has ended", async () => {
    const authorities = await place.open();
    const end = Date.UTC(2036, 5, 1, 12);
    place.clock.set(end - hour);
    const pair = authorities.issueUser(userRequest());
    expect(pair.expires).toBe(end);
    expect(parseSshCertificate(pair.ssh).validBefore).toBe(BigInt(end / 1000));
    place.clock.set(end);
    expect(() => authorities.issueUser(userRequest())).toThrow(/authority "user" has expired/);
  });
});

describe("a renewed certificate", () => {
  it("names its generation, in both forms; the first one does not, as before", async () => {
    const authorities = await place.open();
    const peer = { login: "ana", address: "192.0.2.7" };
    for (const generation of [1, 2, 7]) {
      const pair = authorities.issueUser(userRequest({ generation }));
      expect(authorities.identifyUser(certificateDer(pair.tls)).generation).toBe(generation);
      const ssh = parseSshCertificate(pair.ssh);
      expect(authorities.identifySshUser(ssh, peer).generation).toBe(generation);
      expect(JSON.parse(ssh.extensions.get("gatehouse-session") ?? "")).toEqual({ subject: "github:github:1001", session: "0b9f4f6e-session", ...(generation === 1 ? {} : { generation }) });
    }
  });

  it("ends where it has to, whatever lifetime it is asked for", async () => {
    const authorities = await place.open();
    const end = start + hour + 700;
    expect(authorities.issueUser(userRequest({ ttl: 12 * hour, latest: end })).expires).toBe(start + hour);
    expect(authorities.issueUser(userRequest({ ttl: hour / 2, latest: end })).expires).toBe(start + hour / 2);
    expect(() => authorities.issueUser(userRequest({ latest: start + 999 }))).toThrow(/cannot end before it begins/);
  });
});
