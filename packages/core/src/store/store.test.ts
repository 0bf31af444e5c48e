import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "./index.ts";
import { createPlace, watch, type TestPlace } from "./testing.ts";

let place: TestPlace;
let store: Store;
beforeEach(async () => {
  place = await createPlace();
  store = await place.open();
});
afterEach(() => place.remove());

const put = (name: string, value = "{}", more: object = {}) => ({ op: "put", kind: "role", name, value, ...more }) as const;

describe("items", () => {
  it("come back as they were put, secret and all, and are listed by name", async () => {
    const [b, a] = await store.transact([put("b"), put("a", '{"x":"ü😀"}', { secret: "hush ü", expires: 2_000_000 })]);
    expect(await store.get("role", "a")).toEqual(a);
    expect(a).toMatchObject({ kind: "role", name: "a", value: '{"x":"ü😀"}', secret: "hush ü", expires: 2_000_000 });
    expect(a!.revision).toBeGreaterThan(b!.revision);
    expect(await store.list("role")).toEqual([a, b]);
    expect(await store.list("user")).toEqual([]);
    expect(await store.get("role", "c")).toBeUndefined();
  });

  it("lose secret and expiry when they are put again without", async () => {
    await store.transact([put("a", "{}", { secret: "hush", expires: 2_000_000 })]);
    await store.transact([put("a")]);
    const item = await store.get("role", "a");
    expect(item).not.toHaveProperty("secret");
    expect(item).not.toHaveProperty("expires");
  });

  it("survive closing", async () => {
    const [item] = await store.transact([put("a", "{}", { secret: "hush" })]);
    await store.close();
    expect(await (await place.open()).get("role", "a")).toEqual(item);
  });

  it.each([
    ["an empty name", put("")],
    ["a name with NUL", put("a\0b")],
    ["a value with NUL", put("a", "x\0y")],
    ["a secret with half a character", put("a", "{}", { secret: "x\ud800y" })],
    ["the feed's own kind", { ...put("a"), kind: "*" }],
    ["an expiry that is no whole number", put("a", "{}", { expires: 1.5 })],
    ["a value over the limit", put("a", "x".repeat(4 * 1024 * 1024 + 1))],
  ])("with %s are refused", async (_, operation) => {
    await expect(store.transact([operation])).rejects.toMatchObject({ code: "bad_parameter" });
  });
});

describe("expectations", () => {
  it("hold or nothing happens", async () => {
    const [item] = await store.transact([put("a", "1", { expect: "absent" })]);
    await expect(store.transact([put("x"), put("a", "2", { expect: "absent" })])).rejects.toMatchObject({ code: "already_exists" });
    await expect(store.transact([put("x"), put("b", "2", { expect: "present" })])).rejects.toMatchObject({ code: "not_found" });
    await expect(store.transact([put("x"), put("a", "2", { expect: item!.revision + 100 })])).rejects.toMatchObject({ code: "compare_failed" });
    await expect(store.transact([put("x"), put("b", "2", { expect: 1 })])).rejects.toMatchObject({ code: "compare_failed" });
    await expect(store.transact([put("x"), { op: "delete", kind: "role", name: "b", expect: "present" }])).rejects.toMatchObject({ code: "not_found" });
    await expect(store.transact([put("x"), { op: "check", kind: "role", name: "a", expect: "absent" }])).rejects.toMatchObject({ code: "already_exists" });
    expect(await store.list("role")).toEqual([item]);

    const [next] = await store.transact([put("a", "2", { expect: item!.revision }), { op: "check", kind: "role", name: "a", expect: "present" }]);
    expect(next!.revision).toBeGreaterThan(item!.revision);
    await store.transact([{ op: "delete", kind: "role", name: "a", expect: next!.revision }, put("a", "3", { expect: "absent" })]);
    expect(await store.get("role", "a")).toMatchObject({ value: "3" });
  });

  it("take an expired item for absent", async () => {
    const [item] = await store.transact([put("a", "1", { expires: 1_000_500 })]);
    place.clock.advance(500);
    expect(await store.get("role", "a")).toBeUndefined();
    expect(await store.list("role")).toEqual([]);
    await expect(store.transact([{ op: "check", kind: "role", name: "a", expect: item!.revision }])).rejects.toMatchObject({ code: "compare_failed" });
    await store.transact([put("a", "2", { expect: "absent" })]);
    expect(await store.get("role", "a")).toMatchObject({ value: "2" });
  });
});

