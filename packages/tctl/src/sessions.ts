import type { SessionItem } from "@gatehouse/core/api";
import { describeDuration } from "@gatehouse/core/base";
import { describeSession } from "@gatehouse/core/client/recordings";
import { formatTable } from "@gatehouse/core/client/terminal";

/** Characters of an id that tables show; any beginning that is one session's alone will do. */
const shortId = 8;

/** The live sessions as a table. */
export function sessionTable(items: readonly SessionItem[]): string {
  return formatTable(
    ["ID", "WHO", "WHAT", "SINCE", "IDLE", "BYTES", "RECORDED"],
    items.map((item) => [
      item.sid.slice(0, shortId),
      item.user,
      cut(describeSession(item)),
      describeDuration(wholeSeconds(item.now - item.started)),
      describeDuration(wholeSeconds(item.now - item.last_active)),
      describeBytes(item.bytes),
      item.recording === undefined ? "no" : "yes",
    ]),
  );
}

const width = 60;
const cut = (text: string): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);
const wholeSeconds = (ms: number): number => Math.max(0, Math.floor(ms / 1000) * 1000);

/** `1.4 MB`. */
export function describeBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}
