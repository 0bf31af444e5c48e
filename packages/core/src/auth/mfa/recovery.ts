import { createHmac } from "node:crypto";
import { randomHex, type Random } from "../../base/index.ts";
import type { RecoverySet } from "./types.ts";

/** Codes of a set. */
export const recoveryCodeCount = 10;

/** Crockford's base32: no letter that is taken for another, or for a digit. */
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const length = 16;

/** 80 random bits: four groups of four. */
function newCode(random: Random): string {
  return Array.from(random(length), (byte) => alphabet.charAt(byte % 32)).join("").replace(/(.{4})(?=.)/g, "$1-");
}

/** A code as people type it, without what does not matter: case, blanks, dashes, and letters that look like digits. */
export function normalizeRecoveryCode(text: string): string {
  return text.slice(0, 100).toLowerCase().replace(/[\s-]/g, "").replace(/[il]/g, "1").replace(/o/g, "0");
}

/** Hex of HMAC-SHA-256: a code has 80 random bits, so a slow hash would add nothing. */
export function recoveryDigest(key: string, code: string): string {
  return createHmac("sha256", Buffer.from(key, "hex")).update(normalizeRecoveryCode(code)).digest("hex");
}

/** A new set: the codes, to be shown once, and what is kept of them. */
export function newRecoverySet(random: Random, now: number): { readonly codes: readonly string[]; readonly set: RecoverySet } {
  const key = randomHex(random, 32);
  const codes = Array.from({ length: recoveryCodeCount }, () => newCode(random));
  return { codes, set: { created: now, key, digests: codes.map((code) => recoveryDigest(key, code)) } };
}
