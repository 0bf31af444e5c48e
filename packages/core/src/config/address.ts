import { isIP, isIPv6 } from "node:net";
import type { TextProblem } from "./reader.ts";
import type { ListenAddress, PublicAddress } from "./types.ts";

/** Ports that v3 listens on (reference §14). */
export const defaultPorts = { web: 3080, ssh: 3023, admin: 3025, kube: 3026, diag: 3000 } as const;
/** v3's bind address. */
export const anyHost = "0.0.0.0";

interface Parts {
  readonly host: string;
  readonly port: string | undefined;
}

function split(text: string): Parts | undefined {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) return isIPv6(bracketed[1] ?? "") ? { host: bracketed[1] ?? "", port: bracketed[2] } : undefined;
  if (isIPv6(text)) return { host: text, port: undefined };
  const colon = text.indexOf(":");
  if (colon < 0) return { host: text, port: undefined };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function isHostName(host: string): boolean {
  // What looks like an IPv4 address and is none would be asked of DNS.
  if (/^[0-9.]+$/.test(host)) return isIP(host) !== 0;
  return host.length <= 253 && host.split(".").every((label, index, all) => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label) || (label === "" && index > 0 && index === all.length - 1));
}

function parse(given: string, defaultPort: number): { readonly host: string; readonly port: number } | TextProblem {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(given)?.[1];
  if (scheme !== undefined && scheme.toLowerCase() !== "tcp") return { problem: `is an address of scheme ${scheme}: write host:port` };
  const text = scheme === undefined ? given : given.slice(scheme.length + 3);
  const parts = text === "" ? undefined : split(text);
  if (!parts) return { problem: "is not an address: write host, host:port or [ipv6]:port" };
  const { host, port } = parts;
  if (host !== "" && !isIPv6(host) && !isHostName(host)) return { problem: `has no valid host name or IP address: "${host}"` };
  if (port === undefined) return { host, port: defaultPort };
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return { problem: `has no valid port: "${port}" is not 0 to 65535` };
  return { host, port: Number(port) };
}

/** An address to listen on: `host`, `host:port`, `:port`, `[ipv6]:port`, any of them after `tcp://`. Without a host it is every IPv4 address. */
export function parseListenAddress(text: string, defaultPort: number): ListenAddress | TextProblem {
  const address = parse(text, defaultPort);
  return "problem" in address || address.host !== "" ? address : { ...address, host: anyHost };
}

/** An address that clients are told: like {@link parseListenAddress}, but it needs a host, and a port that is not 0. */
export function parsePublicAddress(text: string, defaultPort: number): PublicAddress | TextProblem {
  const address = parse(text, defaultPort);
  if ("problem" in address) return address;
  if (address.host === "" || address.host === anyHost || address.host === "::") return { problem: "names no host that clients could reach" };
  if (address.port === 0) return { problem: "names port 0, which clients cannot reach" };
  return address;
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: ListenAddress): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
