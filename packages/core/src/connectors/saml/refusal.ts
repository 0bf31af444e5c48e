import { GatehouseError } from "../../base/index.ts";

/** A refusal of what a provider sent: `access_denied`, with what is wrong in words that are safe for a terminal. */
export function refuse(problem: string, hint?: string, cause?: unknown): GatehouseError {
  return new GatehouseError("access_denied", `the SAML response is refused: ${problem}`, { hint, cause });
}

/** Nobody's known key fits a signature: the provider may have a new one. */
export class UnknownKey extends GatehouseError {
  constructor(cause: unknown, problem = "its signature does not fit, or is not by a key of the provider") {
    super("access_denied", `the SAML response is refused: ${problem}`, {
      hint: "if the provider has a new certificate, an administrator updates the connector's metadata or cert",
      cause,
    });
  }
}
