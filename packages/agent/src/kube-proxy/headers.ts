import { namedByConnection, withoutHeaders } from "@gatehouse/core/relay";

/** A client's headers as they go on to the gateway. */
export interface PassedHeaders {
  /** Raw name and value pairs, Host not among them. */
  readonly pairs: readonly string[];
  readonly hasBody: boolean;
  /** Bytes, where the client says. */
  readonly contentLength: number | undefined;
}

/** What belongs to the connection here alone (RFC 9110 §7.6.1); Expect was answered already. */
const ofConnection: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-connection", "proxy-authorization", "te", "trailer", "upgrade", "expect", "http2-settings", "host"]);

/**
 * Sorts raw headers. Everything else passes as it came, in its order, and repeated: what a person may not say (`Impersonate-*`, credentials) is the
 * gateway's to refuse, and hidden from it by nothing here, such as a `Connection` header that names it. Of an `upgrade` that header passes, and the framing of a
 * body, which the gateway refuses there.
 */
export function passHeaders(raw: readonly string[], upgrade: boolean): PassedHeaders {
  const pairs: string[] = [];
  const upgrades: string[] = [];
  let named: string[] | undefined;
  let encoding: string | undefined;
  let contentLength: number | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    const lower = name.toLowerCase();
    if (lower === "connection") named = namedByConnection(value, named);
    else if (lower === "upgrade") upgrades.push("Upgrade", value);
    else if (lower === "transfer-encoding") encoding = value;
    else if (!ofConnection.has(lower)) {
      if (lower === "content-length") contentLength = Number(value);
      pairs.push(name, value);
    }
  }
  const gone = named?.filter((name) => !name.startsWith("impersonate") && !name.startsWith("authorization"));
  const kept = gone === undefined || gone.length === 0 ? pairs : withoutHeaders(pairs, gone);
  if (upgrade) kept.push(...upgrades, "Connection", "Upgrade", ...(encoding === undefined ? [] : ["Transfer-Encoding", encoding]));
  return { pairs: kept, hasBody: encoding !== undefined || (contentLength ?? 0) > 0, contentLength };
}
