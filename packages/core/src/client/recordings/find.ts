import type { AdminClient } from "../../api/index.ts";
import { GatehouseError, escapeLine, parseDuration } from "../../base/index.ts";
import { describePlace } from "./live.ts";

const full = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const shown = 10;

/** The session id that this is, or that alone begins with it. Throws `not_found` for none, `usage` for several. */
export async function findRecording(admin: Pick<AdminClient, "recordings">, id: string): Promise<string> {
  const wanted = id.toLowerCase();
  if (full.test(wanted)) return wanted;
  const hint = "tsh recordings ls lists those that you may play";
  if (!/^[0-9a-f-]{1,36}$/.test(wanted)) throw new GatehouseError("not_found", `"${escapeLine(id)}" is no session id, and there is no such file`, { hint });
  const found = await admin.recordings({ id: wanted, limit: shown + 1 });
  const [first, second] = found;
  if (!first) throw new GatehouseError("not_found", `no recording begins with ${wanted}`, { hint });
  if (!second) return first.sid;
  const lines = found.slice(0, shown).map((item) => `${item.sid}  ${item.user}  ${item.kind} ${describePlace(item)}`);
  throw new GatehouseError("usage", `${found.length > shown ? `more than ${shown}` : found.length} recordings begin with ${wanted}`, { hint: [...lines, "give more of the id"].join("\n") });
}

const units: Readonly<Record<string, number>> = { d: 86_400_000, w: 7 * 86_400_000 };

/** The moment (ms since the epoch) that `7d`, `2w`, `12h`, `1h30m` before `now`, or a date or time like `2026-11-01` or `2026-11-01T09:00Z`, is. Throws `usage`. */
export function parseSince(text: string, now: number): number {
  const refuse = (cause?: unknown): GatehouseError =>
    new GatehouseError("usage", `--since: "${escapeLine(text)}" is no length of time and no date`, { hint: "write it as 7d, 12h, 2026-11-01 or 2026-11-01T09:00Z", cause });
  const days = /^(\d{1,5})([dw])$/.exec(text);
  if (days) return Math.max(0, now - Number(days[1]) * (units[days[2] ?? ""] ?? 0));
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const moment = Date.parse(text);
    if (Number.isNaN(moment) || moment < 0) throw refuse();
    return moment;
  }
  try {
    return Math.max(0, Math.floor(now - parseDuration(text)));
  } catch (error) {
    throw refuse(error);
  }
}
