import { GatehouseError, escapeLine } from "../../base/index.ts";

/** What a person writes for a host. */
export interface HostTarget {
  readonly login: string | undefined;
  /** Name, id, address (IPv6 without brackets), or `label=value[,label=value]`. */
  readonly host: string;
  readonly port: number | undefined;
}

const maxTarget = 1024;

/** Reads `[login@]host[:port]`, IPv6 with a port in brackets. The login ends at the last `@`, as for OpenSSH. Throws `usage`. */
export function parseHostTarget(text: string): HostTarget {
  const at = text.lastIndexOf("@");
  const login = at < 0 ? undefined : text.slice(0, at);
  const rest = text.slice(at + 1);
  const match = /^\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\](?::(\d{1,5}))?$/.exec(rest) ?? /^([^:[\]]*(?:=.*?)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*)(?::(\d{1,5}))?$/.exec(rest);
  const host = match?.[1] ?? "";
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  const sound = text.length <= maxTarget && login !== "" && host !== "" && !/[\s\0-\x1f\x7f]/.test(text) && !host.startsWith("-") && login?.startsWith("-") !== true;
  if (!sound || (port !== undefined && (port < 1 || port > 65_535))) {
    throw new GatehouseError("usage", `"${escapeLine(text.slice(0, 300))}" is not a host`, { hint: "write it as host, login@host, login@host:port or login@label=value" });
  }
  return { login, host, port };
}

/** Whether hosts are chosen by their labels. */
export const isLabelTarget = (host: string): boolean => host.includes("=");
