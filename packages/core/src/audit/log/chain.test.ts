import { generateKeyPairSync } from "node:crypto";
import { appendFile, mkdir, mkdtemp, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { manualClock, nullLogger, type Logger } from "../../base/index.ts";
import { openAuditLog, type OwnAuditLog } from "../index.ts";
import { isInTail } from "./tail.ts";
import { lineHash, readChain, readCheckpoint, verifyCheckpoint, type CheckpointLine } from "../verify/index.ts";

let directory: string;
const clock = manualClock(0);
const logs: OwnAuditLog[] = [];

async function open(more: { readonly logger?: Logger; readonly checkpointMs?: number } = {}): Promise<OwnAuditLog> {
  const log = await openAuditLog({ directory, serverId: "gw1", clock, logger: nullLogger, sync: "group", ...more });
  logs.push(log);
  return log;
}
const event = (n: number) => ({ event: "test", code: "G9999I", n });
const fileOf = (day: string): string => join(directory, "gw1", `${day}.00:00:00.log`);
async function lines(...days: string[]): Promise<Buffer[]> {
  const texts = await Promise.all(days.map((day) => readFile(fileOf(day), "utf8")));
  return texts.flatMap((text) => text.split("\n").slice(0, -1).map((line) => Buffer.from(line)));
}
const fields = (line: Buffer): Record<string, unknown> => JSON.parse(line.toString()) as Record<string, unknown>;
function checkLinks(all: readonly Buffer[]): void {
  for (const [at, line] of all.entries()) {
    const before = all[at - 1];
    const link = readChain(line)!;
    expect(link.prev).toBe(before ? lineHash(before) : "");
    if (fields(line)["event"] === "audit.start") expect(link.n).toBe(0);
    else expect(link).toMatchObject({ n: readChain(before!)!.n + 1, id: readChain(before!)!.id });
  }
}
function checkpointsOf(all: readonly Buffer[]): CheckpointLine[] {
  return all.flatMap((line) => readCheckpoint(fields(line), readChain(line)!) ?? []);
}

beforeEach(async () => {
  clock.set(Date.parse("2026-11-24T23:59:59.123Z"));
  directory = await mkdtemp(join(tmpdir(), "gatehouse-chain-"));
});
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  await rm(directory, { recursive: true });
});

it("ties every line to the one before it, over days and processes, and names a torn line that was cut off", async () => {
  const first = await open();
  await first.emit(event(1));
  clock.advance(1000);
  await Promise.all([first.emit(event(2)), first.emit(event(3))]);
  await first.close();
  await appendFile(fileOf("2026-11-25"), '{"event":"torn');
  const second = await open();
  await second.emit(event(4));
  await second.close();
  const all = await lines("2026-11-24", "2026-11-25");
  checkLinks(all);
  const starts = all.map(fields).filter((one) => one["event"] === "audit.start");
  expect(starts).toHaveLength(2);
  expect(starts[1]).toMatchObject({ torn: { file: "2026-11-25.00:00:00.log", bytes: 14 }, previous: { chain: readChain(all[0]!)!.id, n: 4, file: "2026-11-25.00:00:00.log" } });
});

it("signs checkpoints with keys that each announces the next, over restarts, and closes with one that says so", async () => {
  const first = await open();
  await first.emit(event(1));
  await first.checkpoint();
  await first.emit(event(2));
  await first.close();
  const second = await open();
  await second.emit(event(3));
  await second.close();
  const all = await lines("2026-11-24");
  const checkpoints = checkpointsOf(all);
  expect(checkpoints.map(({ seq, last }) => [seq, last])).toEqual([[0, false], [1, true], [2, true]]);
  for (const checkpoint of checkpoints) {
    expect(verifyCheckpoint(checkpoint, checkpoint.signature)).toBe(true);
    expect(verifyCheckpoint({ ...checkpoint, time: `${checkpoint.time} ` }, checkpoint.signature)).toBe(false);
  }
  expect(checkpoints.map(({ key }) => key).slice(1)).toEqual(checkpoints.map(({ next }) => next).slice(0, -1));
  expect(all.map(fields).filter((one) => one["event"] === "audit.start").map((one) => one["key"])).toEqual([checkpoints[0]!.key, checkpoints[2]!.key]);
});

