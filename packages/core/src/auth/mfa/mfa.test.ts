import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { systemRandom } from "../../base/index.ts";
import { softKey, type SoftKey } from "../testing/authenticator.ts";
import { checkProof, mfaHashes, needsFactor } from "./check.ts";
import { factorsOperation, maxDevices, readFactors, viewOf } from "./record.ts";
import { newRecoverySet, normalizeRecoveryCode, recoveryDigest } from "./recovery.ts";
import { newTotpSecret, totpCode, totpPeriod, totpStep, totpUri } from "./totp.ts";
import type { Factors, MfaHashes, Proof, RelyingParty, TotpDevice, WebauthnDevice } from "./types.ts";
import { authenticationOptions, registrationOptions, relyingParty, verifyRegistration } from "./webauthn.ts";

const now = Date.UTC(2026, 10, 24, 9, 0, 0);
const party: RelyingParty = { id: "gw.example.com", name: "Gatehouse example", origins: ["https://gw.example.com:3080"] };
const place = { origin: "https://gw.example.com:3080", rpId: "gw.example.com" };
const tools = { hashes: mfaHashes, now, party };
const challenge = Buffer.from(systemRandom(32)).toString("base64url");

const app = (more: Partial<TotpDevice> = {}): TotpDevice => ({ type: "totp", id: "a", name: "phone", created: 0, secret: newTotpSecret(systemRandom), lastStep: 0, ...more });

async function keyDevice(key: SoftKey): Promise<WebauthnDevice> {
  return { type: "webauthn", id: "k", name: "key", created: 0, ...(await verifyRegistration(party, key.register(challenge), challenge)) };
}

const check = (factors: Factors, proof: Partial<Proof>, policy: "otp" | "webauthn" | "on" | "optional" = "on", more: Partial<typeof tools> = {}) =>
  checkProof(policy, factors, { code: "", ...proof }, { ...tools, ...more });

describe("codes of an app", () => {
  it("are those of RFC 6238, appendix B, cut to six digits", () => {
    const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for (const [seconds, code] of [[59, "287082"], [1_111_111_109, "081804"], [1_111_111_111, "050471"], [1_234_567_890, "005924"], [2_000_000_000, "279037"], [20_000_000_000, "353130"]] as const) {
      expect(totpCode(secret, totpStep(seconds * 1000))).toBe(code);
    }
  });

  it("hold one step before and after, and no further", async () => {
    const device = app();
    for (const [skew, holds] of [[-2, false], [-1, true], [0, true], [1, true], [2, false]] as const) {
      const outcome = await check({ devices: [device] }, { code: totpCode(device.secret, totpStep(now) + skew) });
      expect("factors" in outcome).toBe(holds);
    }
  });

  it("are taken once, and so is every one before", async () => {
    const device = app();
    const code = totpCode(device.secret, totpStep(now));
    const first = await check({ devices: [device] }, { code: `${code.slice(0, 3)} ${code.slice(3)}` });
    if (!("factors" in first)) throw new Error(first.reason);
    expect(first).toMatchObject({ method: "totp", device: "phone", factors: { devices: [{ lastStep: totpStep(now), lastUsed: now }] } });
    expect(await check(first.factors, { code })).toEqual({ reason: "a code that was used already" });
    expect(await check(first.factors, { code: totpCode(device.secret, totpStep(now) - 1) })).toEqual({ reason: "a code that was used already" });
    expect(await check(first.factors, { code: totpCode(device.secret, totpStep(now) + 1) }, "on", { now: now + totpPeriod })).toHaveProperty("method", "totp");
  });

  it("are no proof where the policy wants a key", async () => {
    const device = app();
    expect(await check({ devices: [device] }, { code: totpCode(device.secret, totpStep(now)) }, "webauthn")).toEqual({ reason: "a wrong code" });
  });

  it("come from a secret that an app can read", () => {
    const uri = new URL(totpUri(newTotpSecret(systemRandom), "ana b@x", "example"));
    expect([uri.protocol, uri.host, uri.searchParams.get("issuer"), uri.searchParams.get("period"), uri.searchParams.get("digits")]).toEqual(["otpauth:", "totp", "Gatehouse example", "30", "6"]);
    expect(uri.searchParams.get("secret")).toMatch(/^[A-Z2-7]{32}$/);
  });
});

