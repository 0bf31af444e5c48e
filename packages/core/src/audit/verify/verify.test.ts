import { cp, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { manualClock, nullLogger, uuid } from "../../base/index.ts";
import { emptyRecordingChain, encodeChunk } from "../../formats/index.ts";
import { openAuditLog } from "../index.ts";
import { chainText, lineHash, readChain, verifyLogs, type Finding, type LogSource, type Verification } from "./index.ts";

type Files = Map<string, Buffer>;

/** A log in memory, as a test may change it. */
interface Log {
  readonly files: Files;
  readonly recordings: Files;
  /** Names of days that are no files. */
  readonly problems?: readonly { readonly file: string; readonly text: string }[];
}
interface VerifyWith {
  readonly witness?: Buffer | undefined;
  readonly size?: number;
  readonly from?: number;
  readonly to?: number;
  /** The whole folder is gone. */
  readonly gone?: boolean;
}

const server = "gw1";
let whole: Log;
let witness: Buffer;
/** Of the last witnessed checkpoint. */
let proven: { readonly file: string; readonly line: number };

async function* pieces(bytes: Buffer, size = bytes.length): AsyncGenerator<Uint8Array, void, void> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
function sourceOf({ files, recordings, problems }: Log, size?: number): LogSource {
  return {
    server,
    files: [...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, bytes]) => ({ name, size: bytes.length, read: () => pieces(bytes, size) })),
    recording: async (name) => {
      const bytes = recordings.get(name);
      return bytes && pieces(bytes);
    },
    recordings: [...recordings.keys()],
    problems,
  };
}
function verify(log: Log, options: VerifyWith = { witness }): Promise<Verification> {
  const given = options.witness;
  return verifyLogs({ sources: options.gone === true ? [] : [sourceOf(log, options.size)], witnesses: given ? [{ name: "witness", read: () => pieces(given) }] : [], from: options.from, to: options.to });
}
const copy = (): Log => ({ files: new Map(whole.files), recordings: new Map(whole.recordings) });
const linesOf = (bytes: Buffer): string[] => bytes.toString("latin1").split("\n").slice(0, -1);
const joined = (lines: readonly string[]): Buffer => Buffer.from(lines.map((line) => `${line}\n`).join(""), "latin1");

function recordingOf(text: string): { readonly bytes: Buffer; readonly sha256: string } {
  const header = Buffer.from(JSON.stringify({ version: 2, width: 80, height: 25 }));
  const first = encodeChunk(emptyRecordingChain, [{ type: "h", at: 0, data: header }]);
  const second = encodeChunk({ hash: first.subarray(12, 44), index: 1 }, [{ type: "o", at: 1, data: Buffer.from(text) }, { type: "x", at: 2, data: Buffer.from('{"reason":"done"}') }]);
  return { bytes: Buffer.concat([first, second]), sha256: second.toString("hex", 12, 44) };
}

/** Three days, four processes, some of them over midnight; checkpoints and recorded sessions on the way. */
async function write(directory: string, recordings: Files, user = "ana", processes = 4, start = "2026-11-23T12:00:00Z"): Promise<Files> {
  const clock = manualClock(Date.parse(start));
  for (let process = 0; process < processes; process += 1) {
    const log = await openAuditLog({ directory, serverId: server, clock, logger: nullLogger, sync: "group" });
    for (let n = 0; n < 9; n += 1) {
      clock.advance(4_800_000);
      await log.emit({ event: "kube.request", code: "G2000I", user, path: `/api/v1/pods?n=${n}`, process });
      if (n === 4) await log.checkpoint();
      if (n % 5 === 2) {
        const sid = uuid();
        const { bytes, sha256 } = recordingOf(`hello from ${sid}`);
        const file = `${server}/sessions/default/${sid}.rec`;
        recordings.set(file, bytes);
        await log.emit({ event: "session.start", code: "T2000I", sid, user, recorded: true });
        await log.emit({ event: "session.end", code: "T2004I", sid, user, recording: { file, bytes: bytes.length, sha256 } });
      }
    }
    await log.close();
  }
  const files: Files = new Map();
  for (const name of (await readdir(join(directory, server))).filter((one) => one.endsWith(".log")).sort()) files.set(name, await readFile(join(directory, server, name)));
  return files;
}
const checkpointsIn = (files: Files): { readonly file: string; readonly line: number; readonly text: string }[] =>
  [...files].flatMap(([file, bytes]) => linesOf(bytes).map((text, index) => ({ file, line: index + 1, text }))).filter(({ text }) => text.startsWith('{"event":"audit.checkpoint"'));

