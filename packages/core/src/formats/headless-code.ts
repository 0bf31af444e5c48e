import { createHash } from "node:crypto";

/** Crockford's base 32: no letter that is read as a digit. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const length = 8;

/** What a login that is approved elsewhere is known by; all of it, so that no request can stand in for another. */
export interface HeadlessFacts {
  /** Id of the request, as it is in the address that the browser opens. */
  readonly id: string;
  /** What the gateway told the asking terminal alone. */
  readonly pollSecret: string;
  /** `authorized_keys` line of the terminal's key; type and key of it count. */
  readonly publicKey: string;
}

/**
 * The code that the terminal shows and that its person types in the browser: 40 bits of SHA-256 over what the request is, as `XXXX-XXXX`. Terminal
 * and gateway work it out on their own; it travels by the person alone.
 */
export function headlessCode({ id, pollSecret, publicKey }: HeadlessFacts): string {
  const hash = createHash("sha256").update("gatehouse headless code\0");
  for (const part of [id, pollSecret, publicKey.trim().split(/\s+/).slice(0, 2).join(" ")]) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  let bits = hash.digest().readUIntBE(0, 5);
  let code = "";
  for (let at = 0; at < length; at++) {
    code = (alphabet[bits % 32] ?? "") + code;
    bits = Math.floor(bits / 32);
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** A code as it was typed: in any case, with or without the dash and spaces, O for 0 and I or L for 1. Undefined for what is no code. */
export function readHeadlessCode(typed: string): string | undefined {
  const plain = typed.slice(0, 64).replace(/[\s\u00a0‐‑–—-]/g, "").toUpperCase().replaceAll("O", "0").replace(/[IL]/g, "1");
  return /^[0-9A-HJKMNP-TV-Z]{8}$/.test(plain) ? `${plain.slice(0, 4)}-${plain.slice(4)}` : undefined;
}
