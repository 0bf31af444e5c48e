import { mkdtemp, open, rm, writeFile, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import headless from "@xterm/headless";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RecordingItem } from "../../api/index.ts";
import { RecordingBuilder, emptyRecordingChain, encodeChunk, encodeRecordingJson, encodeRecordingResize, type RecordingRecord, type RecordingType } from "../../formats/index.ts";
import { exportRecording, findRecording, openPlayable, parseSince, play, type PlayTerminal, type PlayTimer, type Playable } from "./index.ts";

const { Terminal } = headless;
let folder: string;
const files: FileHandle[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "play-"));
});
afterEach(async () => {
  for (const file of files.splice(0)) await file.close();
  await rm(folder, { recursive: true, force: true });
});

const record = (type: RecordingType, at: number, data: string | Buffer): RecordingRecord => ({ type, at, data: Buffer.from(data as string) });
const header = (tty: boolean): RecordingRecord =>
  record("h", 0, encodeRecordingJson({
    version: 2, width: 40, height: 10, timestamp: 1,
    gatehouse: { sid: "6f0e2a1c-0000-4000-8000-000000000000", kind: "exec", user: "ana", roles: [], groups: [], cluster: "c", namespace: "n", pod: "p", container: "c", command: ["sh"], tty, stdin: true, address: "a", server_id: "s", started: 1000 },
  }));
async function playable(bytes: Buffer | string): Promise<Playable> {
  const path = join(folder, String(files.length));
  await writeFile(path, bytes);
  const file = await open(path, "r");
  files.push(file);
  return openPlayable(file);
}
const session = (records: readonly RecordingRecord[], end = 40_000): Promise<Playable> =>
  playable(encodeChunk(emptyRecordingChain, [header(true), ...records, record("x", end, encodeRecordingJson({ reason: "exited" }))]));

/** A terminal emulator, and a clock that goes from wait to wait: `script` says which keys are typed at which moment (ms). */
async function watch(recording: Playable, script: Readonly<Record<number, string>> = {}, options: { readonly speed?: number; readonly idleLimit?: number; readonly rows?: number } = {}) {
  const emulator = new Terminal({ cols: 60, rows: options.rows ?? 12, allowProposedApi: true });
  const seen: { readonly at: number; readonly screen: readonly string[] }[] = [];
  const screen = (): string[] => Array.from({ length: emulator.rows }, (_, y) => emulator.buffer.active.getLine(emulator.buffer.active.baseY + y)?.translateToString(true) ?? "");
  let now = 0;
  let type: (keys: string) => void = () => undefined;
  let raw = "";
  const due = Object.entries(script).map(([at, keys]) => ({ at: Number(at), keys })).sort((a, b) => a.at - b.at);
  const terminal: PlayTerminal = {
    size: { columns: emulator.cols, rows: emulator.rows },
    async write(text) {
      raw += text;
      await new Promise<void>((resolve) => emulator.write(text.replaceAll("\n", "\r\n"), resolve));
    },
    onKeys(listener) {
      type = listener;
      return () => (type = () => undefined);
    },
    onResize: () => () => undefined,
  };
  const timer: PlayTimer = {
    now: () => now,
    async wait(ms) {
      seen.push({ at: now, screen: screen() });
      const next = due[0];
      if (next && next.at <= now + ms) {
        due.shift();
        now = Math.max(now, next.at);
        type(next.keys);
      } else now += Math.max(ms, 0.001);
    },
  };
  const result = await play(recording, { terminal, timer, speed: options.speed ?? 1, idleLimit: options.idleLimit });
  return { result, took: now, seen, raw, screen: screen(), at: (moment: number) => seen.findLast((one) => one.at <= moment)?.screen ?? [] };
}

const counting = (): Promise<Playable> => session([record("o", 0, "zero\r\n"), record("o", 10_000, "ten\r\n"), record("o", 20_000, "twenty\r\n"), record("o", 30_000, "thirty\r\n")]);

