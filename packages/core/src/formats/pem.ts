import { GatehouseError } from "../base/index.ts";
import { asBuffer, decodeBase64 } from "./bytes.ts";

/** Largest certificate, in bytes of DER. */
export const maxCertificateDer = 64 * 1024;

/** PEM (RFC 7468) of a certificate's DER, newline-terminated. */
export function encodeCertificatePem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${asBuffer(der).toString("base64").replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;
}

/** DER of one certificate in DER or PEM. Throws `bad_parameter`: no PEM, more than one certificate, over 64 KiB. */
export function certificateDer(input: string | Uint8Array): Buffer {
  const bytes = typeof input === "string" ? undefined : asBuffer(input);
  if (bytes && bytes[0] !== 0x2d) return limited(bytes);
  const text = typeof input === "string" ? input : input.length > 2 * maxCertificateDer ? "" : Buffer.from(input).toString("latin1");
  const match = text.length > 2 * maxCertificateDer ? null : /^\s*-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----\s*$/.exec(text);
  if (!match) throw new GatehouseError("bad_parameter", "the certificate is not one PEM block of type CERTIFICATE");
  return limited(decodeBase64((match[1] ?? "").replaceAll(/\s+/g, ""), "the certificate"));
}

function limited(der: Buffer): Buffer {
  if (der.length > maxCertificateDer) throw new GatehouseError("bad_parameter", `the certificate is larger than ${maxCertificateDer} bytes`);
  return der;
}