/** Another history of the same days, with a key of its own. */
let anew: Log;
/** Two histories from one state of log and key. */
let set: readonly Log[];
/** A session was killed with its gateway, and its recording removed. */
let lost: Log;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-verify-"));
  const recordings: Files = new Map();
  whole = { files: await write(join(folder, "whole"), recordings), recordings };
  const checkpoints = checkpointsIn(whole.files);
  // The last one is not witnessed.
  witness = joined(checkpoints.slice(0, -1).map(({ text }, index) => (index % 2 === 0 ? text : `<109>1 2026-11-25T00:00:00Z gw gatehouse - - - ${text}`)));
  proven = checkpoints.at(-2)!;
  const others: Files = new Map();
  anew = { files: await write(join(folder, "anew"), others, "eve"), recordings: others };
  await write(join(folder, "set"), new Map(), "ana", 1);
  await cp(join(folder, "set"), join(folder, "back"), { recursive: true });
  set = await Promise.all(["set", "back"].map(async (name) => ({ files: await write(join(folder, name), others, name, 2, "2026-11-24T12:00:00Z"), recordings: new Map() })));
  const log = await openAuditLog({ directory: join(folder, "lost"), serverId: server, clock: manualClock(Date.parse("2026-11-23T12:00:00Z")), logger: nullLogger, sync: "group" });
  const sid = uuid();
  await log.emit({ event: "session.start", code: "T2000I", sid, user: "root", recorded: true });
  await log.emit({ event: "session.end", code: "T2004I", sid, user: "root", interrupted: true, reason: "its recording is gone" });
  await log.close();
  lost = { files: await write(join(folder, "lost"), others), recordings: others };
  await rm(folder, { recursive: true });
});

describe("a log that nobody touched", () => {
  it.each([undefined, 1, 7, 1000])("is unbroken and proven up to the last witnessed checkpoint, read in pieces of %s bytes", async (size) => {
    const found = await verify(whole, { witness, ...(size === undefined ? {} : { size }) });
    expect(found.findings).toEqual([]);
    expect(found.notes).toEqual([]);
    expect(found.unbroken).toBe(true);
    const [summary] = found.servers;
    expect(summary).toMatchObject({ server, files: whole.files.size, chains: 4, recordings: 8, checkpoints: 8, proven: { witness: "witness", place: { file: proven.file, line: proven.line } } });
    expect(summary!.unproven).toBeGreaterThan(0);
  });

  it("is proven by nobody without a witness", async () => {
    const found = await verify(whole, { witness: undefined });
    expect(found.unbroken).toBe(true);
    expect(found.servers[0]!.proven).toBeUndefined();
  });

  it("can be looked at from a day on", async () => {
    const found = await verify(whole, { witness, from: Date.parse("2026-11-24T05:00:00Z") });
    expect(found.findings).toEqual([]);
    expect(found.notes.map(({ kind }) => kind)).toEqual(["begins", "begins"]);
  });
});

/** mulberry32: the same tamperings every time. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

interface Tampering {
  readonly name: string;
  readonly log: Log;
  /** Whether the findings name it. */
  readonly named: (findings: readonly Finding[]) => boolean;
  /** What it is verified with. */
  readonly options?: VerifyWith;
}
type Tamper = (pick: (below: number) => number) => Tampering;

