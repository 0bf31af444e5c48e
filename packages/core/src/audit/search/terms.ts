/** Terms of one kind that a block is found by; with more it is found by any. */
const maxTerms = 2000;
const maxTerm = 300;

/** The term that stands for "too many to tell": a block with it may hold anything. */
export const anyTerm = "*";

/** An event as far as it can be looked for. */
export interface Indexed {
  readonly event: string;
  readonly user: string | undefined;
  readonly sid: string | undefined;
  /** ms since the epoch; NaN where the line has none. */
  readonly time: number;
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The event of a line; undefined where it is no JSON object. */
export function parseEvent(line: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line.toString("utf8"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

/** What an event is found by. */
export function indexedOf(event: Readonly<Record<string, unknown>>): Indexed {
  return { event: text(event["event"]) ?? "", user: text(event["user"]), sid: text(event["sid"]), time: Date.parse(text(event["time"]) ?? "") };
}

/** The usual line: what it is found by in front and at the end, with nothing to unescape. */
const usualStart = /^\{"event":"([ !#-[\]-~]*)","code":"[ !#-[\]-~]*","user":"([ !#-[\]-~]*)",/;
const usualEnd = /,"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)","chain":\{"id":"[0-9a-f]{16}","n":\d{1,15},"prev":"[\w-]{0,43}"\}\}$/;
/** Longer than any {@link usualEnd}. */
const endRoom = 192;
/** Keys that are looked for, as they stand before a second value or elsewhere than expected; a key with an escape is none of the log's. */
const otherKeys = /"(?:event|user|sid)"\s*:|\\u/;

/**
 * {@link indexedOf} the event of a line; undefined where it is no JSON object. Lines as the log writes most of them are not parsed as a whole: every request
 * has one.
 */
export function indexedLine(line: Buffer): Indexed | undefined {
  const whole = line.toString("latin1");
  const start = usualStart.exec(whole);
  const end = start && usualEnd.exec(whole.slice(-endRoom));
  if (start && end && !otherKeys.test(whole.slice(start[0].length))) {
    return { event: start[1] ?? "", user: start[2] ?? "", sid: undefined, time: Date.parse(end[1] ?? "") };
  }
  const event = parseEvent(line);
  return event && indexedOf(event);
}

/** The term of a value. */
export function termOf(kind: "event" | "user" | "sid", value: string): string {
  return `${kind}:${value.slice(0, maxTerm)}`;
}

/** Gathers the terms of a block. */
export class Terms {
  readonly #terms = new Set<string>();
  first = Number.POSITIVE_INFINITY;
  last = Number.NEGATIVE_INFINITY;

  add({ event, user, sid, time }: Indexed): void {
    if (!Number.isNaN(time)) {
      this.first = Math.min(this.first, time);
      this.last = Math.max(this.last, time);
    }
    if (this.#terms.size >= maxTerms) {
      this.#terms.clear();
      this.#terms.add(anyTerm);
    }
    if (this.#terms.has(anyTerm)) return;
    this.#terms.add(termOf("event", event));
    if (user !== undefined) this.#terms.add(termOf("user", user));
    if (sid !== undefined) this.#terms.add(termOf("sid", sid));
  }

  list(): readonly string[] {
    return [...this.#terms];
  }
}
