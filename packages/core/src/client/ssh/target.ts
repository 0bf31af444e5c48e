import { isIP } from "node:net";
import { GatehouseError, escapeLine } from "../../base/index.ts";

/** What a person writes for a host. */
export interface HostTarget {
  readonly login: string | undefined;
  /** Name, id, address (IPv6 without brackets), or `label=value[,label=value]`. */
  readonly host: string;
  readonly port: number | undefined;
}

const maxTarget = 1024;

/** `host` or `host:port`, the host in brackets where it holds colons or may. */
function splitPort(text: string): { readonly host: string; readonly port: number | undefined } | undefined {
  if (isIP(text) === 6) return { host: text, port: undefined };
  const match = /^\[([^[\]]+)\](?::(\d{1,5}))?$/.exec(text) ?? (text.includes("=") ? /^([^[\]]+?)(?::(\d{1,5}))?$/ : /^([^:[\]]+)(?::(\d{1,5}))?$/).exec(text);
  if (!match?.[1]) return undefined;
  const port = match[2] === undefined ? undefined : Number(match[2]);
  return port !== undefined && (port < 1 || port > 65_535) ? undefined : { host: match[1], port };
}

/** Reads `[login@]host[:port]`, IPv6 with a port in brackets. The login ends at the last `@`, as for OpenSSH. Throws `usage`. */
export function parseHostTarget(text: string): HostTarget {
  const at = text.lastIndexOf("@");
  const login = at < 0 ? undefined : text.slice(0, at);
  const place = text.length > maxTarget || /[\s\0-\x1f\x7f]/.test(text) ? undefined : splitPort(text.slice(at + 1));
  // A word that begins with a dash would be a flag to whatever it is passed on to.
  if (!place || login === "" || [place.host, login].some((word) => word?.startsWith("-") === true)) {
    throw new GatehouseError("usage", `"${escapeLine(text.slice(0, 300))}" is not a host`, { hint: "write it as host, login@host, login@host:port or login@label=value" });
  }
  return { login, ...place };
}

/** Whether hosts are chosen by their labels. */
export const isLabelTarget = (host: string): boolean => host.includes("=");
