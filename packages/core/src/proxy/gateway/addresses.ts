import { isIP } from "node:net";
import { networkInterfaces } from "node:os";

/** `host:port`, with brackets around an IPv6 address. */
export function formatAddress(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
}

/** Listens on every interface: an address that nobody can dial. */
export function isWildcard(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::" || host === "::0";
}

/** How people reach a listener: the first public address, else the bound one, else (bound everywhere) this machine's name. */
export function publicAddress(
  configured: readonly { readonly host: string; readonly port: number }[],
  bound: { readonly host: string; readonly port: number },
  hostname: string,
): { readonly host: string; readonly port: number } {
  const [first] = configured;
  if (first) return { host: first.host, port: first.port === 0 ? bound.port : first.port };
  return { host: isWildcard(bound.host) ? hostname : bound.host, port: bound.port };
}

/** IP addresses under which a listener answers: its own, or each of this machine's where it listens on all. */
export function listenerIps(host: string): readonly string[] {
  if (isIP(host) !== 0 && !isWildcard(host)) return [host];
  if (!isWildcard(host)) return [];
  return Object.values(networkInterfaces()).flatMap((infos) => (infos ?? []).filter((info) => !info.address.startsWith("fe80:")).map((info) => info.address));
}
