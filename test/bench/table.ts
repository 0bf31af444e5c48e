/** Rows of texts as columns: the first to the left, the others to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ")).join("\n");
}

/** One requirement and what was measured. */
export interface Verdict {
  readonly what: string;
  readonly measured: string;
  readonly required: string;
  readonly holds: boolean;
}

/** A verdict on a number that must be at least, or at most, another. */
export function verdict(what: string, value: number, relation: "≥" | "≤", bound: number, unit: string): Verdict {
  const holds = relation === "≥" ? value >= bound : value <= bound;
  return { what, measured: `${value.toFixed(2)} ${unit}`, required: `${relation} ${String(bound)} ${unit}`, holds };
}

/** The verdicts as a table. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  return table(["", "measured", "required", ""], verdicts.map(({ what, measured, required, holds }) => [what, measured, required, holds ? "ok" : "MISSED"]));
}

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
