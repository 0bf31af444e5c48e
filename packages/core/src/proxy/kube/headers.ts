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
    passed: named === undefined ? passed : without(passed, named),
    impersonation: impersonation ?? none,
    upgrade,
    hasBody: encoded || (contentLength ?? 0) > 0,
    contentLength,
    problem,
  };
}

/** Header names in a `Connection` value, but for the options that are no header of ours to remove. */
function namedByConnection(value: string, before: string[] | undefined): string[] | undefined {
  if (value === "keep-alive" || value === "Upgrade" || value === "upgrade" || value === "close") return before;
  const names = before ?? [];
  for (const part of value.split(",")) {
    const name = part.trim().toLowerCase();
    if (name !== "" && name !== "keep-alive" && name !== "close" && name !== "upgrade" && name !== "content-length") names.push(name);
  }
  return names.length === 0 ? undefined : names;
}

function without(pairs: readonly string[], names: readonly string[]): string[] {
  const rest: string[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index] ?? "";
    if (!names.includes(name.toLowerCase())) rest.push(name, pairs[index + 1] ?? "");
  }
  return rest;
}

function keepProtocols(passed: string[], name: string, value: string): void {
  if (!value.toLowerCase().includes(bearerProtocol)) {
    passed.push(name, value);
    return;
  }
  const kept = value.split(",").map((part) => part.trim()).filter((part) => part !== "" && !part.toLowerCase().startsWith(bearerProtocol));
  if (kept.length > 0) passed.push(name, kept.join(", "));
}

const answerHopByHop: ReadonlySet<string> = new Set(["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]);

/** The headers of an upstream's answer that go to the client, as raw pairs; hop-by-hop ones, and those that `Connection` names, do not. */
export function answerHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): string[] {
  const pairs: string[] = [];
  const connection = headers["connection"];
  const named = typeof connection === "string" ? namedByConnection(connection, undefined) : undefined;
  for (const name in headers) {
    if (answerHopByHop.has(name) || named?.includes(name) === true) continue;
    const value = headers[name];
    if (typeof value === "string") pairs.push(name, value);
    else if (value !== undefined) for (const one of value) pairs.push(name, one);
  }
  return pairs;
}