it("keeps the key for itself, and no old one", async () => {
  const log = await open();
  const path = join(directory, "gw1", "checkpoint.key");
  const before = await readFile(path, "utf8");
  await log.emit(event(1));
  await log.checkpoint();
  const after = await readFile(path, "utf8");
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const old = (JSON.parse(before) as { current: string }).current;
  expect(after).not.toContain(old);
  expect(Object.keys(JSON.parse(after) as object)).toEqual(["seq", "current"]);
});

it("signs every so often where something was written, and soon after a session's end", async () => {
  const log = await open({ checkpointMs: 20 });
  await log.emit(event(1));
  await vi.waitFor(async () => expect(checkpointsOf(await lines("2026-11-24"))).toHaveLength(1));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(checkpointsOf(await lines("2026-11-24"))).toHaveLength(1);
  await log.close();
  const calm = await open();
  await calm.emit({ event: "session.end", code: "T2004I" });
  await vi.waitFor(async () => expect(checkpointsOf(await lines("2026-11-24")).map(({ last }) => last)).toEqual([false, true, false]));
});

it("tells of a checkpoint that cannot be made, and of a key that was gone", async () => {
  const errors: string[] = [];
  const logger = { ...nullLogger, error: (_: unknown, message: string) => errors.push(message) };
  const log = await open({ logger, checkpointMs: 30 });
  await log.emit(event(1));
  const blocked = join(directory, "gw1", "checkpoint.key.new");
  await mkdir(join(blocked, "in the way"), { recursive: true });
  await expect(log.checkpoint()).rejects.toMatchObject({ code: "unavailable" });
  await vi.waitFor(async () => expect((await lines("2026-11-24")).map(fields).some((one) => one["event"] === "audit.failed")).toBe(true));
  expect(log.status().problem).toBeDefined();
  await rm(blocked, { recursive: true });
  await log.checkpoint();
  expect(log.status().problem).toBeUndefined();
  await log.close();
  expect(errors.length).toBeGreaterThan(0);
  await unlink(join(directory, "gw1", "checkpoint.key"));
  const again = await open({ logger });
  await again.close();
  expect(errors.at(-1)).toContain("gone");
  expect(fields((await lines("2026-11-24")).at(-2)!)).toMatchObject({ event: "audit.start", key_missing: true });
});

it("goes on after a crash between the two halves of turning the key, whichever the log has", async () => {
  const path = join(directory, "gw1", "checkpoint.key");
  const first = await open();
  await first.emit(event(1));
  await first.close();
  const other = generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" }).toString("base64url");
  const kept = JSON.parse(await readFile(path, "utf8")) as { seq: number; current: string };
  // Staged, and the checkpoint that would announce it was never written.
  await writeFile(path, JSON.stringify({ ...kept, next: other }));
  const second = await open();
  await second.close();
  const checkpoints = checkpointsOf(await lines("2026-11-24"));
  expect(checkpoints[1]!.key).toBe(checkpoints[0]!.next);
  // The checkpoint was written, and the old key is still there.
  const now = JSON.parse(await readFile(path, "utf8")) as { seq: number; current: string };
  await writeFile(path, JSON.stringify({ seq: now.seq - 1, current: other, next: now.current }));
  const third = await open();
  await third.close();
  const all = checkpointsOf(await lines("2026-11-24"));
  expect(all.map(({ seq }) => seq)).toEqual([0, 1, 2]);
  expect(all[2]!.key).toBe(all[1]!.next);
  expect(await readFile(path, "utf8")).not.toContain(other);
});

it("looks for a key in the newest days that have anything in them", async () => {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-tail-"));
  for (const [day, text] of [["01", "one"], ["02", "two"], ["03", "three"], ["04", ""], ["05", ""]] as const) await writeFile(join(folder, `2026-11-${day}.00:00:00.log`), text);
  expect(await Promise.all(["one", "two", "three"].map((text) => isInTail(folder, text)))).toEqual([false, true, true]);
  await rm(folder, { recursive: true });
});
