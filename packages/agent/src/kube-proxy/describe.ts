/** A request for people. */
export interface Described {
  /** As Kubernetes calls it: `get`, `list`, `watch`, `create`, `exec`, `logs`. */
  readonly verb: string;
  /** Namespace, resource and name: `default/pods/web-1`; the path as it is where it is of no resource. */
  readonly what: string;
}

const verbs: Readonly<Record<string, string>> = { POST: "create", PUT: "update", PATCH: "patch" };
const streams = new Set(["exec", "attach", "portforward"]);

const isSet = (query: URLSearchParams, name: string): boolean => ["", "1", "true", "True", "TRUE", "t", "T"].includes(query.get(name) ?? "no");

/** Whether the answer may go on for as long as the client likes: watches, followed logs, and whatever is proxied to a service. */
export function isLong(target: string): boolean {
  const [path = "", search = ""] = target.split("?", 2);
  if (/\/(?:proxy|watch)(?:\/|$)/.test(path)) return true;
  if (search === "") return false;
  const query = new URLSearchParams(search);
  return isSet(query, "watch") || isSet(query, "follow");
}

/** Names a request from its line. Says only what is written there: what is allowed is the gateway's to decide. */
export function describeRequest(method: string, target: string): Described {
  const [path = "", search = ""] = target.split("?", 2);
  const parts = path.split("/").filter((part) => part !== "");
  const rest = parts[0] === "api" ? parts.slice(2) : parts[0] === "apis" ? parts.slice(3) : [];
  if (rest.length === 0) return { verb: method.toLowerCase(), what: path };
  const [first, namespace, ...inside] = rest;
  const named = first === "namespaces" && namespace !== undefined && inside.length > 0 ? inside : rest;
  const what = named === rest ? rest.join("/") : [namespace, ...inside].join("/");
  const [, name, subresource] = named;
  const query = new URLSearchParams(search);
  if (subresource !== undefined && streams.has(subresource)) return { verb: subresource, what: what.slice(0, -subresource.length - 1) };
  if (subresource === "log") return { verb: "logs", what: what.slice(0, -4) };
  if (method === "GET" && isSet(query, "watch")) return { verb: "watch", what };
  if (method === "GET") return { verb: name === undefined ? "list" : "get", what };
  if (method === "DELETE") return { verb: name === undefined ? "deletecollection" : "delete", what };
  return { verb: verbs[method] ?? method.toLowerCase(), what };
}
