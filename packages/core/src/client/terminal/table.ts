import { escapeLine } from "../../base/index.ts";

/** Columns of text under a header line, two spaces between them; cells are escaped. No rows: the header alone. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [header, ...rows.map((row) => row.map(escapeLine))];
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()}\n`).join("");
}

/** Indented `name  value` lines, the values in one column; a value of several lines stays in that column. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 3;
  return fields.map(([name, value]) => `  ${name.padEnd(width)}${value.replaceAll("\n", `\n${" ".repeat(width + 2)}`)}\n`).join("");
}
