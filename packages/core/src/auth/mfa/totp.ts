import { HOTP, Secret, TOTP } from "otpauth";
import type { Random } from "../../base/index.ts";

/** ms of one step (RFC 6238 §5.2). */
export const totpPeriod = 30_000;
const digits = 6;
const algorithm = "SHA1";

/** Steps that a clock may be off, either way. */
export const totpSkew = 1;

/** A new secret: 20 bytes (RFC 4226 §4) in base32. */
export function newTotpSecret(random: Random): string {
  return new Secret({ buffer: Uint8Array.from(random(20)).buffer }).base32;
}

/** The code of one step. */
export function totpCode(secret: string, step: number): string {
  return HOTP.generate({ secret: Secret.fromBase32(secret), algorithm, digits, counter: step });
}

/** The step that a time (ms since the epoch) is in. */
export function totpStep(time: number): number {
  return Math.floor(time / totpPeriod);
}

/** What an authenticator app reads from a QR code. */
export function totpUri(secret: string, user: string, cluster: string): string {
  return new TOTP({ issuer: `Gatehouse ${cluster}`, label: user, secret: Secret.fromBase32(secret), algorithm, digits, period: totpPeriod / 1000 }).toString();
}
