/** A label and its value. */
export type Label = readonly [name: string, value: string];

/** Reads `env=staging,tier=web`; undefined for a text of another form. A value may have a `=` in it, and may be empty. */
export function readLabels(text: string): readonly Label[] | undefined {
  const pairs = text.split(",").map((part) => /^\s*([^=\s][^=]*?)\s*=\s*(.*?)\s*$/s.exec(part));
  const read = pairs.flatMap((pair) => (pair ? [[pair[1] ?? "", pair[2] ?? ""] as const] : []));
  return read.length === pairs.length ? read : undefined;
}

/** Whether all of these are among some labels. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: readonly Label[]): boolean {
  return wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);
}
