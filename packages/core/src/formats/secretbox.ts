import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { GatehouseError, type Random } from "../base/index.ts";
import { decodeBase64 } from "./bytes.ts";

const keyLength = 32;
const nonceLength = 24;
const tagLength = 16;
const maxText = 1024 * 1024;

function checkKey(key: Uint8Array): void {
  if (key.length !== keyLength) throw new GatehouseError("bad_parameter", `the key of a sealed answer has ${keyLength} bytes, not ${key.length}`);
}

/**
 * Seals an answer for whoever holds the 32-byte key (NaCl secretbox under a fresh nonce), as JSON text `{"Ciphertext":…,"Nonce":…}` with padded
 * base64 values. Throws `bad_parameter` for a key of another length.
 */
export function seal(key: Uint8Array, plaintext: Uint8Array | string, random: Random): string {
  checkKey(key);
  const nonce = random(nonceLength);
  const ciphertext = xsalsa20poly1305(key, nonce).encrypt(typeof plaintext === "string" ? Buffer.from(plaintext, "utf8") : plaintext);
  return JSON.stringify({ Ciphertext: Buffer.from(ciphertext).toString("base64"), Nonce: Buffer.from(nonce).toString("base64") });
}

function readSealed(text: string): { readonly ciphertext: Buffer; readonly nonce: Buffer } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Its SyntaxError would quote the text.
    throw new GatehouseError("bad_parameter", "the sealed answer is not JSON");
  }
  const fields = typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value as Record<string, unknown>) : [];
  const { Ciphertext: ciphertext, Nonce: nonce } = Object.fromEntries(fields);
  if (fields.length !== 2 || typeof ciphertext !== "string" || typeof nonce !== "string") {
    throw new GatehouseError("bad_parameter", "the sealed answer does not have the fields Ciphertext and Nonce alone");
  }
  return { ciphertext: decodeBase64(ciphertext, "the sealed answer"), nonce: decodeBase64(nonce, "the sealed answer's nonce") };
}

/** Opens what {@link seal} made; at most 1 MiB of text. Throws `bad_parameter`: another shape, another key, or a changed byte. */
export function open(key: Uint8Array, text: string): Buffer {
  checkKey(key);
  if (text.length > maxText) throw new GatehouseError("bad_parameter", "the sealed answer is too large");
  const { ciphertext, nonce } = readSealed(text);
  if (nonce.length !== nonceLength || ciphertext.length < tagLength) throw new GatehouseError("bad_parameter", "the sealed answer is too short");
  try {
    return Buffer.from(xsalsa20poly1305(key, nonce).decrypt(ciphertext));
  } catch (error) {
    throw new GatehouseError("bad_parameter", "the sealed answer was made for another login, or was changed on its way", { cause: error });
  }
}