/** A line before the last witnessed checkpoint. */
function somewhere(pick: (below: number) => number, wanted: (line: string) => boolean = () => true): { readonly file: string; readonly lines: string[]; readonly index: number } {
  for (;;) {
    const names = [...whole.files.keys()].filter((name) => name <= proven.file);
    const file = names[pick(names.length)] ?? "";
    const lines = linesOf(whole.files.get(file)!);
    const index = pick(file === proven.file ? proven.line - 1 : lines.length);
    if (wanted(lines[index] ?? "")) return { file, lines, index };
  }
}
const at = (file: string, ...lines: number[]) => (findings: readonly Finding[]) => findings.some(({ place }) => place?.file === file && lines.includes(place.line));
function changed(name: string, file: string, lines: readonly string[], named: Tampering["named"]): Tampering {
  const log = copy();
  log.files.set(file, joined(lines));
  return { name, log, named };
}
/** The place of what follows a line: in its file, or at the start of the next one. */
function following(file: string, index: number, length: number): (findings: readonly Finding[]) => boolean {
  const names = [...whole.files.keys()];
  const next = names[names.indexOf(file) + 1] ?? "";
  return index < length ? at(file, index + 1) : at(next, 1);
}

function spoil(line: string, pick: (below: number) => number): string {
  const where = pick(line.length);
  const byte = line.charCodeAt(where);
  let other = pick(256);
  if (other === byte) other = (other + 1) % 256;
  return line.slice(0, where) + String.fromCharCode(other) + line.slice(where + 1);
}

