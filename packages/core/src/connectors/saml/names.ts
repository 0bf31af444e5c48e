import { createHash } from "node:crypto";

/** Namespaces of SAML 2.0 and of what it is made with. */
export const namespaces = {
  protocol: "urn:oasis:names:tc:SAML:2.0:protocol",
  assertion: "urn:oasis:names:tc:SAML:2.0:assertion",
  metadata: "urn:oasis:names:tc:SAML:2.0:metadata",
  signature: "http://www.w3.org/2000/09/xmldsig#",
  encryption: "http://www.w3.org/2001/04/xmlenc#",
} as const;

/** Formats of names (SAML 2.0 core §8.3). */
export const nameFormats = {
  unspecified: "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
  transient: "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
  entity: "urn:oasis:names:tc:SAML:2.0:nameid-format:entity",
} as const;

/** Bytes of a response, decoded. */
export const maxResponse = 256 * 1024;

/** What a response may hold. The number of elements is what its verification takes time by, on the thread that serves everybody. */
export const responseLimits = { depth: 32, elements: 1500, attributes: 64, comments: "refuse" } as const;

/** How far the provider's clock may be from this gateway's, in ms. */
export const clockSkew = 60_000;

/** ID of the request that belongs to a login: nobody who does not know its state can answer it, and it need not be kept. */
export function requestId(state: string): string {
  return `_${createHash("sha256").update(`saml request\0${state}`).digest("hex")}`;
}