describe("the player", () => {
  it("plays in time, with where it is and the keys", async () => {
    const { result, took, at, screen } = await watch(await counting());
    expect(result).toBe("end");
    expect(Math.round(took)).toBe(40_000);
    expect(at(9_999).slice(0, 2)).toEqual(["zero", ""]);
    expect(at(25_000).slice(0, 4)).toEqual(["zero", "ten", "twenty", ""]);
    expect(at(25_000).at(-1)).toMatch(/^ playing 0:2[45]\/0:40 x1 {2}space pause {2}←\/→ seek {2}\+\/- speed/);
    expect(screen.at(-1)).toBe("");
  });

  it("is faster, and skips idle time, when told so or by key", async () => {
    expect(Math.round((await watch(await counting(), {}, { speed: 4 })).took)).toBe(10_000);
    expect(Math.round((await watch(await counting(), {}, { idleLimit: 1000 })).took)).toBe(4000);
    expect(Math.round((await watch(await counting(), { 5000: "s" })).took)).toBe(9000);
    expect(Math.round((await watch(await counting(), { 20_000: "+" + "+" })).took)).toBe(30_000);
    expect(Math.round((await watch(await counting(), { 20_000: "-" })).took)).toBe(60_000);
  });

  it("pauses, seeks both ways, and ends by key", async () => {
    const paused = await watch(await counting(), { 5000: " ", 50_000: " " });
    expect(Math.round(paused.took)).toBe(85_000);
    expect(paused.at(45_000).slice(0, 2)).toEqual(["zero", ""]);
    expect(paused.at(45_000).at(-1)).toContain("paused 0:05/0:40");
    const forward = await watch(await counting(), { 1000: "\x1b[C\x1b[C", 2000: "q" });
    expect([forward.result, forward.at(2000).slice(0, 4)]).toEqual(["quit", ["zero", "ten", "twenty", ""]]);
    const back = await watch(await counting(), { 25_000: "\x1bOD", 26_000: "\x03" });
    expect([back.result, back.at(26_000).slice(0, 3)]).toEqual(["interrupted", ["zero", "ten", ""]]);
    const pausedBack = await watch(await counting(), { 35_000: " ", 36_000: "\x1b[D\x1b[D", 37_000: "q" });
    expect(pausedBack.at(37_000).slice(0, 3)).toEqual(["zero", "ten", ""]);
    expect(pausedBack.at(37_000).at(-1)).toContain("paused 0:15");
  });

  it("keeps the session out of its line, and gives the terminal back", async () => {
    const lines = Array.from({ length: 30 }, (_, index) => record("o", index * 300, `line ${index}\r\n`));
    const recording = await session([record("o", 0, "\x1b[?1049h\x1b[?25l\x1b[?1003h\x1b]52;c;aGk=\x07\x1b[31m"), ...lines], 10_000);
    const { at, raw } = await watch(recording);
    expect(at(9900).slice(0, 11)).toEqual([...Array.from({ length: 9 }, (_, index) => `line ${index + 21}`), "", ""]);
    expect(at(9900).at(-1)).toContain("playing 0:09");
    expect(raw).not.toMatch(/\x1b\]|\x1b\[\?1003h/);
    expect(raw.slice(-200)).toContain("\x1b[?1049l");
    expect(raw.slice(-200)).toContain("\x1b[?25h");
  });

  it("says where the recording is larger than the terminal, also after a resize", async () => {
    const recording = await session([record("r", 1000, encodeRecordingResize({ columns: 100, rows: 50 }))], 5000);
    const { at } = await watch(recording, {}, { rows: 11 });
    expect(at(900).at(-1)).not.toContain("needs");
    expect(at(4000).at(-1)).toContain("needs 100x51, this is 60x11");
  });

  it("plays an asciicast", async () => {
    const { at } = await watch(await playable(`${JSON.stringify({ version: 2, width: 40, height: 10 })}\n[0.5,"o","hello"]\n[2.0,"m","mark"]\n[3.0,"o"," there"]\n`));
    expect([at(2000)[0], at(2999)[0]]).toEqual(["hello", "hello"]);
  });

  it("refuses what is damaged or something else, and plays what is cut off", async () => {
    const bytes = encodeChunk(emptyRecordingChain, [header(true), record("o", 1, "hello")]);
    const cut = await playable(Buffer.concat([bytes, Buffer.from("GHR1")]));
    expect(cut.complete).toBe(false);
    expect((await watch(cut)).seen.length).toBeGreaterThan(0);
    const changed = Buffer.from(bytes);
    changed[60] = (changed[60] ?? 0) ^ 1;
    await expect(playable(changed)).rejects.toThrow(/damaged in chunk 0 at byte 0/);
    await expect(playable("hello\n")).rejects.toThrow(/neither a recording nor an asciicast/);
    await expect(playable('{"version":2,"width":1,"height":1}\n{}\n')).rejects.toThrow(/line 2/);
    await expect(playable("")).rejects.toThrow(/empty/);
  });
});

