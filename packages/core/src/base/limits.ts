import { GatehouseError } from "./errors.ts";

/** Limits that more than one room shares. Sizes in bytes, times in ms. */
export const limits = {
  /** Body of a web or admin API request, and of an answer that a client reads. */
  apiBody: 1024 * 1024,
  /** A resource file. */
  resourceFile: 1024 * 1024,
  /** A person's public key line. */
  publicKey: 16 * 1024,
  /** Every SSO step: from the start to the certificate. */
  loginTime: 180_000,
  /** Certificate lifetimes that may be asked for. */
  minCertificateTtl: 60_000,
  maxCertificateTtl: 30 * 3_600_000,
  defaultCertificateTtl: 12 * 3_600_000,
} as const;

/** Reads a stream to its end. Throws `limit_exceeded` as soon as more than `limit` bytes came. */
export async function readAll(stream: AsyncIterable<Uint8Array | string>, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    total += bytes.length;
    if (total > limit) throw new GatehouseError("limit_exceeded", `${what} is larger than ${String(limit)} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
