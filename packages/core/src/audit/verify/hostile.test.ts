import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { manualClock, nullLogger, uuid, type ManualClock } from "../../base/index.ts";
import { openAuditLog, type AuditEventInput, type EventValue, type OwnAuditLog } from "../index.ts";
import { chainText, checkpointText, lineHash, readWitnessLine, verifyLogs, type LogSource, type Verification } from "./index.ts";

/** What somebody who is root on the gateway would try, one way each. */
const server = "gw1";
const hour = 3_600_000;
const folders: string[] = [];
type Files = Map<string, Buffer>;

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "gatehouse-hostile-"));
  folders.push(made);
  return made;
}
afterEach(async () => {
  for (const one of folders.splice(0)) await rm(one, { recursive: true });
});

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
function sourceOf(files: Files, more: Partial<LogSource> = {}): LogSource {
  return {
    server,
    files: [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => ({ name, size: bytes.length, read: () => once(bytes) })),
    recording: () => Promise.resolve(undefined),
    ...more,
  };
}
function verify(files: Files, witness?: Buffer, range: { readonly from?: number; readonly to?: number } = {}, more?: Partial<LogSource>): Promise<Verification> {
  return verifyLogs({ sources: [sourceOf(files, more)], witnesses: witness ? [{ name: "w", read: () => once(witness) }] : [], ...range });
}
async function write(work: (log: OwnAuditLog, clock: ManualClock) => Promise<void>, options: { readonly witness?: string; readonly directory?: string; readonly start?: string } = {}): Promise<string> {
  const directory = options.directory ?? (await folder());
  const clock = manualClock(Date.parse(options.start ?? "2026-11-23T12:00:00Z"));
  const witnesses = options.witness === undefined ? [] : [{ type: "file" as const, path: options.witness }];
  const log = await openAuditLog({ directory, serverId: server, clock, logger: nullLogger, sync: "group", witnesses });
  await work(log, clock);
  await log.close();
  return directory;
}
async function filesOf(directory: string): Promise<Files> {
  const files: Files = new Map();
  for (const name of (await readdir(join(directory, server))).filter((one) => one.endsWith(".log")).sort()) files.set(name, await readFile(join(directory, server, name)));
  return files;
}
const linesOf = (bytes: Buffer): string[] => bytes.toString("utf8").split("\n").slice(0, -1);
const joined = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(""));
const kinds = ({ findings }: Verification): string[] => findings.map(({ kind }) => kind);

/** Two days of somebody's deeds, an hour each. */
const deeds = (user: string, last?: AuditEventInput) => async (log: OwnAuditLog, clock: ManualClock) => {
  for (let i = 0; i < 50; i += 1) {
    clock.advance(hour);
    await log.emit({ event: "exec", code: "T3002I", user, i });
    if (i % 5 === 0) await log.checkpoint();
  }
  if (last) await log.emit(last);
};
const stub = (fields: Readonly<Record<string, EventValue>>): AuditEventInput => ({ event: "audit.pruned", code: "G4002I", server_id: server, ...fields });
const hash = "h".repeat(43);

describe("a history written anew, with a pruning that would excuse it", () => {
  const stubs: Readonly<Record<string, AuditEventInput>> = {
    "before is no time": stub({ before: "~", files: [] }),
    "its retention is below nothing": stub({ before: "2026-11-27T00:00:00.000Z", retention_ms: -1e12, files: [] }),
    "before is to come": stub({ before: "2026-11-27T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-22.00:00:00.log", bytes: 1, hash }] }),
    "a file is not before it": stub({ before: "2026-11-23T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-23.00:00:00.log", bytes: 1, hash }] }),
    "a hash is none": stub({ before: "2026-11-23T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-22.00:00:00.log", bytes: 1, hash: "x" }] }),
  };
  it.each(Object.keys(stubs))("%s: the stub is named, and what witnesses saw is missed", async (name) => {
    const witness = join(await folder(), "w");
    await write(deeds("mallory"), { witness });
    const files = await filesOf(await write(deeds("innocent", stubs[name])));
    const found = await verify(files, await readFile(witness));
    expect(kinds(found)).toEqual(expect.arrayContaining(["pruned", "witness"]));
    expect(found.servers[0]!.proven).toBeUndefined();
  });

  it("a stub that the log could have written does not excuse days that follow it", async () => {
    const witness = join(await folder(), "w");
    await write(deeds("mallory"), { witness });
    const good = stub({ before: "2026-11-23T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-22.00:00:00.log", bytes: 1, hash }] });
    const found = await verify(await filesOf(await write(deeds("innocent", good))), await readFile(witness));
    expect(kinds(found)).toContain("witness");
    expect(found.notes).toContainEqual(expect.objectContaining({ kind: "pruned", text: expect.stringContaining("not proven") as string }));
  });

  it("with the gateway's way to the witness, the witness has two histories, and that is told", async () => {
    const witness = join(await folder(), "w");
    await write(deeds("mallory"), { witness });
    const files = await filesOf(await write(deeds("innocent", stub({ before: "~", files: [] })), { witness }));
    const found = await verify(files, await readFile(witness));
    expect(found.findings.some(({ kind, text }) => kind === "witness" && text.includes("two logs"))).toBe(true);
  });

  it("a log that begins anew where the excused days end has another key than the witness heard of", async () => {
    const witness = join(await folder(), "w");
    await write(deeds("mallory"), { witness });
    const honest = linesOf(await readFile(witness));
    // Only the first day's checkpoints; a new log of much later, tied to a day that nobody has any more.
    const seen = joined(honest.filter((line) => line.includes('"time":"2026-11-23')).slice(0, 1));
    const forged = await filesOf(await write(deeds("innocent", stub({ before: "2026-11-24T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-23.00:00:00.log", bytes: 1, hash }] })), { start: "2026-12-01T00:00:00Z" }));
    const found = await verify(forged, seen);
    expect(kinds(found)).toContain("witness");
  });
});

