import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { manualClock, nullLogger } from "../../base/index.ts";
import { openAuditLog, type OwnAuditLog } from "../index.ts";
import { verifyLogs, type LogSource, type Verification } from "../verify/index.ts";

const dayMs = 86_400_000;
let directory: string;
let log: OwnAuditLog;
const clock = manualClock(0);
const witnessFile = (): string => join(directory, "..", "witness.log");
const names = async (): Promise<string[]> => (await readdir(join(directory, "gw1"))).filter((name) => name.endsWith(".log")).sort();

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
async function verify(change: (files: Map<string, Buffer>) => void = () => undefined): Promise<Verification> {
  const files = new Map<string, Buffer>();
  for (const name of await names()) files.set(name, await readFile(join(directory, "gw1", name)));
  change(files);
  const source: LogSource = { server: "gw1", files: [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => ({ name, size: bytes.length, read: () => once(bytes) })), recording: () => Promise.resolve(undefined) };
  const witness = await readFile(witnessFile());
  return verifyLogs({ sources: [source], witnesses: [{ name: "witness", read: () => once(witness) }] });
}

const sidOf = (day: number): string => `00000000-0000-4000-8000-00000000000${day}`;

beforeEach(async () => {
  clock.set(Date.parse("2026-11-01T12:00:00Z"));
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-retention-"));
  directory = join(folder, "log");
  log = await openAuditLog({ directory, serverId: "gw1", clock, logger: nullLogger, sync: "group", retentionMs: 3 * dayMs, witnesses: [{ type: "file", path: witnessFile() }] });
});
afterEach(async () => {
  await log.close();
  await rm(join(directory, ".."), { recursive: true });
});

it("prunes whole days with the recordings of their sessions, and verification knows it from tampering", async () => {
  await mkdir(join(directory, "gw1/sessions/default"), { recursive: true });
  for (let day = 0; day < 8; day += 1) {
    const sid = sidOf(day);
    const file = `gw1/sessions/default/${sid}.rec`;
    await writeFile(join(directory, file), "x");
    if (day === 1) await writeFile(join(directory, file.replace(".rec", ".damaged")), "x");
    await log.emit({ event: "session.start", code: "T2000I", sid });
    await log.emit({ event: "session.end", code: "T2004I", sid, ...(day < 3 ? { recording: { file, bytes: 1, sha256: "0" } } : {}) });
    await log.checkpoint();
    clock.advance(dayMs);
  }
  await log.emit({ event: "test", code: "G9999I" });
  await log.checkpoint();
  expect(await names()).toHaveLength(9);
  const old = await Promise.all(["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"].map(async (day) => [`${day}.00:00:00.log`, await readFile(join(directory, "gw1", `${day}.00:00:00.log`))] as const));
  await log.prune();
  // It is the 9th at noon: what ended before the 6th at noon goes, the 6th itself stays whole.
  expect((await names())[0]).toBe("2026-11-06.00:00:00.log");
  expect((await readdir(join(directory, "gw1/sessions/default"))).sort()).toEqual([3, 4, 5, 6, 7].map((day) => `${sidOf(day)}.rec`));
  await log.emit({ event: "test", code: "G9999I" });
  await log.checkpoint();
  const found = await verify();
  expect(found.findings).toEqual([]);
  expect(found.notes.map(({ kind, text }) => [kind, text])).toEqual([["pruned", expect.stringContaining("everything before 2026-11-06T00:00:00.000Z was pruned at 2026-11-09")]]);
  // One day more is tampering: no stub has it.
  const tampered = await verify((files) => files.delete("2026-11-06.00:00:00.log"));
  expect(tampered.findings.map(({ kind }) => kind)).toEqual(expect.arrayContaining(["removed", "witness"]));
  // Pruned days that a crash has left, when the recordings of the first of them had gone already.
  const left = (days: typeof old) => (files: Map<string, Buffer>) => {
    for (const [name, bytes] of days) files.set(name, bytes);
  };
  expect((await verify(left(old.slice(1)))).findings).toEqual([]);
  // Pruning takes the recordings of one day at a time: those of the 3rd are there while there is a 2nd.
  const more = await verify(left(old));
  expect(more.findings).toEqual([expect.objectContaining({ kind: "recording", place: expect.objectContaining({ file: "2026-11-03.00:00:00.log" }) as unknown })]);
  // Nothing is pruned twice.
  const before = await names();
  await log.prune();
  expect(await names()).toEqual(before);
});

it("that a crash has cut short is as good as done", async () => {
  for (let day = 0; day < 6; day += 1) {
    await log.emit({ event: "test", code: "G9999I" });
    clock.advance(dayMs);
  }
  await log.emit({ event: "test", code: "G9999I" });
  const last = join(directory, "gw1", "2026-11-03.00:00:00.log");
  const bytes = await readFile(last);
  await log.prune();
  expect((await names())[0]).toBe("2026-11-04.00:00:00.log");
  // The last of the pruned days is still there, as a crash leaves it.
  await writeFile(last, bytes);
  expect((await verify()).findings).toEqual([]);
  await log.prune();
  expect((await names())[0]).toBe("2026-11-04.00:00:00.log");
  expect((await verify()).findings).toEqual([]);
});
