import { describe, expect, it } from "vitest";
import type { SshLoginResponse } from "../api/index.ts";
import { GatehouseError, manualClock } from "../base/index.ts";
import type { LoginRecord } from "./lean/index.ts";
import { renewLogin, renewalProspect } from "./renew.ts";
import { loginAnswer, newUserKey } from "./testing.ts";
import { verifyLogin } from "./verify.ts";

const key = newUserKey();
const hour = 3_600_000;
const now = Math.floor(Date.now() / 1000) * 1000;

const first: LoginRecord = {
  ...verifyLogin(loginAnswer({ key: key.privateKey }), { privateKey: key.privateKey, privateKeyPem: key.pem, proxy: "gw:3080", user: undefined, now, gatewayNow: now }),
  expires: now + hour / 2,
  renewableUntil: now + 9 * hour,
};

/** Renews where the gateway answers so, its clock at `date`. */
function renew(answer: SshLoginResponse | GatehouseError, { record = first, clock = now, date = now }: { record?: LoginRecord; clock?: number; date?: number } = {}): Promise<LoginRecord> {
  return renewLogin(record, {
    clock: manualClock(clock),
    connect: (asked, { onDate }) => ({
      renew() {
        expect(asked).toBe(record);
        onDate?.(date);
        return answer instanceof GatehouseError ? Promise.reject(answer) : Promise.resolve(answer);
      },
    }),
  });
}

describe("a renewed login", () => {
  it("is the old one with new certificates over the same key", async () => {
    const answer = { ...loginAnswer({ key: key.privateKey }), renewable_until: now + 9 * hour };
    const renewed = await renew(answer);
    expect(renewed).toMatchObject({ proxy: "gw:3080", cluster: "example", username: "ana", privateKey: first.privateKey, renewableUntil: now + 9 * hour, issued: now });
    expect(renewed.tlsCertificate).not.toBe(first.tlsCertificate);
    expect(renewed.expires).toBeGreaterThan(first.expires);
  });

  it("that may be renewed no more says so", async () => {
    expect(await renew(loginAnswer({ key: key.privateKey }))).not.toHaveProperty("renewableUntil");
  });

  it("is judged by the gateway's clock: one here that is off by hours throws no answer away", async () => {
    const behind = await renew(loginAnswer({ key: key.privateKey }), { clock: now - 5 * hour });
    expect(behind.issued).toBe(now - 5 * hour);
    const ahead = await renew(loginAnswer({ key: key.privateKey }), { clock: now + 5 * hour });
    expect(ahead.issued).toBe(now + 5 * hour);
  });

  it.each([
    ["for another key", () => loginAnswer({ key: newUserKey().privateKey }), /not over the key/],
    ["for another person", () => loginAnswer({ key: key.privateKey, username: "bo" }), /it is for bo, not for ana/],
    ["for another cluster", () => { const answer = loginAnswer({ key: key.privateKey }); return { ...answer, host_signers: answer.host_signers.map((signer) => ({ ...signer, domain_name: "else" })) }; }, /for cluster else, not for example/],
    ["that has ended by the gateway's own clock", () => loginAnswer({ key: key.privateKey, content: { notBefore: now - 2 * hour, notAfter: now - hour } }), /has ended already/],
  ])("%s is refused", async (_, answer, message) => {
    await expect(renew(answer())).rejects.toThrow(message);
  });

  it.each([
    ["access_denied", "refused"],
    ["not_found", "never"],
    ["bad_parameter", "never"],
    ["unauthenticated", "over"],
    ["limit_exceeded", "later"],
    ["unavailable", "later"],
    ["internal", "later"],
  ] as const)("refused with %s means: %s", async (code, prospect) => {
    const refusal = new GatehouseError(code, "no");
    await expect(renew(refusal)).rejects.toBe(refusal);
    expect(renewalProspect(refusal)).toBe(prospect);
  });
});
