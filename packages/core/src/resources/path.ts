/** Where in a resource: keys and indexes from the top. */
export type Path = readonly (string | number)[];

/** A path in words: `spec.allow.logins[0]`, `metadata.labels["a.b"]`; empty for the top. */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(part)) return `[${JSON.stringify(part)}]`;
      return index === 0 ? part : `.${part}`;
    })
    .join("");
}

/** The path that {@link formatPath} wrote, or undefined for other text. */
export function parsePath(text: string): Path | undefined {
  const part = /\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]/y;
  const path: (string | number)[] = [];
  let end = 0;
  for (let match = part.exec(text); match; match = part.exec(text)) {
    end = part.lastIndex;
    const [, name, index, quoted] = match;
    if (name !== undefined) path.push(name);
    else if (index !== undefined) path.push(Number(index));
    else if (quoted !== undefined) path.push(String(JSON.parse(quoted)));
  }
  return end === text.length ? path : undefined;
}