describe("a recording that is damaged in its middle", () => {
  async function damaged(): Promise<Buffer> {
    const first = encodeChunk(emptyRecordingChain, [header(true), record("o", 1000, "good\r\n")]);
    const { chain } = new RecordingBuilder({ hash: first.subarray(12, 44), index: 1 });
    const second = encodeChunk(chain, [record("o", 5000, "changed\r\n"), record("x", 9000, encodeRecordingJson({ reason: "exited" }))]);
    second.write("CHANGED", second.indexOf("changed"));
    return Buffer.concat([first, second]);
  }
  const where = /damaged in chunk 1 at byte \d+: its bytes do not fit its checksum/;

  it("is played up to there, as often as wanted, and says so", async () => {
    const recording = await playable(await damaged());
    expect(recording).toMatchObject({ duration: 1000, complete: false, damage: expect.stringMatching(where) as string });
    for (let round = 0; round < 2; round++) {
      const { result, took, seen } = await watch(recording);
      expect([result, Math.round(took)]).toEqual(["end", 1000]);
      expect(seen.at(-1)?.screen.join("")).not.toContain("CHANGED");
    }
    const text: string[] = [];
    for await (const one of recording.records()) text.push(one.data.toString());
    expect(text.slice(1)).toEqual(["good\r\n"]);
  });

  it.each([["text", "good\n[the recording is cut off here]\n"], ["cast", '[1,"o","good\\r\\n"]\n[1,"m","the recording is cut off here"]\n'], ["json", '{"type":"summary","complete":false}\n']] as const)("is exported as %s up to there, and then refused", async (format, end) => {
    let text = "";
    async function* source(): AsyncGenerator<Uint8Array, void, void> {
      yield await damaged();
    }
    await expect(exportRecording(source(), format, async (piece) => void (text += piece))).rejects.toThrow(where);
    expect(text.endsWith(end)).toBe(true);
    expect(text).not.toContain("CHANGED");
  });
});

describe("finding a recording", () => {
  const sids = ["6f0e2a1c-0000-4000-8000-000000000001", "6f0e2a1c-0000-4000-8000-000000000002"];
  const admin = { recordings: ({ id }: { readonly id?: string | undefined }) => Promise.resolve(sids.filter((sid) => sid.startsWith(id ?? "")).map((sid) => ({ sid, user: "ana", kind: "exec", cluster: "c", namespace: "n", pod: "p" }) as RecordingItem)) };

  it("takes a beginning that only one has, and says which there are otherwise", async () => {
    expect(await findRecording(admin, sids[1] ?? "")).toBe(sids[1]);
    expect(await findRecording(admin, "6F0E2A1C-0000-4000-8000-000000000001".slice(0, 36))).toBe(sids[0]);
    await expect(findRecording(admin, "6f0e")).rejects.toMatchObject({ code: "usage", hint: expect.stringContaining(sids[1] ?? "") as string });
    await expect(findRecording(admin, "7")).rejects.toMatchObject({ code: "not_found" });
    await expect(findRecording(admin, "nonsense")).rejects.toMatchObject({ code: "not_found" });
  });

  it("reads times", () => {
    const now = Date.parse("2026-11-25T12:00:00Z");
    expect(parseSince("7d", now)).toBe(now - 7 * 86_400_000);
    expect(parseSince("1w", now)).toBe(now - 7 * 86_400_000);
    expect(parseSince("1h30m", now)).toBe(now - 5_400_000);
    expect(parseSince("2026-11-01", now)).toBe(Date.parse("2026-11-01"));
    expect(parseSince("2026-11-01T09:00Z", now)).toBe(Date.parse("2026-11-01T09:00Z"));
    for (const wrong of ["", "yesterday", "7", "-7d", "2026-13-45", "7days"]) expect(() => parseSince(wrong, now)).toThrow(/--since/);
  });
});
