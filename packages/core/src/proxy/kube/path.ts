/** What a request is about, as the API server's own parser will see it (k8s.io/apiserver `RequestInfo`). */
export interface KubePath {
  /** False for `/version`, `/healthz`, discovery, …: then everything below is empty. */
  readonly isResource: boolean;
  readonly apiGroup: string;
  readonly namespace: string;
  readonly resource: string;
  readonly name: string;
  readonly subresource: string;
  /** `watch` or `proxy` where the path itself says so (`/api/v1/watch/pods`). */
  readonly prefixVerb: "" | "watch" | "proxy";
  /** Decoded first segment of what follows name and subresource: of a proxied path, where it begins over there. */
  readonly tail: string;
}

/** A request target taken apart, or why it is refused. */
export type Target =
  | { readonly ok: true; readonly path: KubePath; /** Path without its query. */ readonly pathname: string; /** Without `?`. */ readonly query: string }
  | { readonly ok: false; readonly problem: string };

const nonResource: KubePath = { isResource: false, apiGroup: "", namespace: "", resource: "", name: "", subresource: "", prefixVerb: "", tail: "" };

const visibleAscii = /^[!-~]*$/;
/** Characters of segments that decide what a request is: never encoded, so that no two parsers can read them differently. */
const structure = /^[A-Za-z0-9._~:-]*$/;
const malformedEscape = /%(?![0-9A-Fa-f]{2})/;
/** What a decoded name may not contain (k8s.io/apimachinery `IsValidPathSegmentName`), and characters that some parser treats as a separator. */
const unsafeInName = /[\u0000-\u001f\u007f/\\%]/u;
const unsafeInTail = /[\u0000-\u001f\u007f/\\]/u;
const namespaceSubresources: readonly string[] = ["status", "finalize"];

/** Pairs of a query that Go reads; of a query with more it reads none (`urlmaxqueryparams`). */
const maxPairs = 10_000;

/** What Go's `url.ParseQuery` drops together with its pair, or reads as part of a name, where others read on. */
function queryProblem(query: string): string | undefined {
  if (query.includes(";")) return "the query has a semicolon";
  if (query.startsWith("?")) return "the query begins with a question mark";
  if (query.length >= maxPairs && query.split("&").length > maxPairs) return `the query has more than ${String(maxPairs)} parameters`;
  return malformedEscape.test(query) ? "the query has a malformed percent-encoding" : undefined;
}

const refuse = (problem: string): Target => ({ ok: false, problem });

/**
 * Takes a request target apart as Go's decoded `URL.Path` will be on the API server, and refuses any that two parsers could read
 * differently: encodings in segments that decide (version, namespace, resource, subresource), encoded slashes, empty and dot segments,
 * backslashes, control characters, fragments, absolute forms. Names and what follows a `proxy` subresource may carry other encoded characters.
 * So it does with queries that Go reads otherwise than `URLSearchParams`: semicolons, malformed encodings, a second question mark, more parameters
 * than Go takes, and, but for what a proxied service gets, bytes that are not UTF-8.
 */
export function parseTarget(target: string): Target {
  if (target.charCodeAt(0) !== 0x2f) return refuse("the request target is not a path");
  if (!visibleAscii.test(target)) return refuse("the request target has characters that must be encoded");
  if (target.includes("#")) return refuse("the request target has a fragment");
  const question = target.indexOf("?");
  const pathname = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? "" : target.slice(question + 1);
  if (pathname.includes("\\")) return refuse("the path has a backslash");
  const segments = pathname.split("/");
  segments.shift();
  const last = segments.length - 1;
  if (last > 0 && segments[last] === "") segments.pop();
  const encoded = pathname.includes("%");
  if (encoded && malformedEscape.test(pathname)) return refuse("the path has a malformed percent-encoding");
  for (const segment of segments) {
    if (segment === "" && pathname !== "/") return refuse("the path has an empty segment");
    if (isDots(segment)) return refuse("the path has a dot segment");
  }
  const parsed = classify(segments);
  if (typeof parsed === "string") return refuse(parsed);
  const problem = queryProblem(query);
  if (problem !== undefined) return refuse(problem);
  const proxied = parsed.subresource === "proxy" || parsed.prefixVerb === "proxy";
  if (!proxied && query.includes("%") && !isUtf8(query)) return refuse("the query has an encoding that is not UTF-8");
  return { ok: true, path: parsed, pathname, query };
}

