import type * as promises from "node:fs/promises";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { manualClock, nullLogger, systemRandom } from "../../base/index.ts";
import { createChain } from "./chain.ts";
import { createChainedLog } from "./log.ts";
import { createWriter } from "./writer.ts";
import { openAuditLog, type AuditEventInput, type AuditLog } from "../index.ts";

/** What the next calls on the log's file do instead of what was asked. */
const faults = vi.hoisted(() => ({ write: [] as ("full" | "short")[], truncate: 0, sync: 0, writes: 0, syncs: 0, hang: undefined as Promise<void> | undefined }));

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof promises>();
  const full = (): Error => Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  async function open(...parameters: Parameters<typeof real.open>): Promise<promises.FileHandle> {
    const handle = await real.open(...parameters);
    if (!String(parameters[0]).endsWith(".log")) return handle;
    const write = handle.write.bind(handle);
    const truncate = handle.truncate.bind(handle);
    const datasync = handle.datasync.bind(handle);
    return Object.assign(handle, {
      async write(bytes: Buffer) {
        faults.writes += 1;
        const fault = faults.write.shift();
        if (fault === undefined) return write(bytes, 0, bytes.length);
        const partial = await write(bytes, 0, Math.floor(bytes.length / 2));
        if (fault === "full") throw full();
        return partial;
      },
      async truncate(size: number) {
        if (faults.truncate > 0) {
          faults.truncate -= 1;
          throw full();
        }
        return truncate(size);
      },
      async datasync() {
        faults.syncs += 1;
        await faults.hang;
        if (faults.sync > 0) {
          faults.sync -= 1;
          throw full();
        }
        return datasync();
      },
    });
  }
  return { ...real, open };
});

let directory: string;
let log: AuditLog;
const clock = manualClock(Date.parse("2026-11-24T10:00:00Z"));
const open = (sync: "group" | "strict"): Promise<AuditLog> => openAuditLog({ directory, serverId: "gw1", clock, logger: nullLogger, sync });
const numbered = (n: number): AuditEventInput => ({ event: "test", code: "G9999I", n });
async function found(): Promise<unknown[]> {
  const text = await readFile(join(directory, "gw1", "2026-11-24.00:00:00.log"), "utf8");
  expect(text === "" || text.endsWith("\n")).toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { event: string; n: unknown })
    .filter(({ event }) => event === "test")
    .map(({ n }) => n);
}

beforeEach(async () => {
  Object.assign(faults, { write: [], truncate: 0, sync: 0, writes: 0, syncs: 0, hang: undefined });
  directory = await mkdtemp(join(tmpdir(), "gatehouse-audit-"));
});
afterEach(async () => {
  await log.close();
  await rm(directory, { recursive: true });
});

it.each(["full", "short"] as const)("a write that is %s rejects its events, leaves no part of them, and the log goes on", async (fault) => {
  log = await open("group");
  await log.emit(numbered(1));
  faults.write.push(fault);
  const refused = await Promise.allSettled([log.emit(numbered(2)), log.emit(numbered(3))]);
  for (const one of refused) expect(one).toMatchObject({ status: "rejected", reason: { code: "unavailable" } });
  expect(await found()).toEqual([1]);
  await log.emit(numbered(4));
  expect(await found()).toEqual([1, 4]);
});

it("a torn line that cannot be cut off at once is cut off before anything else is written", async () => {
  log = await open("group");
  await log.emit(numbered(1));
  faults.write.push("full");
  faults.truncate = 2;
  await expect(log.emit(numbered(2))).rejects.toMatchObject({ code: "unavailable" });
  await expect(log.emit(numbered(3))).rejects.toMatchObject({ code: "unavailable" });
  await log.emit(numbered(4));
  expect(await found()).toEqual([1, 4]);
});

it("strict waits for the disk, and refuses when it fails", async () => {
  log = await open("strict");
  await log.emit(numbered(1));
  const synced = faults.syncs;
  expect(synced).toBeGreaterThan(0);
  faults.sync = 1;
  await expect(log.emit(numbered(2))).rejects.toMatchObject({ code: "unavailable" });
  await log.emit(numbered(3));
  expect((await found()).at(-1)).toBe(3);
});

it("a sync that hangs is alone, and events are refused until it comes back", async () => {
  const writer = createWriter({ directory, serverId: "gw1", random: systemRandom, logger: nullLogger, slowSyncMs: 1500 });
  await writer.open(clock.now());
  log = createChainedLog({ writer, chain: createChain("0123456789abcdef", ""), first: () => ({ event: "audit.start", code: "G4000I" }), clock, sync: "group", logger: nullLogger });
  let go = (): void => undefined;
  faults.hang = new Promise((resolve) => (go = resolve));
  await log.emit(numbered(1));
  await vi.waitFor(() => expect(faults.syncs).toBe(1));
  await log.emit(numbered(2));
  await new Promise((resolve) => setTimeout(resolve, 1600));
  await expect(log.emit(numbered(3))).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("does not secure it") as string });
  expect(faults.syncs).toBe(1);
  faults.hang = undefined;
  go();
  await vi.waitFor(() => expect(faults.syncs).toBe(2));
  await log.emit(numbered(4));
  expect(await found()).toEqual([1, 2, 4]);
});

it("many events of one turn are one write, and are synced soon after", async () => {
  log = await open("group");
  await Promise.all(Array.from({ length: 500 }, (_, n) => log.emit(numbered(n))));
  // One for audit.start, one for all of them.
  expect(faults.writes).toBe(2);
  await vi.waitFor(() => expect(faults.syncs).toBe(1));
});

it("closing syncs what the group had not", async () => {
  log = await open("group");
  await log.emit(numbered(1));
  await log.close();
  expect(faults.syncs).toBeGreaterThan(0);
});

it("refuses events when too many wait, and takes them again when they are written", async () => {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const lines: string[] = [];
  const writer = {
    open: async () => ({ tail: undefined, torn: undefined }),
    append: async (_: number, bytes: Buffer) => {
      await held;
      lines.push(...bytes.toString().trim().split("\n"));
    },
    sync: async () => undefined,
    position: () => ({ file: "", offset: 0 }),
    close: async () => undefined,
  };
  log = createChainedLog({ writer, chain: createChain("0123456789abcdef", ""), first: () => ({ event: "audit.start", code: "G4000I" }), clock, sync: "group", logger: nullLogger });
  const taken = 20_000;
  const accepted = Array.from({ length: taken }, (_, n) => log.emit(numbered(n)));
  await expect(log.emit(numbered(-1))).rejects.toMatchObject({ code: "unavailable" });
  release();
  await Promise.all(accepted);
  await log.emit(numbered(-2));
  expect(lines.length).toBe(taken + 2);
});
