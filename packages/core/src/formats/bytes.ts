import { GatehouseError } from "../base/index.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Text of UTF-8 bytes. Throws `bad_parameter` where they are not valid UTF-8 or contain NUL. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (error) {
    throw new GatehouseError("bad_parameter", `${what} is not UTF-8`, { cause: error });
  }
  if (text.includes("\0")) throw new GatehouseError("bad_parameter", `${what} contains a NUL character`);
  return text;
}

/** Bytes of padded standard base64, written as an encoder would write it. Throws `bad_parameter` for anything else. */
export function decodeBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new GatehouseError("bad_parameter", `${what} is not valid base64`);
  return bytes;
}

/** Whether a text can be written to a format whose texts are UTF-8 without NUL (no lone surrogates). */
export function isPlainText(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}
