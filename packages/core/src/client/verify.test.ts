import { describe, expect, it } from "vitest";
import type { SshLoginResponse } from "../api/index.ts";
import { loginAnswer, newUserKey } from "./testing.ts";
import { clockSkew, verifyLogin, type Expected } from "./verify.ts";

const key = newUserKey();
const stranger = newUserKey();
const now = Date.now();

function verify(answer: SshLoginResponse, overrides: Partial<Expected> = {}): ReturnType<typeof verifyLogin> {
  return verifyLogin(answer, { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: "gw:3080", user: undefined, now, gatewayNow: now, ...overrides });
}

describe("a login's answer", () => {
  it("becomes a record", () => {
    const record = verify(loginAnswer({ key: key.privateKey }), { user: "ana" });
    expect(record).toMatchObject({ version: 1, proxy: "gw:3080", cluster: "example", username: "ana", privateKey: key.pem });
    expect(record.hostKeys[0]).toMatch(/^ecdsa-sha2-nistp256 /);
    expect(record.expires).toBeGreaterThan(now);
  });

  it.each([
    ["a certificate over another key", () => loginAnswer({ key: stranger.privateKey, sshKey: key.privateKey }), /X\.509 certificate is not over the key/],
    ["an SSH certificate over another key", () => loginAnswer({ key: key.privateKey, sshKey: stranger.privateKey }), /SSH certificate is not over the key/],
    ["an SSH certificate for another person", () => loginAnswer({ key: key.privateKey, keyId: "bo" }), /another person/],
    ["an X.509 certificate for another person", () => loginAnswer({ key: key.privateKey, content: { subject: { CN: ["bo"] } } }), /another person/],
    ["no host authority", () => loginAnswer({ key: key.privateKey, hostCertificates: [] }), /no host authority/],
    ["garbage for a certificate", () => ({ ...loginAnswer({ key: key.privateKey }), tls_cert: Buffer.from("x").toString("base64") }), /cannot be read/],
  ])("with %s is refused", (_, answer, message) => {
    expect(() => verify(answer())).toThrow(message);
  });

  it("for another user than the one who logged in is refused", () => {
    expect(() => verify(loginAnswer({ key: key.privateKey, username: "bo" }), { user: "ana" })).toThrow(/for bo, not for ana/);
  });

  it("for a user whose name needs escaping in a certificate's subject is taken", () => {
    expect(verify(loginAnswer({ key: key.privateKey, username: "ana, the 1st + co" })).username).toBe("ana, the 1st + co");
  });

  it("that is not valid here and now says whose clock is wrong", () => {
    const early = loginAnswer({ key: key.privateKey, content: { notBefore: now + 600_000, notAfter: now + 7_200_000 } });
    expect(() => verify(early, { gatewayNow: now + 660_000 })).toThrow(/not valid before .*: this machine's clock is 11 min behind the gateway's/);
    const late = loginAnswer({ key: key.privateKey, content: { notBefore: now - 7_200_000, notAfter: now - 3_600_000 } });
    expect(() => verify(late, { gatewayNow: now - 3_700_000 })).toThrow(/has ended already.*ahead of/);
  });
});

it("clocks are compared to the minute", () => {
  expect(clockSkew(0, undefined)).toBeUndefined();
  expect(clockSkew(60_000, 0)).toBeUndefined();
  expect(clockSkew(61_000, 0)).toBe("this machine's clock is 1 min 1 s ahead of the gateway's");
});
