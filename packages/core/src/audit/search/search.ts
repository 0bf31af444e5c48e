import { stat } from "node:fs/promises";
import { join } from "node:path";
import { GatehouseError, createGate, type Logger } from "../../base/index.ts";
import type { EventIndex } from "../../store/index.ts";
import type { LogPosition } from "../types.ts";
import { logFiles, startIndexer } from "./indexer.ts";
import { blockSize, readBlock, type PlacedLine } from "./lines.ts";
import { anyTerm, indexedOf, parseEvent, termOf } from "./terms.ts";

/** Blocks that are asked of the index at once, and bytes that one search reads before it takes a breath and says how to go on. */
const page = 100;
const maxRead = 64 * 1024 * 1024;
/** Searches that read at once, and those that wait for them: each may read and parse {@link maxRead}. */
const atOnce = { running: 2, waiting: 8, what: "searches of the audit log" };
/** Bytes of events in one page: an answer has to fit what clients take. */
const maxPage = 640 * 1024;
const followMs = 250;

/** Which events are looked for; what is absent does not matter. Times in ms since the epoch, `to` excluded. */
export interface EventFilter {
  readonly events?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly sid?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/** An event as it stands in the log. */
export type LoggedEvent = Readonly<Record<string, unknown>>;

/** A page of events, and where the next one begins; no cursor: there are no more. */
export interface EventPage {
  readonly events: readonly LoggedEvent[];
  readonly cursor: LogPosition | undefined;
}

/** Looks for events in one server's log. */
export interface EventSearch {
  /** At most `limit` events that fit and may be seen, oldest first or newest first. A page may have fewer and still not be the last. Throws `limit_exceeded` where too many search. */
  find(query: EventFilter & { readonly order: "asc" | "desc"; readonly limit: number; readonly cursor?: LogPosition | undefined; readonly visible: (event: LoggedEvent) => boolean }): Promise<EventPage>;
  /** Events that fit as they are written, from now on; undefined now and then, where there are none. Ends with the signal. */
  follow(filter: EventFilter, signal: AbortSignal): AsyncGenerator<LoggedEvent | undefined, void, void>;
  /** Has the index up to what is in the log now. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
}

function fits(filter: EventFilter, event: LoggedEvent): boolean {
  const { event: name, user, sid, time } = indexedOf(event);
  return (
    (filter.events === undefined || filter.events.includes(name)) &&
    (filter.user === undefined || filter.user === user) &&
    (filter.sid === undefined || filter.sid === sid) &&
    (filter.from === undefined || time >= filter.from) &&
    (filter.to === undefined || time < filter.to)
  );
}

/** Says no where a line surely does not fit, before it is parsed. */
function mayFit(filter: EventFilter): (line: Buffer) => boolean {
  const needed = [filter.user, filter.sid].filter((value) => value !== undefined).map((value) => Buffer.from(JSON.stringify(value)));
  return (line) => needed.every((text) => line.includes(text));
}

function termsOf({ events, user, sid }: EventFilter): readonly (readonly string[])[] {
  const any = (kind: "event" | "user" | "sid", values: readonly string[] | undefined): readonly (readonly string[])[] => (values === undefined ? [] : [[...values.map((value) => termOf(kind, value)), anyTerm]]);
  return [...any("event", events), ...any("user", user === undefined ? undefined : [user]), ...any("sid", sid === undefined ? undefined : [sid])];
}

interface Stretch {
  readonly file: string;
  readonly start: number;
  readonly stop: number;
}

const before = (a: LogPosition, b: LogPosition): boolean => a.file < b.file || (a.file === b.file && a.offset < b.offset);

/** Opens the search, and begins to index what is not indexed yet. */
export async function openEventSearch(options: {
  /** `<directory>/<serverId>/` holds the log. */
  readonly directory: string;
  readonly serverId: string;
  readonly index: EventIndex;
  readonly position: () => LogPosition;
  readonly logger: Logger;
}): Promise<EventSearch> {
  const { serverId, index, position } = options;
  const folder = join(options.directory, serverId);
  const indexer = await startIndexer({ ...options, folder });

  /** What the index does not have yet, in pieces that begin and end with lines, oldest first. */
  async function unindexed(): Promise<readonly Stretch[]> {
    const now = position();
    const stretches: Stretch[] = [];
    for (const file of await logFiles(folder)) {
      const end = file === now.file ? now.offset : (await stat(join(folder, file))).size;
      for (let start = indexer.ends().get(file) ?? 0; start < end; ) {
        const stop = end - start <= blockSize ? end : ((await readBlock(join(folder, file), start, end)).at(-1)?.stop ?? end);
        stretches.push({ file, start, stop });
        start = stop;
      }
    }
    return stretches;
  }

  async function* stretches(filter: EventFilter, order: "asc" | "desc", cursor: LogPosition | undefined): AsyncGenerator<Stretch, void, void> {
    const rest = await unindexed();
    const wanted = ({ file, start, stop }: Stretch): boolean => cursor === undefined || (order === "asc" ? before(cursor, { file, offset: stop }) : before({ file, offset: start }, cursor));
    if (order === "desc") yield* rest.filter(wanted).reverse();
    const [first] = rest;
    // A block that the cursor is inside of begins before it (ascending), and is looked at again from there.
    let after = cursor && (order === "asc" ? { file: cursor.file, start: Math.max(-1, cursor.offset - 8 * blockSize) } : { file: cursor.file, start: cursor.offset });
    for (;;) {
      const found = await index.find({ server: serverId, terms: termsOf(filter), from: filter.from, to: filter.to, order, after, limit: page });
      for (const block of found) {
        // Indexed meanwhile, and among the rest already.
        if (first && !before({ file: block.file, offset: block.start }, { file: first.file, offset: first.start })) continue;
        if (wanted(block)) yield block;
      }
      const last = found.at(-1);
      if (!last || found.length < page) break;
      after = { file: last.file, start: last.start };
    }
    if (order === "asc") yield* rest.filter(wanted);
  }

  async function linesOf({ file, start, stop }: Stretch): Promise<readonly PlacedLine[]> {
    const lines: PlacedLine[] = [];
    for (let at = start; at < stop; ) {
      const more = await readBlock(join(folder, file), at, stop);
      lines.push(...more);
      at = more.at(-1)?.stop ?? stop;
    }
    return lines;
  }

  async function find({ order, limit, cursor, visible, ...filter }: Parameters<EventSearch["find"]>[0]): Promise<EventPage> {
    const events: LoggedEvent[] = [];
    const may = mayFit(filter);
    let read = 0;
    let size = 0;
    for await (const stretch of stretches(filter, order, cursor)) {
      const { file } = stretch;
      if (read >= maxRead) return { events, cursor: { file, offset: order === "asc" ? stretch.start : stretch.stop } };
      const lines = await linesOf(stretch);
      read += stretch.stop - stretch.start;
      for (const { bytes, start, stop } of order === "asc" ? lines : lines.toReversed()) {
        if (cursor?.file === file && (order === "asc" ? start < cursor.offset : stop > cursor.offset)) continue;
        const event = may(bytes) ? parseEvent(bytes) : undefined;
        if (!event || !fits(filter, event) || !visible(event)) continue;
        if (events.length >= limit || size >= maxPage) return { events, cursor: { file, offset: order === "asc" ? start : stop } };
        events.push(event);
        size += bytes.length;
      }
    }
    return { events, cursor: undefined };
  }

  const gate = createGate(atOnce);
  return {
    find: (query) => gate.run(() => find(query)),
    async *follow(filter, signal) {
      const may = mayFit(filter);
      let at = position();
      while (!signal.aborted) {
        const now = position();
        if (now.file === "") return;
        const end = at.file === now.file ? now.offset : (await stat(join(folder, at.file))).size;
        const lines = at.offset < end ? await readBlock(join(folder, at.file), at.offset, end) : [];
        const stop = lines.at(-1)?.stop;
        if (stop !== undefined) at = { file: at.file, offset: stop };
        else if (at.file !== now.file) {
          const current = at.file;
          at = { file: (await logFiles(folder)).find((name) => name > current) ?? now.file, offset: 0 };
          continue;
        }
        for (const { bytes } of lines) {
          const event = may(bytes) ? parseEvent(bytes) : undefined;
          if (event && fits(filter, event)) yield event;
        }
        if (stop !== undefined) continue;
        yield undefined;
        await new Promise((resolve) => setTimeout(resolve, followMs));
      }
    },
    catchUp: () => indexer.catchUp(),
    close: () => indexer.close(),
  };
}

const cursorPattern = /^(\d{4}-\d{2}-\d{2}\.00:00:00\.log)@(\d{1,15})$/;

/** A place in the log as text. */
export function formatCursor({ file, offset }: LogPosition): string {
  return `${file}@${offset}`;
}

/** Reads {@link formatCursor}'s text. Throws `bad_parameter`. */
export function parseCursor(text: string): LogPosition {
  const match = cursorPattern.exec(text);
  if (!match) throw new GatehouseError("bad_parameter", "this is no place in the audit log: take the cursor of an answer");
  return { file: match[1] ?? "", offset: Number(match[2]) };
}
