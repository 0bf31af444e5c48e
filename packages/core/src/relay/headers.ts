/** Header names in a `Connection` value, but for the options that are no header of ours to remove. */
export function namedByConnection(value: string, before: string[] | undefined): string[] | undefined {
  if (value === "keep-alive" || value === "Upgrade" || value === "upgrade" || value === "close") return before;
  const names = before ?? [];
  for (const part of value.split(",")) {
    const name = part.trim().toLowerCase();
    if (name !== "" && name !== "keep-alive" && name !== "close" && name !== "upgrade" && name !== "content-length") names.push(name);
  }
  return names.length === 0 ? undefined : names;
}

/** Raw header pairs without those of these lower-case names. */
export function withoutHeaders(pairs: readonly string[], names: readonly string[]): string[] {
  const rest: string[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index] ?? "";
    if (!names.includes(name.toLowerCase())) rest.push(name, pairs[index + 1] ?? "");
  }
  return rest;
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
