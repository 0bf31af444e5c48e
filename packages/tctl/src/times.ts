import { GatehouseError, parseDuration } from "@gatehouse/core/base";

const dayMs = 86_400_000;

/** Milliseconds of `7d`, `12h`, `30m`. Throws `usage`. */
export function parseAgo(text: string): number {
  const days = /^(\d{1,5})d$/.exec(text.trim());
  if (days) return Number(days[1]) * dayMs;
  try {
    return parseDuration(text);
  } catch (error) {
    throw new GatehouseError("usage", `"${text}" is not a duration`, { hint: "write it as 7d, 12h or 30m", cause: error });
  }
}

/** Milliseconds since the epoch of a day (`2026-11-24`, its beginning in UTC), a moment (RFC 3339), or a duration before now. Throws `usage`. */
export function parseMoment(text: string, now: number): number {
  if (/^\d+[a-z]/.test(text)) return now - parseAgo(text);
  const time = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new GatehouseError("usage", `"${text}" is no point in time`, { hint: "write a day such as 2026-11-24, a moment such as 2026-11-24T09:00:00Z, or how long ago, such as 7d" });
}
