import { createHash } from "node:crypto";
import { GatehouseError, escapeLine } from "../base/index.ts";
import type { LoginAnswer } from "./types.ts";

/** PKCE challenge of a verifier (RFC 7636 §4.2, `S256`). */
export function codeChallenge(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

/** The code that a provider sent with the browser (RFC 6749 §4.1.2). Throws what it sent instead: `access_denied` where it refused, else `internal`. */
export function readCode(provider: string, parameters: LoginAnswer["parameters"]): string {
  const { error, error_description: description, code } = parameters;
  if (error !== undefined) {
    const said = escapeLine((description ?? error).slice(0, 200));
    if (error === "access_denied") throw new GatehouseError("access_denied", `${provider} refused the login: ${said}`);
    throw new GatehouseError("internal", `${provider} refused the login: ${said} (${escapeLine(error.slice(0, 100))})`);
  }
  if (code === undefined || !/^[\x21-\x7e]{1,4096}$/.test(code)) throw new GatehouseError("internal", `${provider} sent the browser back without a code`);
  return code;
}
