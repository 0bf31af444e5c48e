import { appendFile, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, nullLogger, type Logger } from "../../base/index.ts";
import { openAuditLog, userLogin, type AuditEvent, type AuditEventInput, type AuditLog } from "../index.ts";

let directory: string;
const start = Date.parse("2026-11-24T23:59:59.123Z");
const clock = manualClock(start);
const logs: AuditLog[] = [];

async function open(sync: "group" | "strict" = "group", logger: Logger = nullLogger): Promise<AuditLog> {
  const log = await openAuditLog({ directory, serverId: "gw1", clock, logger, sync });
  logs.push(log);
  return log;
}
const fileOf = (day = "2026-11-24"): string => join(directory, "gw1", `${day}.00:00:00.log`);
async function events(day?: string): Promise<AuditEvent[]> {
  const text = await readFile(fileOf(day), "utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ event }) => !event.startsWith("audit."));
}
const numbered = (n: number, more: object = {}): AuditEventInput => ({ event: "test", code: "G9999I", n, ...more });

beforeEach(async () => {
  clock.set(start);
  directory = await mkdtemp(join(tmpdir(), "gatehouse-audit-"));
});
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  await rm(directory, { recursive: true });
});

describe.each(["group", "strict"] as const)("the audit log (%s)", (sync) => {
  it("has an event as a JSON line as soon as emit resolves", async () => {
    const log = await open(sync);
    await log.emit(userLogin({ method: "github", user: "ana", origin: { remoteAddress: "1.2.3.4:5" } }));
    const [event] = await events();
    expect(event).toMatchObject({ event: "user.login", code: "T1001I", user: "ana", success: true, "addr.remote": "1.2.3.4:5", time: "2026-11-24T23:59:59.123Z" });
    expect(event!.uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  });

  it("keeps the order of events, those of many turns too, each whole", async () => {
    const log = await open(sync);
    const emitted: Promise<void>[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      for (let n = 0; n < 50; n += 1) emitted.push(log.emit(numbered(turn * 50 + n)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(emitted);
    const found = await events();
    expect(found.map((event) => event["n"])).toEqual(Array.from({ length: 1000 }, (_, n) => n));
    expect(new Set(found.map(({ uid }) => uid)).size).toBe(1000);
  });
});

describe("days", () => {
  it("have a file each, by the event's own time, and events.log links to the current one", async () => {
    const log = await open();
    const last = log.emit(numbered(1));
    clock.advance(1000);
    const first = log.emit(numbered(2));
    await Promise.all([last, first]);
    expect((await events("2026-11-24")).map((event) => event["n"])).toEqual([1]);
    expect((await events("2026-11-25")).map((event) => event["n"])).toEqual([2]);
    expect(await readlink(join(directory, "events.log"))).toBe("gw1/2026-11-25.00:00:00.log");
    expect((await readFile(join(directory, "events.log"), "utf8")).split("\n")).toHaveLength(2);
    // A day that is over stays as it is: files in order have lines in the order of writing.
    clock.advance(-1000);
    await log.emit(numbered(3));
    expect((await events("2026-11-24")).map((event) => event["n"])).toEqual([1]);
    expect((await events("2026-11-25")).map((event) => event["n"])).toEqual([2, 3]);
    expect(await readdir(directory)).toEqual(["events.log", "gw1"]);
  });

  it("have nothing of a later day, their process's beginning neither", async () => {
    const log = await open();
    clock.advance(1000);
    await log.emit(numbered(1));
    const times = (await readFile(fileOf(), "utf8")).split("\n").slice(0, -1).map((line) => (JSON.parse(line) as AuditEvent).time);
    expect(times).toEqual(["2026-11-24T23:59:59.999Z"]);
    expect(await events("2026-11-25")).toHaveLength(1);
  });

  it("do not replace an events.log that is no link", async () => {
    await writeFile(join(directory, "events.log"), "mine");
    const warnings: string[] = [];
    const log = await open("group", { ...nullLogger, warn: (_, message) => warnings.push(message) });
    await log.emit(numbered(1));
    expect(await readFile(join(directory, "events.log"), "utf8")).toBe("mine");
    expect(warnings).toHaveLength(1);
  });
});

describe("files", () => {
  it("are not for others", async () => {
    await open();
    expect((await stat(join(directory, "gw1"))).mode & 0o777).toBe(0o700);
    expect((await stat(fileOf())).mode & 0o137).toBe(0);
    expect((await lstat(join(directory, "events.log"))).isSymbolicLink()).toBe(true);
  });

  it.each(["", ".", "..", "a/b", "../x", "a\0"])("are not made for a server id like %j", async (serverId) => {
    await expect(openAuditLog({ directory, serverId, clock, logger: nullLogger, sync: "group" })).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it("that cannot be made are unavailable", async () => {
    await writeFile(join(directory, "gw1"), "a file where the directory goes");
    await expect(open()).rejects.toMatchObject({ code: "unavailable" });
  });
});

describe("after a crash", () => {
  it.each([
    ["half a line", '{"event":"test","co', 1],
    ["a line without its newline", '{"event":"test","code":"G1"}', 1],
    ["a long torn line", `{"event":"${"x".repeat(200_000)}`, 1],
    ["nothing", "", 0],
  ])("with %s at the end the log goes on from the last whole line", async (_, tail, cuts) => {
    const log = await open();
    await log.emit(numbered(1));
    await log.close();
    await appendFile(fileOf(), tail);
    const warnings: unknown[] = [];
    const again = await open("group", { ...nullLogger, warn: (fields) => warnings.push(fields["bytes"]) });
    await again.emit(numbered(2));
    expect((await events()).map((event) => event["n"])).toEqual([1, 2]);
    expect(warnings).toEqual(cuts ? [tail.length] : []);
  });

  it("with nothing but a torn line it begins anew", async () => {
    await mkdir(join(directory, "gw1"));
    await writeFile(fileOf(), '{"ev');
    const log = await open();
    await log.emit(numbered(1));
    expect(await events()).toHaveLength(1);
  });
});

describe("lines", () => {
  const leaf = fc.oneof(fc.string({ unit: "binary", maxLength: 30 }), fc.integer(), fc.boolean(), fc.constant(null));
  const field = fc.oneof(leaf, fc.array(leaf, { maxLength: 4 }), fc.dictionary(fc.string(), leaf, { maxKeys: 4 }));
  it("say what was emitted, whatever is in it", async () => {
    const log = await open();
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ unit: "binary", minLength: 1 }), field, { maxKeys: 8 }), async (fields) => {
        const before = (await readFile(fileOf(), "utf8").catch(() => "")).split("\n").length;
        const input = { ...fields, event: "e", code: "c" };
        await log.emit(input);
        const lines = (await readFile(fileOf(), "utf8")).split("\n");
        expect(lines.length).toBe(before + 1);
        const written = JSON.parse(lines.at(-2)!) as AuditEvent;
        const wanted = JSON.parse(JSON.stringify(input)) as AuditEvent;
        expect(written).toEqual({ ...wanted, uid: written.uid, time: "2026-11-24T23:59:59.123Z", chain: written["chain"] });
      }),
      { numRuns: 100 },
    );
  });

  it("have the log's own uid and time, once", async () => {
    const log = await open();
    await log.emit(numbered(1, { uid: "forged", time: "1970", chain: "forged" }));
    const text = (await readFile(fileOf(), "utf8")).split("\n").slice(-2).join("");
    expect(text.match(/"time"/g)).toHaveLength(1);
    expect(text.match(/"chain"/g)).toHaveLength(1);
    expect(text).not.toContain("forged");
  });

  it("that cannot be made reject, and hurt no other", async () => {
    const log = await open();
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    const bad = log.emit(numbered(1, { circle }));
    const good = log.emit(numbered(2));
    await expect(bad).rejects.toMatchObject({ code: "internal" });
    await good;
    expect((await events()).map((event) => event["n"])).toEqual([2]);
  });

  it("cut what is too long or too deep, and say so", async () => {
    const log = await open();
    let deep: AuditEventInput[string] = "bottom";
    for (let level = 0; level < 3000; level += 1) deep = [deep];
    const fields = {
      exactly: "x".repeat(4096),
      long: `${"y".repeat(4095)}😀`,
      many: Array.from({ length: 1000 }, () => "entry"),
      deep,
      huge: Array.from({ length: 50 }, () => "z".repeat(10_000)),
      [`k${"e".repeat(1000)}y`]: 1,
      after: "never",
    };
    await log.emit(numbered(1, fields));
    await log.emit(numbered(2, { exactly: fields.exactly }));
    const [one, two] = await events();
    expect(one!["truncated"]).toBe(true);
    expect(one!["exactly"]).toBe(fields.exactly);
    expect(one!["long"]).toBe(`${"y".repeat(4095)}…`);
    expect(one!["many"]).toHaveLength(256);
    expect(one!["n"]).toBe(1);
    expect(JSON.stringify(one).length).toBeLessThan(80_000);
    expect(two).not.toHaveProperty("truncated");
    expect(two!["exactly"]).toBe(fields.exactly);
  });
});

describe("closing", () => {
  it("writes what waits and refuses what comes after", async () => {
    const log = await open();
    const waiting = log.emit(numbered(1));
    const closing = log.close();
    await expect(log.emit(numbered(2))).rejects.toMatchObject({ code: "unavailable" });
    await Promise.all([waiting, closing]);
    expect((await events()).map((event) => event["n"])).toEqual([1]);
  });
});
