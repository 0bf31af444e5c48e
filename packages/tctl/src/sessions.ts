import type { AdminClient, SessionItem } from "@gatehouse/core/api";
import { GatehouseError, describeDuration } from "@gatehouse/core/base";
import { formatTable } from "@gatehouse/core/client/terminal";

/** Characters of an id that tables show; any beginning that is one session's alone will do. */
const shortId = 8;

/** What runs where, in one line. */
export function describeSession({ kind, cluster, namespace, pod, container, command }: SessionItem): string {
  const where = [cluster, namespace, pod, ...(container === "" ? [] : [container])].join("/");
  return [kind, where, ...command].join(" ");
}

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

/** The live session whose id begins so. Throws `not_found`, or `bad_parameter` where there are several. */
export async function findSession(admin: AdminClient, id: string): Promise<SessionItem> {
  const found = (await admin.sessions()).filter(({ sid }) => sid.startsWith(id.toLowerCase()));
  const [one] = found;
  if (one === undefined || id === "") throw new GatehouseError("not_found", `there is no live session ${JSON.stringify(id)} on this gateway`, { hint: "tctl sessions ls lists them; ended ones: tsh recordings ls" });
  if (found.length > 1) throw new GatehouseError("bad_parameter", `several live sessions begin with ${JSON.stringify(id)}`, { hint: "give more of the id: tctl sessions ls --format=json" });
  return one;
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
