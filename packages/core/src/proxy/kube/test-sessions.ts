import { mkdtemp, readdir, rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { openRecordings } from "../../audit/index.ts";
import type { AuditEventInput, CreateFile, RecordingFile, RecordingLimits } from "../../audit/index.ts";
import { nullLogger, systemClock } from "../../base/index.ts";
import type { RecordingDefault } from "../sessions/index.ts";
import { createTestWorld } from "./test-world.ts";
import type { TestWorld } from "./test-world.ts";

/** A person's end of a stream. */
export interface AskedStream {
  readonly socket: TLSSocket;
  /** The first ten thousand characters that came. */
  text(): string;
  readonly got: { readonly bytes: number };
}

/** For the tests of this folder alone: a proxy that records sessions, in a directory of one test's own. */
export interface SessionPlace {
  readonly folder: string;
  /** As {@link SessionPlace.open} made it, or a test did. */
  world: TestWorld;
  open(recording: RecordingDefault, disk?: { readonly create: CreateFile }, limits?: Partial<RecordingLimits>, person?: { readonly maxSessions?: number; readonly nodeProxy?: boolean }): Promise<void>;
  /** What was audited by this name. */
  named(event: string): AuditEventInput[];
  /** Names of the recordings' files. */
  files(): Promise<string[]>;
  /** An API server that accepts, and hands its side of the stream over. */
  accepting(protocol?: string): Promise<Socket>;
  /** Asks for a stream: {@link exec} by WebSocket unless it is said. */
  ask(upgrade?: string, path?: string): Promise<AskedStream>;
  remove(): Promise<void>;
}

/** Of a command in one container. */
export const exec = "/api/v1/namespaces/web/pods/a/exec?command=sh&command=-c&stdin=true&container=main";

/** A WebSocket frame of a server: the channel, then what is on it. */
export const frame = (text: string): Buffer => {
  const bytes = Buffer.from(text, "latin1");
  const header = bytes.length < 126 ? Buffer.from([0x82, bytes.length]) : Buffer.from([0x82, 126, bytes.length >> 8, bytes.length & 0xff]);
  return Buffer.concat([header, bytes]);
};
/** What is in the frame that a command ends with. */
export const success = '\x03{"metadata":{},"status":"Success"}';

/** A file of memory, whose writes go through `gate`. */
export function memoryDisk(gate: () => Promise<void> = () => Promise.resolve()): { readonly create: CreateFile; bytes: number } {
  const disk = {
    bytes: 0,
    create: (): Promise<RecordingFile> =>
      Promise.resolve({
        write: async (chunks: readonly Buffer[]) => {
          await gate();
          for (const chunk of chunks) disk.bytes += chunk.length;
        },
        datasync: () => Promise.resolve(),
        truncate: () => Promise.resolve(),
        close: () => Promise.resolve(),
      }),
  };
  return disk;
}

async function askFor(world: TestWorld, upgrade: string, path: string): Promise<AskedStream> {
  const socket = await world.raw("ana");
  const got = { bytes: 0, text: "" };
  socket.on("data", (chunk: Buffer) => {
    got.bytes += chunk.length;
    if (got.text.length < 10_000) got.text += chunk.toString("latin1");
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: ${upgrade}\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n\r\n`);
  return { socket, text: () => got.text, got };
}

/** A place whose proxy is still to be opened. */
export async function createSessionPlace(): Promise<SessionPlace> {
  const folder = await mkdtemp(join(tmpdir(), "sessions-"));
  let world: TestWorld | undefined;
  const place: SessionPlace = {
    folder,
    get world() {
      if (!world) throw new Error("no proxy is open");
      return world;
    },
    set world(next) {
      world = next;
    },
    async open(recording, disk, limits, person = {}) {
      const audit = { emit: () => Promise.resolve(), close: () => Promise.resolve() };
      const recordings = openRecordings({ directory: folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit, limits, ...(disk && { create: disk.create }) });
      world = await createTestWorld({ recordings, recording, serverId: "gw", ...person });
    },
    named: (event) => place.world.events.filter((one) => one.event === event),
    files: () => readdir(join(folder, "gw", "sessions", "default")),
    accepting: (protocol = "v5.channel.k8s.io") =>
      new Promise((resolve) => {
        place.world.upgrade = (_request, socket) => {
          socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: ${protocol}\r\n\r\n`);
          socket.resume();
          resolve(socket);
        };
      }),
    ask: (upgrade = "websocket", path = exec) => askFor(place.world, upgrade, path),
    async remove() {
      await place.world.close();
      await rm(folder, { recursive: true });
    },
  };
  return place;
}