const tamperings: Readonly<Record<string, Tamper>> = {
  byte(pick) {
    const { file, lines, index } = somewhere(pick);
    lines[index] = spoil(lines[index]!, pick);
    return changed("byte", file, lines, at(file, index + 1));
  },
  newline(pick) {
    const { file, lines, index } = somewhere(pick);
    const [next = ""] = lines.splice(index + 1, 1);
    lines[index] = `${lines[index] ?? ""}${String.fromCharCode(pick(10))}${next}`;
    return changed("newline", file, lines, at(file, index + 1));
  },
  checkpoint(pick) {
    const { file, lines, index } = somewhere(pick, (line) => line.includes("audit.checkpoint"));
    lines[index] = spoil(lines[index]!, pick);
    return changed("checkpoint", file, lines, at(file, index + 1));
  },
  field(pick) {
    const { file, lines, index } = somewhere(pick, (line) => line.includes('"user":"ana"'));
    lines[index] = lines[index]!.replace('"user":"ana"', '"user":"bob"');
    return changed("field", file, lines, at(file, index + 1));
  },
  line(pick) {
    const { file, lines, index } = somewhere(pick);
    lines.splice(index, 1);
    return changed("line", file, lines, following(file, index, lines.length));
  },
  lines(pick) {
    const { file, lines, index } = somewhere(pick);
    lines.splice(index, 1 + pick(5));
    const end = index >= lines.length && file === [...whole.files.keys()].at(-1);
    return changed("lines", file, lines, end ? (findings) => findings.some(({ kind }) => kind === "witness") : following(file, index, lines.length));
  },
  swap(pick) {
    const { file, lines, index } = somewhere(pick, () => true);
    const other = pick(lines.length);
    [lines[index], lines[other]] = [lines[other]!, lines[index]!];
    // Swapped with itself is no tampering: the neighbours, then.
    if (other !== index) return changed("swap", file, lines, at(file, index + 1, other + 1));
    return tamperings["duplicate"]!(pick);
  },
  move(pick) {
    const { file, lines, index } = somewhere(pick);
    const [line = ""] = lines.splice(index, 1);
    const { file: target, index: to } = somewhere(pick, (one) => one !== line);
    const log = copy();
    if (target === file && to === index) return tamperings["duplicate"]!(pick);
    log.files.set(file, joined(lines));
    const there = linesOf(log.files.get(target)!);
    const where = Math.min(to, there.length);
    there.splice(where, 0, line);
    log.files.set(target, joined(there));
    // What moved is one line, or the ones that it passed by.
    return { name: "move", log, named: (findings) => at(target, where + 1)(findings) || findings.some(({ kind }) => kind === "moved") };
  },
  insert(pick) {
    const { file, lines, index } = somewhere(pick);
    lines.splice(index, 0, pick(2) === 0 ? "{}" : `{"event":"forged","n":${pick(1000)}}`);
    return changed("insert", file, lines, at(file, index + 1));
  },
  forge(pick) {
    const { file, lines, index } = somewhere(pick, (line) => !line.includes('"audit.start"'));
    const before = index > 0 ? lines[index - 1]! : "";
    const link = readChain(Buffer.from(lines[index]!, "latin1"))!;
    lines.splice(index, 0, `{"event":"forged","n":${pick(1000)}${chainText({ ...link, prev: before === "" ? link.prev : lineHash(Buffer.from(before, "latin1")) })}`);
    return changed("forge", file, lines, at(file, index + 1, index + 2));
  },
  duplicate(pick) {
    const { file, lines, index } = somewhere(pick);
    lines.splice(index, 0, lines[index]!);
    return changed("duplicate", file, lines, at(file, index + 1, index + 2));
  },
  file(pick) {
    const log = copy();
    const names = [...whole.files.keys()].filter((name) => name <= proven.file);
    const gone = names[pick(names.length)]!;
    log.files.delete(gone);
    return { name: "file", log, named: (findings) => findings.some(({ kind }) => kind === "removed" || kind === "witness") };
  },
  /** The log's own bytes, with another midnight. */
  midnight(pick) {
    const log = copy();
    const names = [...whole.files.keys()].filter((name) => name <= proven.file);
    const at = pick(names.length - 1);
    const [a, b] = [linesOf(whole.files.get(names[at]!)!), linesOf(whole.files.get(names[at + 1]!)!)];
    if (pick(2) === 0) b.unshift(...a.splice(-1 - pick(a.length - 1)));
    else a.push(...b.splice(0, 1 + pick(names[at + 1] === proven.file ? proven.line - 1 : b.length - 1)));
    log.files.set(names[at]!, joined(a));
    log.files.set(names[at + 1]!, joined(b));
    return { name: "midnight", log, named: (findings) => findings.length === 1 && findings[0]!.kind === "moved" };
  },
  /** A day under the name of another, in its place among the others. */
  renamed(pick) {
    const names = [...whole.files.keys()];
    const at = pick(names.length);
    const log: Log = { files: new Map(), recordings: whole.recordings };
    const earlier = pick(2) === 0;
    // Those on the way move too.
    for (const [index, name] of names.entries()) {
      const moves = earlier ? index <= at : index >= at;
      const to = new Date(Date.parse(name.slice(0, 10)) + (moves ? (earlier ? -86_400_000 : 86_400_000) : 0)).toISOString().slice(0, 10);
      log.files.set(`${to}.00:00:00.log`, whole.files.get(name)!);
    }
    return { name: "renamed", log, named: (findings) => findings.every(({ kind }) => kind === "moved") };
  },
  /** A day without its last newline. */
  unended(pick) {
    const log = copy();
    const names = [...whole.files.keys()].filter((name) => name < proven.file);
    const name = names[pick(names.length)]!;
    const bytes = whole.files.get(name)!;
    log.files.set(name, bytes.subarray(0, -1));
    return { name: "unended", log, named: at(name, linesOf(bytes).length) };
  },
  files(pick) {
    const log = copy();
    const names = [...whole.files.keys()].filter((name) => name <= proven.file);
    const one = pick(names.length);
    const two = (one + 1 + pick(names.length - 1)) % names.length;
    const [a, b] = [names[one]!, names[two]!];
    log.files.set(a, whole.files.get(b)!);
    log.files.set(b, whole.files.get(a)!);
    return { name: "files", log, named: (findings) => findings.some(({ kind }) => kind !== "checkpoint") };
  },
  tail(pick) {
    const log = copy();
    const { file, lines, index } = somewhere(pick);
    for (const name of log.files.keys()) if (name > file) log.files.delete(name);
    const bytes = joined(lines.slice(0, index + 1));
    log.files.set(file, bytes.subarray(0, bytes.length - pick(lines[index]!.length)));
    return { name: "tail", log, named: (findings) => findings.some(({ kind }) => kind === "witness") };
  },
  /** Somebody who knows the format: a line changed and every later hash with it. */
  rechain(pick) {
    const { file, index } = somewhere(pick, (line) => line.includes('"user":"ana"'));
    const log = copy();
    let prev: string | undefined;
    for (const [name, bytes] of log.files) {
      const lines = linesOf(bytes).map((line, at) => {
        if (name === file && at === index) line = line.replace('"user":"ana"', '"user":"bob"');
        const link = readChain(Buffer.from(line, "latin1"))!;
        if (prev !== undefined) line = line.slice(0, line.lastIndexOf(',"chain"')) + chainText({ ...link, prev });
        prev = name < file || (name === file && at < index) ? undefined : lineHash(Buffer.from(line, "latin1"));
        return line;
      });
      log.files.set(name, joined(lines));
    }
    return { name: "rechain", log, named: (findings) => findings.some(({ kind, place }) => (kind === "checkpoint" || kind === "witness") && (place!.file > file || (place!.file === file && place!.line > index))) };
  },
  recording(pick) {
    const log = copy();
    const names = [...log.recordings.keys()];
    const name = names[pick(names.length)]!;
    if (pick(2) === 0) log.recordings.delete(name);
    else {
      const bytes = Buffer.from(log.recordings.get(name)!);
      const where = pick(bytes.length);
      bytes[where] = (bytes[where] ?? 0) ^ (1 + pick(255));
      log.recordings.set(name, pick(3) === 0 ? bytes.subarray(0, where) : bytes);
    }
    return { name: "recording", log, named: (findings) => findings.length === 1 && findings[0]!.kind === "recording" && findings[0]!.text.includes(name) };
  },
};