describe("a log that begins behind a pruning", () => {
  /** Eight days, of which five go; the log of the last three is the gateway's own. */
  async function pruned(checkpoints = 1): Promise<{ readonly files: Files; readonly lines: readonly string[] }> {
    const directory = await folder();
    const witness = join(await folder(), "w");
    const clock = manualClock(Date.parse("2026-11-01T12:00:00Z"));
    const log = await openAuditLog({ directory, serverId: server, clock, logger: nullLogger, sync: "group", retentionMs: 72 * hour, witnesses: [{ type: "file", path: witness }] });
    for (let day = 0; day < 8; day += 1) {
      for (let n = 0; n < checkpoints; n += 1) {
        await log.emit({ event: "exec", code: "T3002I", day });
        await log.checkpoint();
      }
      clock.advance(24 * hour);
    }
    await log.emit({ event: "exec", code: "T3002I" });
    await log.prune();
    await log.close();
    return { files: await filesOf(directory), lines: linesOf(await readFile(witness)) };
  }

  it("is proven, and says what is not where its witness lacks the checkpoint before it", async () => {
    const { files, lines } = await pruned();
    const found = await verify(files, joined(lines));
    expect(found.findings).toEqual([]);
    expect(found.notes.map(({ kind }) => kind)).toEqual(["pruned"]);
    const first = lines.findIndex((line) => line.includes(`"time":"${[...files.keys()][0]!.slice(0, 10)}`));
    const gap = await verify(files, joined(lines.filter((_, index) => index !== first - 1)));
    expect(gap.findings).toEqual([]);
    expect(gap.notes).toContainEqual(expect.objectContaining({ kind: "witness", text: expect.stringContaining("not proven") as string }));
  });

  it("cannot begin after more than the pruning says that it took", async () => {
    const directory = await folder();
    const witness = join(await folder(), "w");
    const first = "2026-11-23.00:00:00.log";
    await write(
      async (log, clock) => {
        await deeds("mallory")(log, clock);
        const hash = lineHash(linesOf((await filesOf(directory)).get(first)!).at(-1)!);
        // As retention would write it of days of long ago, but for the hash.
        await log.emit(stub({ before: "2026-11-20T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-19.00:00:00.log", bytes: 1, hash }] }));
      },
      { directory, witness },
    );
    const files = await filesOf(directory);
    expect((await verify(files, await readFile(witness))).findings).toEqual([]);
    files.delete(first);
    expect(kinds(await verify(files, await readFile(witness)))).toContain("witness");
  });

  it("cannot go on with a number that a pruned day had", async () => {
    const { lines } = await pruned(3);
    // Another log of later days, with a key of its own, in the place of the one that the witness saw.
    const { files } = await pruned();
    const begin = [...files.keys()][0]!.slice(0, 10);
    const found = await verify(files, joined(lines.filter((line) => readWitnessLine(Buffer.from(line))!.checkpoint.time < begin)));
    expect(found.findings.map(({ text }) => text)).toContainEqual(expect.stringContaining("on a day that is pruned, and the log goes on with"));
  });
});

it("witnesses who know nothing of a log are told", async () => {
  const files = await filesOf(await write(deeds("ana")));
  const found = await verify(files, Buffer.from("Nov 25 gw systemd[1]: nothing of ours\n"));
  expect(found.findings).toEqual([expect.objectContaining({ kind: "witness", text: expect.stringContaining("no witness") as string })]);
});

