/** The target of `rel="next"` in a `Link` header (RFC 8288 §3), or undefined. */
export function nextLink(header: string | undefined): string | undefined {
  if (header === undefined || header.length > 8192) return undefined;
  for (const match of header.matchAll(/<([^<>]*)>([^<]*)/g)) {
    const [, target, parameters = ""] = match;
    const relations = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters);
    if ((relations?.[1] ?? relations?.[2] ?? "").toLowerCase().split(/\s+/).includes("next")) return target;
  }
  return undefined;
}