describe("recovery codes", () => {
  it("are ten of eighty bits, each good once, for any policy", async () => {
    const { codes, set } = newRecoverySet(systemRandom, now);
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){3}$/);
    for (const policy of ["otp", "webauthn", "on"] as const) {
      const used = await check({ devices: [], recovery: set }, { code: codes[3]!.toUpperCase().replaceAll("-", " ") }, policy);
      if (!("factors" in used)) throw new Error(used.reason);
      expect(used).toMatchObject({ method: "recovery" });
      expect(used.factors.recovery?.digests).toHaveLength(9);
      expect(await check(used.factors, { code: codes[3]! }, policy)).toEqual({ reason: "a wrong code" });
      expect(await check(used.factors, { code: codes[4]! }, policy)).toHaveProperty("method", "recovery");
    }
    for (const text of [...set.digests, set.key]) expect(codes.some((code) => text.includes(normalizeRecoveryCode(code)))).toBe(false);
  });

  it("match nothing else", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const { set } = newRecoverySet(systemRandom, 0);
        expect(set.digests).not.toContain(recoveryDigest(set.key, text));
      }),
      { numRuns: 20 },
    );
  });
});

describe("security keys", () => {
  it("register and answer", async () => {
    const key = softKey(place);
    const device = await keyDevice(key);
    const options = await registrationOptions(party, { name: "ana", handle: "local:1" }, [device], challenge);
    expect(options).toMatchObject({ challenge, rp: { id: "gw.example.com" }, excludeCredentials: [{ id: key.credentialId }], attestation: "none", authenticatorSelection: { userVerification: "preferred" } });
    expect((await authenticationOptions(party, [{ id: key.credentialId, transports: [] }], challenge)).allowCredentials).toEqual([{ id: key.credentialId, type: "public-key" }]);
    const used = await check({ devices: [device] }, { assertion: { response: key.answer(challenge), challenge } });
    expect(used).toMatchObject({ method: "webauthn", device: "key", factors: { devices: [{ counter: 2, lastUsed: now }] } });
  });

  it.each([
    ["another origin", { origin: "https://gw.example.com.evil.test:3080" }],
    ["the right host and another port", { origin: "https://gw.example.com:4443" }],
    ["plain http", { origin: "http://gw.example.com:3080" }],
    ["another relying party", { rpId: "evil.test" }],
  ])("are refused from %s, at registration and after", async (_name, more) => {
    const key = softKey(place);
    await expect(verifyRegistration(party, key.register(challenge, more), challenge)).rejects.toMatchObject({ code: "bad_parameter" });
    const device = await keyDevice(key);
    expect(await check({ devices: [device] }, { assertion: { response: key.answer(challenge, more), challenge } })).toHaveProperty("reason");
  });

  it("are refused for another challenge, by another key, and with a counter that went back", async () => {
    const key = softKey(place);
    const device = await keyDevice(key);
    const other = softKey(place);
    const assertion = (response: unknown) => check({ devices: [device] }, { assertion: { response, challenge } });
    // No challenge is none to answer, however the answer is made.
    expect(await check({ devices: [device] }, { assertion: { response: key.answer(""), challenge: "" } })).toMatchObject({ reason: expect.stringContaining("challenge") as string });
    await expect(verifyRegistration(party, softKey(place).register(""), "")).rejects.toMatchObject({ code: "bad_parameter" });
    expect(await assertion(key.answer(Buffer.from(systemRandom(32)).toString("base64url")))).toHaveProperty("reason");
    expect(await assertion(other.answer(challenge))).toEqual({ reason: "a key that is not theirs" });
    expect(await assertion({ ...(other.answer(challenge) as object), id: key.credentialId, rawId: key.credentialId })).toHaveProperty("reason");
    key.counter = 7;
    const used = await assertion(key.answer(challenge));
    if (!("factors" in used)) throw new Error(used.reason);
    for (const counter of [3, 7]) {
      key.counter = counter;
      expect(await check(used.factors, { assertion: { response: key.answer(challenge), challenge } })).toMatchObject({ reason: expect.stringMatching(/counter/i) as string });
    }
  });

  it("are no proof where the policy wants a code, nor where pages have no host name", async () => {
    const key = softKey(place);
    const device = await keyDevice(key);
    const assertion = { response: key.answer(challenge), challenge };
    expect(await check({ devices: [device] }, { assertion }, "otp")).toHaveProperty("reason");
    expect(await checkProof("on", { devices: [device] }, { code: "", assertion }, { ...tools, party: undefined })).toHaveProperty("reason");
  });

  it("send nothing that brings the gateway down", async () => {
    const key = softKey(place);
    const device = await keyDevice(key);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), fc.record({ id: fc.constant(key.credentialId), rawId: fc.constant(key.credentialId), type: fc.constant("public-key"), clientExtensionResults: fc.constant({}), response: fc.record({ clientDataJSON: fc.base64String(), authenticatorData: fc.base64String(), signature: fc.base64String() }) })), async (response) => {
        expect(await check({ devices: [device] }, { assertion: { response, challenge } })).toHaveProperty("reason");
        await expect(verifyRegistration(party, response, challenge)).rejects.toMatchObject({ code: "bad_parameter" });
      }),
      { numRuns: 100 },
    );
  });
});