it("a log and its key set back to an earlier day show as two checkpoints of one number", async () => {
  const witness = join(await folder(), "w");
  const directory = await write(deeds("ana"), { witness });
  const [first] = linesOf(await readFile(witness));
  const other = join(await folder(), "w");
  await write(deeds("ana"), { witness: other });
  const [second] = linesOf(await readFile(other));
  const found = await verify(await filesOf(directory), Buffer.concat([await readFile(witness), joined([second!])]));
  expect(first).not.toBe(second);
  expect(kinds(found)).toContain("witness");
});

describe("a range of days", () => {
  async function log(): Promise<{ readonly files: Files; readonly witness: Buffer; readonly names: readonly string[] }> {
    const witness = join(await folder(), "w");
    const files = await filesOf(await write(deeds("ana"), { witness }));
    return { files, witness: await readFile(witness), names: [...files.keys()] };
  }

  it("lines removed at its beginning are missed, and untouched it is proven from that day on", async () => {
    const { files, witness, names } = await log();
    const from = Date.parse(names[1]!.slice(0, 10));
    const clean = await verify(files, witness, { from });
    expect(clean.findings).toEqual([]);
    expect(clean.servers[0]).toMatchObject({ from: "2026-11-24", lines: linesOf(files.get(names[1]!)!).length + linesOf(files.get(names[2]!)!).length });
    expect(clean.servers[0]!.proven).toBeDefined();
    files.set(names[1]!, joined(linesOf(files.get(names[1]!)!).slice(3)));
    expect(kinds(await verify(files, witness, { from }))).toContain("removed");
    files.set(names[1]!, joined(linesOf(files.get(names[1]!)!).slice(1)));
    files.delete(names[0]!);
    expect((await verify(files, witness, { from })).unbroken).toBe(false);
  });

  it("lines removed at its end are missed", async () => {
    const { files, witness, names } = await log();
    const to = Date.parse(names[1]!.slice(0, 10));
    expect((await verify(files, witness, { to })).findings).toEqual([]);
    files.set(names[1]!, joined(linesOf(files.get(names[1]!)!).slice(0, -1)));
    expect((await verify(files, witness, { to })).unbroken).toBe(false);
  });

  it("a file under another day's name is told", async () => {
    const { files, witness, names } = await log();
    files.set("2020-01-01.00:00:00.log", files.get(names[0]!)!);
    files.delete(names[0]!);
    expect(kinds(await verify(files, witness))).toContain("moved");
  });
});

describe("a session without an end", () => {
  const begun = { event: "session.start", code: "T2000I", sid: uuid(), user: "root", recorded: true } as const;

  it("whose process is dead and followed by another is told", async () => {
    const directory = await write(async (log) => {
      await log.emit(begun);
      await log.checkpoint();
    });
    const found = await verify(await filesOf(directory));
    expect(kinds(found)).toEqual(["session"]);
    await write(async (log) => log.emit({ event: "x", code: "X" }), { directory, start: "2026-11-26T12:00:00Z" });
    expect(kinds(await verify(await filesOf(directory)))).toEqual(["session"]);
  });

  it("is a note while its process may be there", async () => {
    const directory = await folder();
    const log = await openAuditLog({ directory, serverId: server, clock: manualClock(Date.parse("2026-11-23T12:00:00Z")), logger: nullLogger, sync: "group" });
    await log.emit(begun);
    await log.checkpoint();
    const found = await verify(await filesOf(directory));
    await log.close();
    expect(found.findings).toEqual([]);
    expect(found.notes.map(({ kind }) => kind)).toEqual(["open"]);
  });

  it("an end that names no recording of a recorded session is told", async () => {
    const directory = await write(async (log) => {
      await log.emit(begun);
      await log.emit({ event: "session.end", code: "T2004I", sid: begun.sid, user: "root", interrupted: true, reason: "its recording is gone" });
    });
    const found = await verify(await filesOf(directory));
    expect(found.findings).toEqual([expect.objectContaining({ kind: "recording", text: expect.stringContaining("its recording is gone") as string })]);
  });
});

describe("recordings that no log tells of", () => {
  it("are added", async () => {
    const name = `${server}/sessions/default/${uuid()}.rec`;
    const files = await filesOf(await write(deeds("ana")));
    const more = { recordings: [name, `${server}/sessions/default/${uuid()}.live`], recording: () => Promise.resolve(once(Buffer.from("x"))) };
    const found = await verify(files, undefined, {}, more);
    expect(found.findings).toEqual([expect.objectContaining({ kind: "added", text: expect.stringContaining(name) as string })]);
    expect(found.notes.map(({ kind }) => kind)).toEqual(["open"]);
    const later = await verify(files, undefined, { from: Date.parse("2026-11-24") }, more);
    expect(later.findings).toEqual([]);
  });
});

