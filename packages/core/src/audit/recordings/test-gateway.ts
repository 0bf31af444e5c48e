import { randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nullLogger, systemClock } from "../../base/index.ts";
import { RecordingReader, parseRecordingEnd, parseRecordingGap, type RecordingHeader, type RecordingSummary } from "../../formats/index.ts";
import type { AuditEventInput } from "../types.ts";
import { createFile } from "./file.ts";
import { openRecordings } from "./open.ts";
import type { CreateFile, RecordingLimits, RecordingListener, Recordings } from "./types.ts";

/** What a recording has in it. */
export interface Played {
  readonly output: Buffer;
  readonly ends: ReturnType<typeof parseRecordingEnd>[];
  readonly gaps: ReturnType<typeof parseRecordingGap>[];
  readonly summary: RecordingSummary;
}

/** For the tests of this folder alone: a gateway that records, in a directory of one test's own. */
export interface TestGateway {
  /** Of the gateways, this one's among them. */
  readonly folder: string;
  /** Where the recordings are. */
  readonly place: string;
  /** What was audited. */
  readonly events: AuditEventInput[];
  /** Those that were opened last. */
  readonly recordings: Recordings;
  open(more?: { readonly directory?: string; readonly create?: CreateFile; readonly limits?: Partial<RecordingLimits> }): Recordings;
  /** What the recording is, whose file ends in `end`; `.rec` by default. */
  played(sid: string, end?: string): Promise<Played>;
  remove(): Promise<void>;
}

/** A gateway that has recorded nothing. */
export async function createGateway(): Promise<TestGateway> {
  const folder = await mkdtemp(join(tmpdir(), "recordings-"));
  const place = join(folder, "gw", "sessions", "default");
  const events: AuditEventInput[] = [];
  const audit = { emit: (event: AuditEventInput) => Promise.resolve(void events.push(event)), close: () => Promise.resolve() };
  const open: TestGateway["open"] = (more = {}) => openRecordings({ directory: folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit, ...more });
  let recordings: Recordings | undefined;
  return {
    folder,
    place,
    events,
    get recordings() {
      if (!recordings) throw new Error("no recordings are open");
      return recordings;
    },
    open(more) {
      recordings = open(more);
      return recordings;
    },
    played: async (sid, end = ".rec") => play(await readFile(join(place, sid + end))),
    remove: () => rm(folder, { recursive: true }),
  };
}

/** Of a session that begins now. */
export function header(): RecordingHeader {
  const started = Date.now();
  return {
    version: 2, width: 80, height: 24, timestamp: Math.floor(started / 1000), command: "sh",
    gatehouse: {
      sid: randomUUID(), kind: "exec", user: "ana", roles: ["access"], groups: ["developers"], cluster: "real", namespace: "web", pod: "a", container: "main", command: ["sh"], tty: true, stdin: true,
      address: "192.0.2.1:1", server_id: "gw", started,
    },
  };
}

/** A listener that keeps what it was told. */
export interface Heard extends RecordingListener {
  changes: number;
  readonly gaps: Parameters<RecordingListener["gap"]>[0][];
}
export const listener = (): Heard => {
  const heard: Heard = { changes: 0, gaps: [], changed: () => (heard.changes += 1), gap: (gap) => void heard.gaps.push(gap) };
  return heard;
};

/** Reads the bytes of a recording, which may still be going on. */
export function play(bytes: Buffer): Played {
  const reader = new RecordingReader();
  const output: Buffer[] = [];
  const ends: Played["ends"][number][] = [];
  const gaps: Played["gaps"][number][] = [];
  for (const { type, data } of reader.feed(bytes)) {
    if (type === "o") output.push(Buffer.from(data));
    else if (type === "x") ends.push(parseRecordingEnd(data));
    else if (type === "g") gaps.push(parseRecordingGap(data));
  }
  return { output: Buffer.concat(output), ends, gaps, summary: reader.end() };
}

/** A disk that waits for `gate` before each write, or fails with what it throws. */
export const disk = (gate: () => Promise<void>): CreateFile => async (path) => {
  const file = await createFile(path);
  return { ...file, write: (...args) => gate().then(() => file.write(...args)) };
};