/** Of text whose escapes are well-formed. */
function isUtf8(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function isDots(segment: string): boolean {
  if (segment === "." || segment === "..") return true;
  if (!segment.includes("%")) return false;
  const decoded = segment.replace(/%2e/gi, ".");
  return decoded === "." || decoded === "..";
}

/** `RequestInfo` of the segments; a text says why not. */
function classify(segments: readonly string[]): KubePath | string {
  const prefix = segments[0] ?? "";
  const groupless = prefix === "api";
  let at = groupless ? 1 : 2;
  if ((!groupless && prefix !== "apis") || segments.length < at + 2) {
    for (const segment of segments) if (!structure.test(segment)) return encodingProblem(segment);
    return nonResource;
  }
  const apiGroup = groupless ? "" : (segments[1] ?? "");
  at += 1;
  let prefixVerb: KubePath["prefixVerb"] = "";
  const special = segments[at];
  if (special === "watch" || special === "proxy") {
    prefixVerb = special;
    at += 1;
  }
  let namespace = "";
  if (segments[at] === "namespaces") {
    const after = segments[at + 2];
    if (after !== undefined && !namespaceSubresources.includes(after)) {
      namespace = segments[at + 1] ?? "";
      at += 2;
    } else if (segments[at + 1] !== undefined) {
      namespace = segments[at + 1] ?? "";
    }
  }
  const nameAt = at + 1;
  const tailAt = prefixVerb === "proxy" ? nameAt + 1 : nameAt + 2;
  for (let index = 0; index < segments.length; index++) {
    const segment = segments[index] ?? "";
    if (index === nameAt || index >= tailAt) {
      const problem = nameProblem(segment, index !== nameAt);
      if (problem !== undefined) return problem;
    } else if (!structure.test(segment)) {
      return encodingProblem(segment);
    }
  }
  const name = segments[nameAt];
  return {
    isResource: true,
    apiGroup,
    namespace,
    resource: segments[at] ?? "",
    name: name === undefined ? "" : decodeURIComponent(name),
    subresource: prefixVerb === "proxy" ? "" : (segments[nameAt + 1] ?? ""),
    prefixVerb,
    tail: decodeURIComponent(segments[tailAt] ?? ""),
  };
}

function encodingProblem(segment: string): string {
  return segment.includes("%") ? "the path has a percent-encoding in a segment that decides what the request is" : "the path has a character that no Kubernetes path has";
}

function nameProblem(segment: string, tail: boolean): string | undefined {
  let decoded = segment;
  if (segment.includes("%")) {
    try {
      decoded = decodeURIComponent(segment);
    } catch {
      return "the path has an encoding that is not UTF-8";
    }
  }
  if (decoded === "." || decoded === "..") return "the path has a dot segment";
  if (!(tail ? unsafeInTail : unsafeInName).test(decoded)) return undefined;
  return decoded.includes("/") ? "the path has an encoded slash" : "the path has an encoded character that no name has";
}

/** True for paths that reach a kubelet's own API through the API server. */
export function isNodeProxy(path: KubePath): boolean {
  return path.resource === "nodes" && (path.subresource === "proxy" || path.prefixVerb === "proxy");
}

/** Where a kubelet runs commands and carries streams. */
const kubeletCommands: ReadonlySet<string> = new Set(["run", "exec", "attach", "portforward", "cri"]);

/** True for paths by which a kubelet's own API runs commands or carries streams. */
export function isNodeCommand(path: KubePath): boolean {
  return isNodeProxy(path) && kubeletCommands.has(path.tail.toLowerCase());
}

/** `0` and `false` as Go's `strings.EqualFold` has it, long s included. */
const falseValue = /^(?:0|false)$/iu;

/** The value of a boolean query parameter as the API server reads it: there and neither `0` nor `false`. */
export function queryFlag(query: string, name: string): boolean {
  if (query === "" || (!query.includes(name) && !query.includes("%"))) return false;
  const value = new URLSearchParams(query).get(name);
  return value !== null && !falseValue.test(value);
}

/** The Kubernetes verb of a request (`list`, `watch`, `deletecollection`, …); the lower-case method for what is not a resource. */
export function kubeVerb(method: string, path: KubePath, query: string): string {
  if (!path.isResource) return method.toLowerCase();
  if (path.prefixVerb !== "") return path.prefixVerb;
  switch (method) {
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return path.name === "" ? "deletecollection" : "delete";
    case "GET":
    case "HEAD":
      if (queryFlag(query, "watch") && path.subresource === "") return "watch";
      return path.name === "" ? "list" : "get";
    default:
      return method.toLowerCase();
  }
}
