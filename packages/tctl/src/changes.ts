import type { ChangeResponse } from "@gatehouse/core/api";

/** `role admin updated (revision 7); 3 live sessions re-checked, 1 ended` */
export function describeChange({ kind, name, outcome, revision, streams }: ChangeResponse): string {
  const subject = `${kind} ${name} ${outcome}`;
  const at = outcome === "deleted" ? "" : ` (revision ${revision})`;
  if (streams.checked === 0) return `${subject}${at}`;
  return `${subject}${at}; ${streams.checked} live session${streams.checked === 1 ? "" : "s"} re-checked, ${streams.ended} ended`;
}
