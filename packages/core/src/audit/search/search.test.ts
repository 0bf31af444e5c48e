import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { manualClock, nullLogger, systemRandom } from "../../base/index.ts";
import { openStore, type IndexedStore } from "../../store/index.ts";
import { openAuditLog, type OwnAuditLog } from "../index.ts";
import { formatCursor, openEventSearch, parseCursor, type EventFilter, type EventSearch, type LoggedEvent } from "./search.ts";

let folder: string;
let store: IndexedStore;
let log: OwnAuditLog;
let search: EventSearch;
const clock = manualClock(0);
const start = Date.parse("2026-11-24T20:00:00Z");

async function open(): Promise<void> {
  store = await openStore({ path: join(folder, "db", "gatehouse.db"), keyFile: join(folder, "secret.key"), clock, random: systemRandom, logger: nullLogger });
  log = await openAuditLog({ directory: join(folder, "log"), serverId: "gw1", clock, logger: nullLogger, sync: "group" });
  search = await openEventSearch({ directory: join(folder, "log"), serverId: "gw1", index: store.events, position: () => log.position(), logger: nullLogger });
}
async function close(): Promise<void> {
  await search.close();
  await log.close();
  await store.close();
}
const numbersOf = (events: readonly LoggedEvent[]): unknown[] => events.map((event) => event["n"]);
const wanted: EventFilter = { events: ["kube.request"] };
async function all(filter: EventFilter, order: "asc" | "desc", limit: number, visible: (event: LoggedEvent) => boolean = () => true): Promise<unknown[]> {
  const found: unknown[] = [];
  let cursor = undefined as ReturnType<typeof parseCursor> | undefined;
  do {
    const page = await search.find({ ...filter, order, limit, cursor, visible });
    expect(page.events.length).toBeLessThanOrEqual(limit);
    found.push(...numbersOf(page.events));
    cursor = page.cursor && parseCursor(formatCursor(page.cursor));
  } while (cursor);
  return found;
}
/** Over a midnight, more than some blocks. */
async function write(from: number, to: number): Promise<void> {
  for (let n = from; n < to; n += 1) {
    if (n % 100 === 0) clock.advance(5 * 60_000);
    const written = log.emit({ event: "kube.request", code: "G2000I", n, user: n % 7 === 0 ? "bo" : "ana", sid: `s${n % 500}`, path: "x".repeat(400) });
    if (n % 500 === 0) await written;
  }
  await log.emit({ event: "other", code: "G9999I" });
}

beforeEach(async () => {
  clock.set(start);
  folder = await mkdtemp(join(tmpdir(), "gatehouse-search-"));
  await open();
});
afterEach(async () => {
  await close();
  await rm(folder, { recursive: true });
});

it("finds the same with an index as without one, forwards and backwards, in pages, over days", async () => {
  const count = 6000;
  await write(0, count);
  const every = Array.from({ length: count }, (_, n) => n);
  const check = async (): Promise<void> => {
    for (const limit of [700, 100_000]) {
      expect(await all(wanted, "asc", limit)).toEqual(every);
      expect(await all(wanted, "desc", limit)).toEqual(every.toReversed());
    }
    expect(await all({ ...wanted, user: "bo" }, "asc", 100)).toEqual(every.filter((n) => n % 7 === 0));
    expect(await all({ ...wanted, sid: "s3" }, "desc", 5)).toEqual(every.filter((n) => n % 500 === 3).reverse());
    expect(await all({ ...wanted, user: "nobody" }, "asc", 5)).toEqual([]);
    const from = start + 60 * 60_000;
    expect(await all({ ...wanted, from, to: from + 10 * 60_000 }, "asc", 50)).toEqual(every.filter((n) => n >= 1100 && n < 1300));
    expect(await all(wanted, "asc", 50, (event) => event["n"] === 4242)).toEqual([4242]);
  };
  await check();
  await search.catchUp();
  await check();
  // A restart goes on where the index ends.
  await write(count, count + 100);
  await close();
  await open();
  await write(count + 100, count + 200);
  expect(await all(wanted, "desc", 50)).toEqual(Array.from({ length: count + 200 }, (_, n) => n).reverse());
  await search.catchUp();
  expect(await all(wanted, "asc", 50)).toEqual(Array.from({ length: count + 200 }, (_, n) => n));
});

it("follows what is written, over midnight, until it is told to stop", async () => {
  await write(0, 10);
  const stop = new AbortController();
  const seen: unknown[] = [];
  const following = (async () => {
    for await (const event of search.follow({ ...wanted, user: "ana" }, stop.signal)) {
      if (event) seen.push(event["n"]);
      if (seen.length >= 5) stop.abort();
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await log.emit({ event: "kube.request", code: "G2000I", n: "a", user: "ana" });
  clock.advance(6 * 3_600_000);
  for (const n of ["b", "c", "d"]) await log.emit({ event: "kube.request", code: "G2000I", n, user: "ana" });
  await log.emit({ event: "kube.request", code: "G2000I", n: "never", user: "bo" });
  await log.emit({ event: "kube.request", code: "G2000I", n: "e", user: "ana" });
  await following;
  expect(seen).toEqual(["a", "b", "c", "d", "e"]);
});

it.each(["", "x", "../a@1", "2026-11-24.00:00:00.log", "2026-11-24.00:00:00.log@-1"])("%j is no cursor", (text) => {
  expect(() => parseCursor(text)).toThrow("no place in the audit log");
});

it("lets some search at once, and refuses the rest instead of reading for all of them", async () => {
  await write(0, 2000);
  const query = { order: "asc", limit: 1, visible: () => false } as const;
  const outcomes = await Promise.allSettled(Array.from({ length: 14 }, () => search.find(query)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
  for (const one of outcomes) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "limit_exceeded" });
  expect((await search.find(query)).events).toEqual([]);
});