describe("a relying party", () => {
  it("is the host of the pages, or the domain that an administrator names", () => {
    const urls = ["https://gw.example.com:443", "https://gw2.example.com:3080", "https://other.test"];
    expect(relyingParty({ secondFactor: "on", rpId: undefined }, urls, "x")).toMatchObject({ id: "gw.example.com", origins: ["https://gw.example.com"] });
    expect(relyingParty({ secondFactor: "on", rpId: "example.com" }, urls, "x")).toMatchObject({ id: "example.com", origins: ["https://gw.example.com", "https://gw2.example.com:3080"] });
    for (const [rpId, url] of [[undefined, "https://127.0.0.1:3080"], [undefined, "https://[::1]:3080"], ["elsewhere.test", urls[0]!]] as const) expect(relyingParty({ secondFactor: "on", rpId }, [url], "x")).toBeUndefined();
  });
});

describe("a check", () => {
  const counting = (): { readonly hashes: MfaHashes; readonly calls: Record<string, number> } => {
    const calls = { totp: 0, recovery: 0, assertion: 0 };
    const hashes: MfaHashes = {
      totp: (...given) => (calls.totp++, mfaHashes.totp(...given)),
      recovery: (...given) => (calls.recovery++, mfaHashes.recovery(...given)),
      assertion: (...given) => (calls.assertion++, mfaHashes.assertion(...given)),
    };
    return { hashes, calls };
  };

  it("is as much work for nobody as for somebody with everything", async () => {
    const key = softKey(place);
    const everything: Factors = { devices: [await keyDevice(key), app(), app({ id: "b" })], recovery: newRecoverySet(systemRandom, 0).set };
    const proofs: Partial<Proof>[] = [{ code: "123456" }, { code: "abcd-efgh-jkmn-pqrs" }, { code: "" }, { assertion: { response: softKey(place).answer(challenge), challenge } }];
    for (const policy of ["otp", "webauthn", "on", "optional"] as const) {
      for (const proof of proofs) {
        const seen = [];
        for (const factors of [{ devices: [] }, everything]) {
          const { hashes, calls } = counting();
          expect(await check(factors, proof, policy, { hashes })).toHaveProperty("reason");
          seen.push(calls);
        }
        expect(seen[0]).toEqual(seen[1]);
        expect(seen[0]).toMatchObject({ totp: 3 * maxDevices, recovery: 1 });
      }
    }
  });

  it("is asked of those whom the policy says", () => {
    const [none, one] = [{ devices: [] }, { devices: [app()] }];
    expect((["off", "otp", "webauthn", "on", "optional"] as const).map((policy) => [needsFactor(policy, none), needsFactor(policy, one)])).toEqual([[false, false], [true, true], [true, true], [true, true], [false, true]]);
  });
});

describe("what is stored", () => {
  it("comes back, with everything secret apart", async () => {
    const key = softKey(place);
    const device = app();
    const { set } = newRecoverySet(systemRandom, now);
    const factors: Factors = { devices: [device, await keyDevice(key)], recovery: set };
    const operation = factorsOperation("ana", factors, undefined);
    if (operation.op !== "put") throw new Error("no put");
    for (const text of [device.secret, set.key, ...set.digests]) expect(operation.value).not.toContain(text);
    expect(readFactors({ ...operation, revision: 7 })).toEqual({ factors, revision: 7 });
    expect(viewOf(factors)).toEqual({ recoveryCodes: 10, recoveryCreated: now, devices: [{ type: "totp", name: "phone", created: 0, lastUsed: undefined }, { type: "webauthn", name: "key", created: 0, lastUsed: undefined }] });
  });
});