it("whatever a line says of what was torn, verification goes on", async () => {
  const line = `{"event":"audit.start","code":"G","key":"${"A".repeat(43)}","torn":{"file":"x","bytes":{"toString":1,"valueOf":1}}${chainText({ id: "0".repeat(16), n: 0, prev: "" })}\n`;
  const found = await verify(new Map([["2026-11-23.00:00:00.log", Buffer.from(line)]]));
  expect(found.notes).toContainEqual(expect.objectContaining({ kind: "torn" }));
});

describe("an honest witness's file", () => {
  async function log(): Promise<{ readonly files: Files; readonly lines: readonly string[] }> {
    const witness = join(await folder(), "w");
    const files = await filesOf(await write(deeds("ana"), { witness }));
    return { files, lines: linesOf(await readFile(witness)) };
  }

  it("with a short write in front of its second try is as good as without", async () => {
    const { files, lines } = await log();
    const found = await verify(files, Buffer.concat([Buffer.from(lines[0]!.slice(0, 100)), joined(lines)]));
    expect(found).toMatchObject({ unbroken: true, notes: [] });
    expect(found.servers[0]!.unproven).toBe(0);
  });

  it("with a damaged line says so, and breaks nothing", async () => {
    const { files, lines } = await log();
    const found = await verify(files, joined(lines.map((line, index) => (index === 2 ? line.slice(0, -20) : line))));
    expect(found.findings).toEqual([]);
    expect(found.notes).toEqual([expect.objectContaining({ kind: "witness", place: { file: "w", line: 3 } })]);
  });

  it("with lines of others that talk of checkpoints is read all the same", async () => {
    const { files, lines } = await log();
    const found = await verify(files, joined(["<85>1 gw sudo: ana : COMMAND=/usr/bin/tctl events ls --event=audit.checkpoint", ...lines]));
    expect(found).toMatchObject({ unbroken: true, notes: [] });
  });
});

describe("a log made to keep verification busy", () => {
  it("with prunings and checkpoints by the thousand is taken only so far", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const key = publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("base64url");
    const time = "2026-11-23T12:00:00.000Z";
    const id = "0".repeat(16);
    const lines: string[] = [];
    let prev = "";
    const add = (event: Readonly<Record<string, unknown>>): void => {
      const whole = JSON.stringify({ ...event, time }).slice(0, -1) + chainText({ id, n: lines.length, prev });
      prev = lineHash(whole);
      lines.push(whole);
    };
    for (let n = 0; n < 12_000; n += 1) add({ ...stub({ before: "2026-11-20T00:00:00.000Z", retention_ms: 86_400_000, files: [{ file: "2026-11-19.00:00:00.log", bytes: 1, hash }] }) });
    const checkpoint = { server: server, chain: { id, n: lines.length, prev }, time, seq: 0, key, next: key, last: false };
    add({ event: "audit.checkpoint", server_id: server, seq: 0, key, next: key, signature: sign(null, Buffer.from(checkpointText(checkpoint)), privateKey).toString("base64url") });
    const found = await verify(new Map([["2026-11-23.00:00:00.log", joined(lines)]]));
    expect(kinds(found)).toContain("many");
    expect(found.notes.filter(({ kind }) => kind === "pruned")).toHaveLength(1000);
  });

  it("with a chain for every line is no reason to remember them all", async () => {
    const lines = Array.from({ length: 120_000 }, (_, n) => `{${chainText({ id: n.toString(16).padStart(16, "0"), n: 0, prev: "" })}`);
    const found = await verify(new Map([["2026-11-23.00:00:00.log", joined(lines)]]));
    expect(kinds(found)).toContain("many");
    expect(found.servers[0]!.chains).toBeLessThanOrEqual(100_000);
  });

  it.each(["its only file", "a day that is left out"])("with no end of a line in %s is not read on", async (where) => {
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array, void, void> {
      const piece = Buffer.alloc(1024 * 1024);
      for (; read < 1000; read += 1) yield piece;
    }
    const files = [{ name: "2026-11-23.00:00:00.log", size: 1e15, read: endless }];
    const found = await verifyLogs({ sources: [sourceOf(new Map(), { files })], witnesses: [], ...(where === "its only file" ? {} : { from: Date.parse("2026-11-24") }) });
    expect(kinds(found)).toContain("many");
    expect(read).toBeLessThan(100);
  });

  it("with recordings that nobody knows has none of them open", async () => {
    let open = 0;
    const names = Array.from({ length: 50 }, () => `${server}/sessions/default/${uuid()}.rec`);
    async function* stream(): AsyncGenerator<Uint8Array, void, void> {
      try {
        yield Buffer.from("x");
      } finally {
        open -= 1;
      }
    }
    const recording = (): Promise<AsyncIterable<Uint8Array>> => {
      open += 1;
      return Promise.resolve(stream());
    };
    const found = await verify(await filesOf(await write(deeds("ana"))), undefined, {}, { recordings: names, recording });
    expect(kinds(found)).toEqual(names.map(() => "added"));
    expect(open).toBe(0);
  });
});
