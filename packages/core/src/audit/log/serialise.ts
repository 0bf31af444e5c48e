import type { AuditEventInput, EventValue } from "../types.ts";

/** Characters of one text, entries of one list or object, and levels of nesting; what is over is cut. */
const maxText = 4096;
const maxKey = 256;
const maxEntries = 256;
const maxDepth = 5;
/** Characters of text in one event, all fields together. */
const maxTotal = 64 * 1024;

type Fields = Readonly<Record<string, EventValue | undefined>>;

/** Goes through one event: what may still be kept, and whether something was not. */
interface Cutter {
  left: number;
  cut: boolean;
}

function isList(value: EventValue): value is readonly EventValue[] {
  return Array.isArray(value);
}

function cutText(text: string, cutter: Cutter, limit = maxText): string {
  const room = Math.max(0, Math.min(limit, cutter.left));
  cutter.left -= Math.min(text.length, room);
  if (text.length <= room) return text;
  cutter.cut = true;
  const last = text.charCodeAt(room - 1);
  const end = last >= 0xd800 && last <= 0xdbff ? room - 1 : room;
  return `${text.slice(0, end)}…`;
}

function cutEntries<T>(entries: readonly T[], cutter: Cutter, keep: (entry: T) => void): void {
  for (const [index, entry] of entries.entries()) {
    if (index >= maxEntries || cutter.left <= 0) {
      cutter.cut = true;
      return;
    }
    cutter.left -= 1;
    keep(entry);
  }
}

function cutValue(value: EventValue | undefined, cutter: Cutter, depth: number): EventValue | undefined {
  if (typeof value === "string") return cutText(value, cutter);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= maxDepth) {
    cutter.cut = true;
    return "…";
  }
  if (!isList(value)) return cutFields(value, cutter, depth);
  const kept: EventValue[] = [];
  cutEntries(value, cutter, (entry) => kept.push(cutValue(entry, cutter, depth + 1) ?? null));
  return kept;
}

function cutFields(fields: Fields, cutter: Cutter, depth: number): Record<string, EventValue | undefined> {
  const kept: [string, EventValue | undefined][] = [];
  cutEntries(Object.entries(fields), cutter, ([key, value]) => kept.push([cutText(key, cutter, maxKey), cutValue(value, cutter, depth + 1)]));
  return Object.fromEntries(kept);
}

function withinLimits(event: Fields): Fields {
  const cutter: Cutter = { left: maxTotal, cut: false };
  const shorter = cutFields(event, cutter, 0);
  return cutter.cut ? { ...shorter, truncated: true } : event;
}

function withoutOwn(event: AuditEventInput): Fields {
  return Object.fromEntries(Object.entries(event).filter(([key]) => key !== "uid" && key !== "time" && key !== "chain"));
}

/**
 * One line of the log without its end: the closing brace comes with its link in the chain, when it is written. Texts over 4096 characters are cut, and the event marked `truncated`. Most events are
 * shorter than that as a whole, and then no field is looked at.
 */
export function serialiseEvent(event: AuditEventInput, uid: string, time: string): string {
  const own = event["uid"] === undefined && event["time"] === undefined && event["chain"] === undefined ? event : withoutOwn(event);
  let json = JSON.stringify(own);
  if (json.length > maxText) json = JSON.stringify(withinLimits(own));
  return `${json.slice(0, -1)},"uid":"${uid}","time":"${time}"`;
}
