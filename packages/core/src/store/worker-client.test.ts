import type * as workerThreads from "node:worker_threads";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { nullLogger, systemRandom } from "../base/index.ts";
import { openKysely } from "./dialect.ts";
import { feedLength } from "./statements.ts";
import { isReload, type Store } from "./index.ts";
import { migrate } from "./migrate.ts";
import { createStore } from "./sqlite-store.ts";
import { createPlace, watch, type TestPlace } from "./testing.ts";
import { startWorker, type WorkerClient } from "./worker-client.ts";

const started = vi.hoisted((): workerThreads.Worker[] => []);
vi.mock("node:worker_threads", async (original) => {
  const real = await original<typeof workerThreads>();
  class Watched extends real.Worker {
    constructor(...parameters: ConstructorParameters<typeof real.Worker>) {
      super(...parameters);
      started.push(this);
    }
  }
  return { ...real, Worker: Watched };
});

let place: TestPlace;
let worker: WorkerClient;
let store: Store;
beforeEach(async () => {
  place = await createPlace();
  await mkdir(dirname(place.path));
  worker = await startWorker({ path: place.path, key: new Uint8Array(32), logger: nullLogger, busyMs: 50 });
  const db = openKysely(worker);
  await migrate(db, worker, place.clock);
  store = await createStore({ db, worker, clock: place.clock, random: systemRandom, pollIntervalMs: 5, logger: nullLogger });
});
afterEach(async () => {
  await store.close();
  await place.remove();
});

const put = (name: string, value = "{}") => ({ op: "put", kind: "k", name, value }) as const;
const run = (sql: string) => worker.run("single", [{ sql, parameters: [] }]);

it("refuses calls, those under way too, when the thread dies", async () => {
  const calls = [store.transact([put("a")]), store.get("k", "a"), store.list("k")];
  const settled = Promise.allSettled(calls);
  await started.at(-1)!.terminate();
  for (const call of await settled) {
    if (call.status === "rejected") expect(call.reason).toMatchObject({ code: "unavailable" });
  }
  await expect(store.get("k", "a")).rejects.toMatchObject({ code: "unavailable" });
  await expect(store.lease("l", "h", 1000)).rejects.toMatchObject({ code: "unavailable" });
  const readAt = store.feedReadAt();
  place.clock.advance(10_000);
  expect(store.feedReadAt()).toBe(readAt);
});

it("says unavailable when the disk is full, undoes all of it, and goes on when there is room", async () => {
  await store.transact([put("a")]);
  await run("PRAGMA max_page_count = 1");
  await expect(store.transact([put("a", "new"), put("b", "x".repeat(1_000_000))])).rejects.toMatchObject({ code: "unavailable", hint: expect.stringContaining("make room") as string });
  expect(await store.list("k")).toMatchObject([{ name: "a", value: "{}" }]);
  await run("PRAGMA max_page_count = 1000000");
  await store.transact([put("b")]);
  expect(await store.list("k")).toHaveLength(2);
});

it("knows a failure by its text too, where a statement that returns rows has lost the code", async () => {
  await run("PRAGMA max_page_count = 1");
  const filling = "INSERT INTO meta VALUES ('x', zeroblob(1000000))";
  await expect(run(filling)).rejects.toMatchObject({ code: "unavailable" });
  await expect(run(`${filling} RETURNING name`)).rejects.toMatchObject({ code: "unavailable" });
  await expect(run("SELECT nothing FROM nowhere")).rejects.toMatchObject({ code: "internal" });
});

it("says unavailable when the database is read-only", async () => {
  await run("PRAGMA query_only = ON");
  await expect(store.transact([put("a")])).rejects.toMatchObject({ code: "unavailable", hint: expect.stringContaining("read-only") as string });
  expect(await store.get("k", "a")).toBeUndefined();
});

it("says unavailable when another process does not let go of its lock, and still reads", async () => {
  await store.transact([put("a")]);
  const other = new DatabaseSync(place.path);
  other.exec("BEGIN IMMEDIATE");
  await expect(store.transact([put("a", "new")])).rejects.toMatchObject({ code: "unavailable" });
  expect(await store.get("k", "a")).toMatchObject({ value: "{}" });
  other.exec("ROLLBACK");
  other.close();
  await store.transact([put("a", "new")]);
});

it("tells a reader that fell behind to read everything again, and keeps the feed short", async () => {
  const feed = watch(store);
  const other = new DatabaseSync(place.path);
  other.exec("BEGIN IMMEDIATE");
  other.exec(`INSERT INTO changes SELECT value + 1, 'k', 'early', 0, 0 FROM counters`);
  other.exec(`UPDATE counters SET value = value + ${feedLength + 1}`);
  other.exec("COMMIT");
  other.close();
  await feed.until(isReload);
  expect(feed.seen).toEqual([{ sequence: feedLength + 1, kind: "*", name: "*", deleted: false }]);
  await store.transact([put("late")]);
  expect(feed.seen.at(-1)).toMatchObject({ name: "late" });
  const { rows } = await run("SELECT name FROM changes");
  expect(rows?.[0]).toEqual([{ name: "late" }]);
});