const kind = (...kinds: readonly Finding["kind"][]) => (findings: readonly Finding[]) => findings.some((finding) => kinds.includes(finding.kind));
/** A day that has others before or after it, all proven. */
function someDay(pick: (below: number) => number, first: number): { readonly name: string; readonly lines: string[]; readonly time: number } {
  const names = [...whole.files.keys()].filter((name) => name <= proven.file).slice(first, first === 0 ? -1 : undefined);
  const name = names[pick(names.length)]!;
  return { name, lines: linesOf(whole.files.get(name)!), time: Date.parse(name.slice(0, 10)) };
}

/** What somebody tries who is root on the gateway, knows the format, and may have the way to the witness. */
const attacks: Readonly<Record<string, Tamper>> = {
  /** A new log with a pruning that would excuse all that witnesses saw. */
  stub(pick) {
    const files = new Map(anew.files);
    const name = [...files.keys()].at(-1)!;
    const lines = linesOf(files.get(name)!);
    const last = Buffer.from(lines.at(-1)!, "latin1");
    const link = readChain(last)!;
    const day = (offset: number): string => new Date(Date.parse("2026-11-20T00:00:00Z") + offset * 86_400_000).toISOString();
    const before = ["~", day(pick(8)), day(pick(4000)), "2026-11-24", ""][pick(5)]!;
    const retention = [-1e12, 0, 86_400_000, 1.5, "x", null][pick(6)];
    const gone = pick(2) === 0 ? [] : [{ file: `${day(pick(8)).slice(0, 10)}.00:00:00.log`, bytes: 1, hash: lineHash(String(pick(1000))) }];
    const event = { event: "audit.pruned", code: "G4002I", server_id: server, time: "2026-11-25T23:59:59.000Z", before, retention_ms: retention, files: gone };
    lines.push(JSON.stringify(event).slice(0, -1) + chainText({ id: link.id, n: link.n + 1, prev: lineHash(last) }));
    files.set(name, joined(lines));
    return { name: "stub", log: { ...anew, files }, named: kind("witness") };
  },
  /** The same, and its checkpoints are with the witness too. */
  anew(pick) {
    const theirs = checkpointsIn(anew.files).map(({ text }) => text);
    const given = Buffer.concat(pick(2) === 0 ? [witness, joined(theirs)] : [joined(theirs.slice(pick(theirs.length))), witness]);
    return { name: "anew", log: anew, named: kind("witness"), options: { witness: given } };
  },
  /** Log and key set back, and on from there in another way. */
  back(pick) {
    const one = pick(2);
    const both = set.flatMap(({ files }) => checkpointsIn(files).map(({ text }) => text));
    return { name: "back", log: set[one]!, named: kind("witness"), options: { witness: joined(pick(2) === 0 ? both : both.reverse()) } };
  },
  from(pick) {
    const { name, lines, time } = someDay(pick, 1);
    const log = copy();
    log.files.set(name, joined(lines.slice(1 + pick(Math.min(5, lines.length - 1)))));
    return { name: "from", log, named: kind("removed", "witness"), options: { witness, from: time } };
  },
  to(pick) {
    const { name, lines, time } = someDay(pick, 0);
    const log = copy();
    log.files.set(name, joined(lines.slice(0, lines.length - 1 - pick(Math.min(5, lines.length - 1)))));
    return { name: "to", log, named: kind("removed", "witness"), options: { witness, to: time } };
  },
  folder(pick) {
    return { name: "folder", log: whole, named: kind("witness"), options: { witness, gone: true, ...(pick(2) === 0 ? {} : { from: Date.parse("2026-11-23") }) } };
  },
  /** A line of the log, and one of the witness's file. */
  witness(pick) {
    const lines = linesOf(witness);
    const at = pick(lines.length);
    if (pick(2) === 0) lines.splice(at, 1);
    else lines[at] = spoil(lines[at]!, pick);
    return { ...tamperings["field"]!(pick), name: "witness", options: { witness: joined(lines) } };
  },
  live() {
    return { name: "live", log: lost, named: kind("recording"), options: {} };
  },
  added(pick) {
    const log = copy();
    const name = `${server}/sessions/default/${uuid()}.rec`;
    log.recordings.set(name, recordingOf(`forged ${pick(1000)}`).bytes);
    return { name: "added", log, named: (findings) => findings.length === 1 && findings[0]!.kind === "added" && findings[0]!.text.includes(name) };
  },
  device(pick) {
    const log = copy();
    const { name } = someDay(pick, pick(2));
    log.files.delete(name);
    return { name: "device", log: { ...log, problems: [{ file: name, text: "this is no regular file" }] }, named: (findings) => at(name, 1)(findings) && kind("removed", "witness")(findings) };
  },
};
const all = { ...tamperings, ...attacks };

