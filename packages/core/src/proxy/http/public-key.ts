import { GatehouseError, limits } from "../../base/index.ts";

/** An `authorized_keys` line that travels in base64. Throws `bad_parameter`, `limit_exceeded`. */
export function publicKeyLine(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length === 0 || bytes.toString("base64") !== base64) throw new GatehouseError("bad_parameter", "the public key is not base64 of an authorized_keys line");
  if (bytes.length > limits.publicKey) throw new GatehouseError("limit_exceeded", `the public key is larger than ${String(limits.publicKey)} bytes`);
  return bytes.toString("utf8");
}
