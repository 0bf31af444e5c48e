import { GatehouseError } from "./errors.ts";

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Milliseconds of a Go duration text (`30h0m0s`, `1h`, `1.5s`) or of `never` and `0` (both 0).
 * Throws `bad_parameter` for anything else, negative durations included.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  if (trimmed === "never" || trimmed === "0") return 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/y;
  let total = 0;
  let end = 0;
  for (let match = part.exec(trimmed); match; match = part.exec(trimmed)) {
    total += Number(match[1]) * (unitMs[match[2] ?? ""] ?? Number.NaN);
    end = part.lastIndex;
  }
  if (end === 0 || end !== trimmed.length || !Number.isFinite(total)) {
    throw new GatehouseError("bad_parameter", `"${text}" is not a duration`, { hint: "write it as 30m, 12h or 1h30m0s" });
  }
  return total;
}

/** Go's text of a duration in ms: `30h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  if (ms < 1) return `${String(Math.round(ms * 1e6))}ns`;
  if (ms < 1000) return `${String(ms)}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1000;
  const head = hours > 0 ? `${String(hours)}h${String(minutes)}m` : minutes > 0 ? `${String(minutes)}m` : "";
  return `${head}${String(seconds)}s`;
}

/** A duration for people, at most two units: `12 h`, `4 min 12 s`, `850 ms`; days only beyond two of them, since lifetimes are told in hours. */
export function describeDuration(ms: number): string {
  if (ms < 1000) return `${String(Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1000);
  const days: readonly (readonly [string, number])[] = seconds > 2 * 86_400 ? [["d", 86_400]] : [];
  const units: readonly (readonly [string, number])[] = [...days, ["h", 3600], ["min", 60], ["s", 1]];
  const parts: string[] = [];
  let rest = seconds;
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${String(count)} ${unit}`);
    else if (parts.length > 0) break;
    rest %= size;
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}