it("a witness's file that is damaged anywhere breaks no log that is whole", async () => {
  const pick = generator(4711);
  for (let round = 0; round < 500; round += 1) {
    const lines = linesOf(witness);
    const at = pick(lines.length - 1);
    if (pick(3) === 0) lines.splice(at, 1);
    else lines[at] = spoil(lines[at]!, pick);
    const found = await verify(whole, { witness: joined(lines) });
    expect(found.findings).toEqual([]);
    expect(found.servers[0]!.proven?.place).toMatchObject({ file: proven.file, line: proven.line });
  }
});

describe("10,000 tamperings before the last witnessed checkpoint", () => {
  const each = Math.ceil(10_000 / 29);
  it.each(Object.keys(all))("%s: each is named", async (name) => {
    expect(Object.keys(all)).toHaveLength(29);
    const pick = generator(name.length * 7919 + name.charCodeAt(0));
    for (let round = 0; round < each; round += 1) {
      const { log, named, options } = all[name]!(pick);
      const { findings, unbroken } = await verify(log, options);
      const told = { round, unbroken, named: named(findings) };
      if (!told.named) expect({ ...told, findings: findings.slice(0, 5) }).toEqual({ round, unbroken: false, named: true });
      expect(unbroken).toBe(false);
    }
  });
});

