import { errorMessage, escapeText, toGatehouseError } from "../../base/index.ts";
import type { Output, Style } from "./output.ts";

const indent = (text: string): string => text.replaceAll("\n", "\n  ");

function causes(error: unknown): string[] {
  const lines: string[] = [];
  for (let cause: unknown = error instanceof Error ? error.cause : undefined; cause !== undefined && lines.length < 8; cause = cause instanceof Error ? cause.cause : undefined) {
    lines.push(`  caused by: ${indent(escapeText(errorMessage(cause)))}`);
  }
  return lines;
}

/**
 * An error as people read it: `✖ what`, then the hint and the event that the refusal is logged under, indented. With `debug` the causes and
 * the stack follow. Outside text is escaped.
 */
export function formatError(thrown: unknown, style: Style, options: { readonly debug?: boolean } = {}): string {
  const error = toGatehouseError(thrown);
  const event = error.id === undefined ? "" : `   (event ${escapeText(error.id)})`;
  const lines = [`${style.red("✖")} ${indent(escapeText(error.message))}${error.hint === undefined ? event : ""}`];
  if (error.hint !== undefined) lines.push(`  ${indent(escapeText(error.hint))}${event}`);
  if (options.debug === true) lines.push(...causes(thrown), style.dim(escapeText((thrown instanceof Error ? thrown.stack : undefined) ?? "")));
  return `${lines.join("\n")}\n`;
}

/** Prints an error on `stderr`. Returns the exit code that belongs to it. */
export function reportError(output: Output, thrown: unknown, options: { readonly debug?: boolean } = {}): number {
  output.stderr.write(formatError(thrown, output.style, options));
  return toGatehouseError(thrown).exitCode;
}
