import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "@photostructure/sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, nullLogger, systemRandom } from "../base/index.ts";
import { openKysely } from "./dialect.ts";
import { migrate } from "./migrate.ts";
import { migrations } from "./schema.ts";
import { createPlace, type TestPlace } from "./testing.ts";
import { startWorker } from "./worker-client.ts";

let place: TestPlace;
beforeEach(async () => {
  place = await createPlace();
});
afterEach(() => place.remove());

const mode = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;
const put = { op: "put", kind: "k", name: "n", value: "plain text", secret: "do not look" } as const;

/** Opens, writes a secret and closes again. */
async function firstRun(): Promise<void> {
  const store = await place.open();
  await store.transact([put]);
  await store.close();
}

describe("files", () => {
  it("are for their owner alone, journals too", async () => {
    const store = await place.open();
    await store.transact([put]);
    expect(await mode(dirname(place.path))).toBe(0o700);
    const files = await readdir(dirname(place.path));
    expect(files.sort()).toEqual(["gatehouse.db", "gatehouse.db-shm", "gatehouse.db-wal"]);
    for (const file of files) expect(await mode(join(dirname(place.path), file))).toBe(0o600);
    expect(await mode(place.keyFile)).toBe(0o600);
    expect(await readFile(place.keyFile)).toHaveLength(32);
    expect(await readdir(place.directory)).toEqual(["db", "secret.key"]);
  });

  it("do not hold a secret in the clear", async () => {
    const store = await place.open();
    await store.transact([put]);
    const folder = dirname(place.path);
    const bytes = Buffer.concat(await Promise.all((await readdir(folder)).map((file) => readFile(join(folder, file)))));
    expect(bytes.includes("plain text")).toBe(true);
    expect(bytes.includes("do not look")).toBe(false);
  });

  it("that are too open are narrowed (database) or refused (key, directory)", async () => {
    await firstRun();
    await chmod(place.path, 0o644);
    await (await place.open()).close();
    expect(await mode(place.path)).toBe(0o600);
    await chmod(place.keyFile, 0o640);
    await expect(place.open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("others may read the key file") as string });
    await chmod(place.keyFile, 0o600);
    await chmod(dirname(place.path), 0o770);
    await expect(place.open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("others may write to") as string });
  });
});

describe("the key file", () => {
  it.each([
    ["missing beside a database", () => rm(place.keyFile), "is missing"],
    ["of another database", () => writeFile(place.keyFile, randomBytes(32)), "is not the one that this database is sealed with"],
    ["cut short", () => writeFile(place.keyFile, randomBytes(31)), "does not hold 32 bytes"],
    ["too long", () => writeFile(place.keyFile, randomBytes(33)), "does not hold 32 bytes"],
  ])("%s is refused", async (_, change, message) => {
    await firstRun();
    await change();
    await expect(place.open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining(message) as string });
  });

  it("that is a link is refused", async () => {
    await writeFile(join(place.directory, "elsewhere"), randomBytes(32), { mode: 0o600 });
    await symlink("elsewhere", place.keyFile);
    await expect(place.open()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("is the same for two who start at once", async () => {
    const [one, two] = await Promise.all([place.open(), place.open()]);
    await one.transact([put]);
    expect(await two.get("k", "n")).toMatchObject({ secret: "do not look" });
  });
});

describe("sealed secrets", () => {
  it.each([
    ["moved to another item", "UPDATE items SET secret = (SELECT secret FROM items WHERE name = 'n') WHERE name = 'm'", "m"],
    ["put back from an older revision", "UPDATE items SET secret = (SELECT value FROM old) WHERE name = 'n'", "n"],
    ["changed in one bit", "UPDATE items SET secret = iif(substr(secret, 1, 1) = 'A', 'B', 'A') || substr(secret, 2) WHERE name = 'n'", "n"],
    ["cut short", "UPDATE items SET secret = substr(secret, 1, 8) WHERE name = 'n'", "n"],
  ])("%s do not open", async (_, damage, name) => {
    await firstRun();
    const raw = new DatabaseSync(place.path);
    raw.exec("CREATE TABLE old AS SELECT secret AS value FROM items WHERE name = 'n'");
    const store = await place.open();
    await store.transact([put, { ...put, name: "m" }]);
    await store.close();
    raw.exec(damage);
    raw.close();
    const again = await place.open();
    await expect(again.get("k", name)).rejects.toMatchObject({ code: "internal", message: expect.stringContaining(`the secret of k/${name} does not open`) as string });
  });
});

describe("the schema", () => {
  it("of a newer version is refused, and left as it is", async () => {
    await firstRun();
    const raw = new DatabaseSync(place.path);
    raw.exec("INSERT INTO migrations (position, name, applied_at) VALUES (9999, '9999-future', 0)");
    raw.close();
    await expect(place.open()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining('newer version of Gatehouse (it has migration "9999-future")') as string });
  });

  it("moves on step by step, each step whole or not at all", async () => {
    await firstRun();
    const worker = await startWorker({ path: place.path, key: new Uint8Array(await readFile(place.keyFile)), logger: nullLogger });
    const db = openKysely(worker);
    const clock = manualClock(0);
    const good = { name: "9001-more", statements: ["CREATE TABLE more (x TEXT)"] };
    const bad = { name: "9002-bad", statements: ["CREATE TABLE half (x TEXT)", "CREATE TABLE more (x TEXT)"] };
    await expect(migrate(db, worker, clock, [...migrations, good, bad])).rejects.toMatchObject({ code: "internal" });
    const tables = await worker.run("single", [{ sql: "SELECT name FROM sqlite_schema WHERE name IN ('more', 'half')", parameters: [] }]);
    expect(tables.rows?.[0]).toEqual([{ name: "more" }]);
    await Promise.all([migrate(db, worker, clock, [...migrations, good]), migrate(db, worker, clock, [...migrations, good])]);
    await worker.close();
  });
});

describe("a database that cannot be used", () => {
  it.each([
    ["is not SQLite", async () => writeFile(place.path, randomBytes(8192), { mode: 0o600 })],
    ["is a directory", async () => mkdir(place.path)],
  ])("because it %s is unavailable, with the cause", async (_, make) => {
    await mkdir(dirname(place.path), { mode: 0o700 });
    await writeFile(place.keyFile, systemRandom(32), { mode: 0o600 });
    await make();
    await expect(place.open()).rejects.toMatchObject({ code: "unavailable", hint: expect.any(String) as string });
  });
});