describe("the change feed", () => {
  it("has told own changes, in order, when the transaction resolves", async () => {
    const feed = watch(store);
    const [a] = await store.transact([put("a"), { op: "delete", kind: "role", name: "a" }, put("b")]);
    expect(feed.seen.map(({ name, deleted }) => [name, deleted])).toEqual([
      ["a", false],
      ["a", true],
      ["b", false],
    ]);
    expect(feed.seen[0]!.sequence).toBe(a!.revision);
    const sequences = feed.seen.map(({ sequence }) => sequence);
    expect(sequences).toEqual([...sequences].sort((x, y) => x - y));
    feed.stop();
    await store.transact([put("c")]);
    expect(feed.seen).toHaveLength(3);
  });

  it("says nothing of what did not happen", async () => {
    const feed = watch(store);
    await store.transact([{ op: "delete", kind: "role", name: "nobody" }, { op: "check", kind: "role", name: "a", expect: "absent" }]);
    await expect(store.transact([put("a", "{}", { expect: "present" })])).rejects.toMatchObject({ code: "not_found" });
    expect(feed.seen).toEqual([]);
  });

  it("tells every change of many writers once and in order, to every reader", async () => {
    const other = await place.open();
    const feeds = [watch(store), watch(other)];
    await Promise.all(Array.from({ length: 60 }, (_, index) => (index % 2 ? store : other).transact([put(`r${index}`)])));
    for (const feed of feeds) {
      const names = Array.from({ length: 60 }, (_, index) => `r${index}`);
      for (const name of names) await feed.until((change) => change.name === name);
      expect(feed.seen.map(({ name }) => name).sort()).toEqual(names.sort());
    }
    expect(feeds[0]!.seen).toEqual(feeds[1]!.seen);
  });

  it("tells an expiry as a deletion, once, whoever sweeps", async () => {
    const other = await place.open();
    const feeds = [watch(store), watch(other)];
    await store.transact([put("a", "{}", { expires: 1_000_100 })]);
    place.clock.advance(100);
    for (const feed of feeds) await feed.until(({ deleted }) => deleted);
    await store.transact([put("end")]);
    for (const feed of feeds) {
      await feed.until(({ name }) => name === "end");
      expect(feed.seen.map(({ name, deleted }) => [name, deleted])).toEqual([
        ["a", false],
        ["a", true],
        ["end", false],
      ]);
    }
  });

  it("goes on for the others when one listener throws", async () => {
    store.subscribe(() => {
      throw new Error("listener");
    });
    const feed = watch(store);
    await store.transact([put("a")]);
    expect(feed.seen).toHaveLength(1);
  });

  it("says when it was read", async () => {
    expect(store.feedReadAt()).toBe(1_000_000);
    place.clock.advance(50);
    await store.transact([put("a")]);
    expect(store.feedReadAt()).toBe(1_000_050);
  });
});

describe("leases", () => {
  it("have one holder until they end or are given back", async () => {
    const other = await place.open();
    expect(await store.lease("sweeper", "one", 1000)).toEqual({ name: "sweeper", holder: "one", expires: 1_001_000 });
    expect(await other.lease("sweeper", "two", 1000)).toBeUndefined();
    place.clock.advance(999);
    expect(await other.lease("sweeper", "two", 1000)).toBeUndefined();
    expect(await store.lease("sweeper", "one", 1000)).toMatchObject({ expires: 1_001_999 });
    place.clock.advance(1000);
    expect(await other.lease("sweeper", "two", 1000)).toMatchObject({ holder: "two" });
    await other.lease("sweeper", "two", 0);
    expect(await store.lease("sweeper", "one", 1000)).toMatchObject({ holder: "one" });
  });

  it("go to one of many who ask at once", async () => {
    const other = await place.open();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 ? store : other).lease("one", `h${index}`, 1000)));
    expect(answers.filter((lease) => lease !== undefined)).toHaveLength(1);
  });
});

describe("closing", () => {
  it("answers what was asked before and refuses what is asked after", async () => {
    const asked = store.transact([put("a")]);
    const closing = store.close();
    await expect(store.get("role", "a")).rejects.toMatchObject({ code: "unavailable" });
    expect(await asked).toMatchObject([{ name: "a" }]);
    await closing;
    await store.close();
    expect(await (await place.open()).get("role", "a")).toBeDefined();
  });
});
