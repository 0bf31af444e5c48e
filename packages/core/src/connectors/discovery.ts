import { isLoopback } from "./addresses.ts";

/** Where an issuer describes itself (OpenID Connect Discovery 1.0 §4). */
export const discoveryUrl = (issuer: string): string => `${issuer.replace(/\/+$/, "")}/.well-known/openid-configuration`;

/** Whether what a provider says of itself may send the gateway to this address. `plain`: without TLS too, on this machine, as for a provider that is there itself. */
export function isSafeAddress(address: string, plain: boolean): boolean {
  if (!URL.canParse(address)) return false;
  const url = new URL(address);
  if (url.username !== "" || url.password !== "" || url.hash !== "") return false;
  return url.protocol === "https:" || (plain && url.protocol === "http:" && isLoopback(url));
}
