import { isIP } from "node:net";

/** Where a host's sshd listens. */
export interface NodeAddress {
  /** A name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

const sshPort = 22;
const maxName = 253;
const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;

/** Why a host cannot be called so, or undefined. It becomes a name in certificates and in `known_hosts`, so no pattern and no address. */
export function hostNameProblem(name: string): string | undefined {
  if (name === "") return "must not be empty";
  if (name.length > maxName) return `has more than ${maxName} characters`;
  if (name !== name.toLowerCase()) return "must be in lower case";
  if (!name.split(".").every((part) => label.test(part))) return "must be a host name: letters, digits, - and _, in parts with dots between";
  // What ends in a number is an IPv4 address to somebody (WHATWG URL, inet_aton).
  return /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name) ? "must not end as an IP address does" : undefined;
}

/** Reads `host`, `host:port`, `[address]:port` or a bare IPv6 address; the port is 22 where none is given. Undefined for what is none. */
export function readNodeAddress(text: string): NodeAddress | undefined {
  if (isIP(text) !== 0) return { host: text.toLowerCase(), port: sshPort };
  const parts = /^(?:\[([^[\]]{2,45})\]|([^:[\]]{1,253}))(?::(\d{1,5}))?$/.exec(text);
  if (!parts) return undefined;
  const [, bracketed, plain, digits] = parts;
  const host = (bracketed ?? plain ?? "").toLowerCase();
  const port = digits === undefined ? sshPort : Number(digits);
  if (port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIP(host) === 6 ? { host, port } : undefined;
  return isIP(host) === 4 || hostNameProblem(host) === undefined ? { host, port } : undefined;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatNodeAddress({ host, port }: NodeAddress): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
}
