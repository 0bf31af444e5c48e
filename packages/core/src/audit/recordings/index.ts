/** Recordings of live sessions: written as they happen, closed after a crash. */
export { openRecordings } from "./open.ts";
export type { RecordingsOptions } from "./open.ts";
export { sessionEnd, sessionGap, sessionResize, sessionStart } from "./events.ts";
export type { SessionEnd } from "./events.ts";
export type { CreateFile, Recording, RecordingFile, RecordingLimits, RecordingListener, RecordingMode, RecordingResult, Recordings } from "./types.ts";
