import { timingSafeEqual } from "node:crypto";
import { errorMessage } from "../../base/index.ts";
import type { SecondFactor } from "../../resources/index.ts";
import { maxDevices } from "./record.ts";
import { normalizeRecoveryCode, recoveryCodeCount, recoveryDigest } from "./recovery.ts";
import { totpCode, totpSkew, totpStep } from "./totp.ts";
import type { Device, Factors, MfaHashes, Proof, RelyingParty, TotpDevice, Unproved, Used, WebauthnDevice } from "./types.ts";
import { credentialOf, verifyAssertion } from "./webauthn.ts";

export const mfaHashes: MfaHashes = { totp: totpCode, recovery: recoveryDigest, assertion: verifyAssertion };

/** What a check works with. */
export interface CheckTools {
  readonly hashes: MfaHashes;
  readonly now: number;
  /** Undefined where no page of this gateway can ask a key. */
  readonly party: RelyingParty | undefined;
}

/** Stand-ins for whoever has none: checking them takes as long, and what they match is not looked at. */
const nobody = {
  totp: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
  recoveryKey: "00".repeat(32),
  digest: "00".repeat(32),
  // Some point of P-256 as COSE (RFC 9053 §7.1).
  key: "pQECAyYgASFYIGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWIlggT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU",
} as const;

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** The app and the step whose code this is. As much work whatever somebody has: every step of as many apps as one may have. */
function matchTotp(devices: readonly TotpDevice[], code: string, { hashes, now }: CheckTools): { readonly device: TotpDevice; readonly step: number } | undefined {
  const current = totpStep(now);
  let found: { readonly device: TotpDevice; readonly step: number } | undefined;
  for (let slot = 0; slot < maxDevices; slot++) {
    const device = devices[slot];
    for (let step = current - totpSkew; step <= current + totpSkew; step++) {
      const matches = equal(hashes.totp(device?.secret ?? nobody.totp, step), code);
      if (matches && device) found = { device, step };
    }
  }
  return found;
}

function matchRecovery({ recovery }: Factors, code: string, { hashes }: CheckTools): number | undefined {
  const digest = hashes.recovery(recovery?.key ?? nobody.recoveryKey, code);
  let found: number | undefined;
  for (let slot = 0; slot < recoveryCodeCount; slot++) {
    const kept = recovery?.digests[slot];
    if (equal(kept ?? nobody.digest, digest) && kept !== undefined) found = slot;
  }
  return found;
}

function replace(factors: Factors, device: Device): Factors {
  return { ...factors, devices: factors.devices.map((other) => (other.id === device.id ? device : other)) };
}

async function checkAssertion(factors: Factors, proof: Proof, tools: CheckTools): Promise<Used | Unproved> {
  const { assertion } = proof;
  const { party, hashes, now } = tools;
  if (!assertion || !party) return { reason: "no answer of a key" };
  const id = credentialOf(assertion.response);
  if (id === undefined) return { reason: "the key's answer cannot be read" };
  const device = factors.devices.find((candidate): candidate is WebauthnDevice => candidate.type === "webauthn" && candidate.credentialId === id);
  try {
    const counter = await hashes.assertion(party, assertion, device ?? { credentialId: id, publicKey: nobody.key, counter: 0 });
    if (!device) return { reason: "a key that is not theirs" };
    return { factors: replace(factors, { ...device, counter, lastUsed: now }), method: "webauthn", device: device.name };
  } catch (error) {
    return { reason: device ? `the key "${device.name}": ${errorMessage(error)}` : "a key that is not theirs" };
  }
}

/** Whether a user has to show a second factor. */
export function needsFactor(policy: SecondFactor, factors: Factors): boolean {
  return policy !== "off" && (policy !== "optional" || factors.devices.length > 0);
}

/**
 * Checks a proof against somebody's factors, or nobody's: the same functions are called as often for either. Which kinds count is the policy's to say;
 * a recovery code stands in for any. Nothing is used up until the caller stores {@link Used.factors}.
 */
export async function checkProof(policy: SecondFactor, factors: Factors, proof: Proof, tools: CheckTools): Promise<Used | Unproved> {
  const digits = proof.code.replace(/\s/g, "").slice(0, 64);
  const apps = factors.devices.filter((device) => device.type === "totp");
  const app = matchTotp(policy === "webauthn" ? [] : apps, digits, tools);
  const slot = matchRecovery(factors, normalizeRecoveryCode(proof.code), tools);
  const byKey = await checkAssertion(policy === "otp" ? { devices: [] } : factors, proof, tools);
  if ("factors" in byKey) return byKey;
  const { now } = tools;
  if (app) {
    if (app.step <= app.device.lastStep) return { reason: "a code that was used already" };
    return { factors: replace(factors, { ...app.device, lastStep: app.step, lastUsed: now }), method: "totp", device: app.device.name };
  }
  const { recovery } = factors;
  if (slot !== undefined && recovery) {
    return { factors: { ...factors, recovery: { ...recovery, digests: recovery.digests.filter((_, index) => index !== slot) } }, method: "recovery" };
  }
  if (proof.assertion) return byKey;
  return { reason: proof.code === "" ? "none was given" : "a wrong code" };
}
