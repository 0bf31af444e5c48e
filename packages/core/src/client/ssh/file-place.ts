import { GatehouseError, escapeLine } from "../../base/index.ts";
import { parseHostTarget, type HostTarget } from "./target.ts";

/** A file or folder, here or on a host. */
export type FilePlace = { readonly host: undefined; readonly path: string } | { readonly host: HostTarget; readonly path: string };

/**
 * Reads `path` or `[login@]host:path`, as scp does: the first colon ends the host, unless a slash stands before it; IPv6 addresses stand in brackets. An
 * empty path on a host is the account's home. Throws `usage`.
 */
export function parseFilePlace(text: string): FilePlace {
  const match = /^((?:[^:/@[\]]+(?:@[^:/@[\]]+)*@)?(?:\[[^[\]/]+\]|[^:/@[\]]+)):([\s\S]*)$/.exec(text);
  if (!match?.[1]) {
    if (text === "") throw new GatehouseError("usage", "an empty name is no file");
    return { host: undefined, path: text };
  }
  const host = parseHostTarget(match[1]);
  if (host.port !== undefined) throw new GatehouseError("usage", `"${escapeLine(text)}": the port goes into -P`);
  return { host, path: match[2] ?? "" };
}
