/** Characters of JSON: the whole answer goes through a browser's `Location` header, of which Chromium takes 256 KiB. */
const maxLength = 32 * 1024;
const maxText = 1024;

const size = (value: unknown): number => JSON.stringify([value]).length;

function boundValue(value: unknown, budget: number): unknown {
  if (size(value) <= budget) return value;
  if (Array.isArray(value)) {
    const kept: unknown[] = [];
    let used = 0;
    for (const item of value as readonly unknown[]) {
      used += size(item) + 1;
      if (used > budget) break;
      kept.push(item);
    }
    return [...kept, `… and ${String(value.length - kept.length)} more`];
  }
  if (typeof value === "object" && value !== null) return boundObject(value as Readonly<Record<string, unknown>>, budget);
  const text = String(value);
  const shown = Math.min(maxText, budget);
  return `${text.slice(0, shown)}… and ${String(text.length - shown)} characters more`;
}

function boundObject(value: Readonly<Record<string, unknown>>, budget: number): Record<string, unknown> {
  const entries = Object.entries(value);
  const bounded: [string, unknown][] = [];
  let left = budget;
  // Small ones first: one that is huge takes nothing away from them.
  const order = [...entries].sort(([, a], [, b]) => size(a) - size(b));
  const kept = new Map<string, unknown>();
  for (const [at, [key, item]] of order.entries()) {
    const share = Math.floor(left / (order.length - at)) - key.length - 8;
    if (share <= 0) break;
    const fits = boundValue(item, share);
    kept.set(key, fits);
    left -= size(fits) + key.length + 8;
  }
  for (const [key] of entries) if (kept.has(key)) bounded.push([key, kept.get(key)]);
  if (kept.size < entries.length) bounded.push(["…", `${String(entries.length - kept.size)} more`]);
  return Object.fromEntries(bounded);
}

/** What a provider said, as far as it fits into an answer: of long lists the beginning, and how many more there are; nothing is dropped in silence. */
export function boundReceived(received: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return size(received) <= maxLength ? { ...received } : boundObject(received, maxLength);
}
