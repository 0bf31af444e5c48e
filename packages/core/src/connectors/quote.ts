import { escapeLine } from "../base/index.ts";

/** Outside text for a message: one line, printable, at most 200 characters. */
export function quote(text: string): string {
  const line = escapeLine(text.slice(0, 400));
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
}
