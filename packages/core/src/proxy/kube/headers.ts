import { namedByConnection, withoutHeaders } from "../../relay/index.ts";

/** A client's headers, sorted into what goes on and what the gateway itself looks at. */
export interface IncomingHeaders {
  /** Raw name and value pairs that may pass. */
  readonly passed: string[];
  /** `Impersonate-*` as they came: lower-case name, value. */
  readonly impersonation: readonly (readonly [string, string])[];
  readonly upgrade: string | undefined;
  readonly hasBody: boolean;
  /** Bytes of body, when `Content-Length` says. */
  readonly contentLength: number | undefined;
  /** Why the headers are refused. */
  readonly problem: string | undefined;
}

type Treatment = "drop" | "connection" | "host" | "length" | "encoding" | "protocols" | "upgrade";

/** What never passes as it is. Hop-by-hop headers (RFC 9110 §7.6.1), credentials, and what a later hop would believe about the sender. */
const treatments: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ["host", "host"],
  ["connection", "connection"],
  ["content-length", "length"],
  ["transfer-encoding", "encoding"],
  ["sec-websocket-protocol", "protocols"],
  ["upgrade", "upgrade"],
  ["keep-alive", "drop"],
  ["proxy-connection", "drop"],
  ["proxy-authorization", "drop"],
  ["proxy-authenticate", "drop"],
  ["te", "drop"],
  ["trailer", "drop"],
  ["expect", "drop"],
  ["http2-settings", "drop"],
  ["authorization", "drop"],
  ["forwarded", "drop"],
  ["x-real-ip", "drop"],
  ["x-client-ip", "drop"],
]);

const none: readonly (readonly [string, string])[] = [];
const bearerProtocol = "base64url.bearer.authorization.k8s.io.";

/**
 * Sorts the raw headers of a request. Names are compared without case and with `_` read as `-`, as some servers do; repeated headers
 * are each looked at. Nothing of `Impersonate-*`, `Authorization`, `X-Remote-*`, `X-Forwarded-*`, hop-by-hop headers (those that
 * `Connection` names too) or bearer tokens in `Sec-WebSocket-Protocol` is in `passed`.
 */
export function sortHeaders(raw: readonly string[]): IncomingHeaders {
  const passed: string[] = [];
  let impersonation: (readonly [string, string])[] | undefined;
  let upgrade: string | undefined;
  let problem: string | undefined;
  let hosts = 0;
  let encoded = false;
  let contentLength: number | undefined;
  let named: string[] | undefined;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] ?? "";
    const value = raw[index + 1] ?? "";
    let lower = name.toLowerCase();
    if (lower.includes("_")) {
      lower = lower.replaceAll("_", "-");
      if (treatments.has(lower)) continue;
    }
    switch (treatments.get(lower)) {
      case undefined: {
        const first = lower.charCodeAt(0);
        if (first === 0x69 && lower.startsWith("impersonate")) (impersonation ??= []).push([lower, value]);
        else if (first === 0x78 && (lower.startsWith("x-remote") || lower.startsWith("x-forwarded"))) continue;
        else passed.push(name, value);
        break;
      }
      case "host":
        if (++hosts > 1) problem = "the request has more than one Host header";
        break;
      case "connection":
        named = namedByConnection(value, named);
        break;
      case "length":
        if (contentLength !== undefined) problem = "the request has more than one Content-Length header";
        contentLength = Number(value);
        passed.push(name, value);
        break;
      case "encoding":
        encoded = true;
        if (value.toLowerCase() !== "chunked") problem = "the request has a Transfer-Encoding other than chunked";
        break;
      case "protocols":
        keepProtocols(passed, name, value);
        break;
      case "upgrade":
        if (upgrade !== undefined) problem = "the request has more than one Upgrade header";
        upgrade = value;
        break;
      default:
        break;
    }
  }
  if (encoded && contentLength !== undefined) problem = "the request has both Content-Length and Transfer-Encoding";
  return {
    passed: named === undefined ? passed : withoutHeaders(passed, named),
    impersonation: impersonation ?? none,
    upgrade,
    hasBody: encoded || (contentLength ?? 0) > 0,
    contentLength,
    problem,
  };
}

function keepProtocols(passed: string[], name: string, value: string): void {
  if (!value.toLowerCase().includes(bearerProtocol)) {
    passed.push(name, value);
    return;
  }
  const kept = value.split(",").map((part) => part.trim()).filter((part) => part !== "" && !part.toLowerCase().startsWith(bearerProtocol));
  if (kept.length > 0) passed.push(name, kept.join(", "));
}
