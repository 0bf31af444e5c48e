import { mkdir, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { GatehouseError, errorMessage, syncDirectory, type Clock, type Logger } from "../../base/index.ts";
import { encodeRecordingJson } from "../../formats/index.ts";
import type { AuditLog } from "../types.ts";
import { Buffers } from "./buffers.ts";
import { Lanes, SyncGroup, endedSuffix, liveSuffix, systemReason, within, type Syncable } from "./disk.ts";
import { createFile } from "./file.ts";
import { LiveRecording, type RecordingContext } from "./live-recording.ts";
import { sessionDigests } from "./events.ts";
import { findLeft } from "./left.ts";
import { recoverRecordings } from "./recover.ts";
import type { CreateFile, RecordingLimits, Recordings } from "./types.ts";

/** Where recordings are and what they stand on. */
export interface RecordingsOptions {
  /** The directory of logs; recordings are in `<directory>/<serverId>/sessions/default`. Made (0700) if missing. */
  readonly directory: string;
  readonly serverId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Is told of sessions that an earlier run left open. */
  readonly audit: AuditLog;
  readonly limits?: Partial<RecordingLimits> | undefined;
  /** For tests, where disks fail. */
  readonly create?: CreateFile | undefined;
}

const mebibyte = 1024 * 1024;
const defaults: RecordingLimits = { flush: 250, sync: 1000, waiting: mebibyte, late: 2000, unsynced: 10_000, total: 256 * mebibyte, stall: 30_000, patience: 2000, retry: 1000, deadline: 10_000 };
/** Of the four threads that Node has for files. */
const lanes = 2;

/** Opens the recordings of a gateway, and begins to close what an earlier run of it left open. */
export function openRecordings(options: RecordingsOptions): Recordings {
  const { directory, serverId, clock, logger, create = createFile } = options;
  const limits = { ...defaults, ...options.limits };
  const context: RecordingContext = { clock, limits, buffers: new Buffers(), lanes: new Lanes(lanes), syncs: new SyncGroup(new Lanes(1), limits.sync, logger) };
  const below = join(serverId, "sessions", "default");
  const folder = join(directory, below);
  const names: Syncable = { sync: () => syncDirectory(folder), syncFailed: () => undefined };
  // What is there now is of earlier runs; nothing begins before that is known.
  const left = findLeft({ folder, directory: join(directory, serverId) });
  const listed = left.then(ignore, ignore);
  const recovered = left
    .then((found) => recoverRecordings({ folder, below, audit: options.audit, logger }, found))
    .catch((error: unknown) => logger.error({ folder, error: errorMessage(error) }, "recordings that an earlier run left open could not be closed"));
  const live = new Set<LiveRecording>();
  /** Bytes of each that a digest was given of. */
  const told = new WeakMap<LiveRecording, number>();

  async function begin(...[header, mode, listener]: Parameters<Recordings["open"]>): Promise<LiveRecording> {
    const { sid, started } = header.gatehouse;
    const json = encodeRecordingJson(header);
    const path = join(folder, `${sid}${liveSuffix}`);
    await listed;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await create(path);
    const recording: LiveRecording = new LiveRecording(context, {
      sid,
      file,
      path,
      name: join(below, `${sid}${endedSuffix}`),
      started,
      mode,
      listener,
      rename: async () => {
        live.delete(recording);
        await rename(path, join(folder, `${sid}${endedSuffix}`));
        context.syncs.add(names);
      },
      remove: () => {
        live.delete(recording);
        return unlink(path);
      },
    });
    try {
      await recording.begin(json);
      // The log must not tell of a recording that a power failure takes away.
      if (mode === "strict") await context.lanes.run(() => recording.sync().then(() => syncDirectory(folder)));
    } catch (error) {
      await recording.discard().catch((second: unknown) => logger.error({ path, error: errorMessage(second) }, "a recording that could not be begun is left behind"));
      throw error;
    }
    context.syncs.add(names);
    live.add(recording);
    return recording;
  }

  return {
    async open(header, mode, listener) {
      const opening = begin(header, mode, listener);
      const late = Symbol("late");
      try {
        const recording = await within(opening, mode === "strict" ? limits.deadline : limits.patience, late);
        if (typeof recording !== "symbol") return recording;
      } catch (error) {
        if (error instanceof GatehouseError) throw error;
        throw unavailable(systemReason(error), error);
      }
      // Whenever the disk answers: nobody waits for it any more.
      opening
        .then((recording) => recording.discard())
        .catch((error: unknown) => logger.error({ sid: header.gatehouse.sid, error: errorMessage(error) }, "a recording that came too late could not be removed"));
      throw unavailable("the disk does not answer");
    },
    recovered,
    digests() {
      const changed = [...live].flatMap((recording) => {
        const { synced, sid } = recording;
        if (!synced || synced.bytes === told.get(recording)) return [];
        told.set(recording, synced.bytes);
        return [{ sid, ...synced }];
      });
      return sessionDigests(serverId, changed);
    },
    async close() {
      await recovered;
      await context.syncs.close();
    },
  };
}

function unavailable(why: string, cause?: unknown): GatehouseError {
  return new GatehouseError("unavailable", `the session cannot be recorded: ${why}`, { cause, hint: "the gateway's operator should look at the disk of its data directory" });
}

const ignore = (): void => undefined;
